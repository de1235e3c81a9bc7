import { describe, expect, it } from 'vitest';
import { InjectFunction as F, OpalStatus, PeAction, ResetScope, WindowType } from '../../src/opal/opal-api.js';
import { io, m32, PAGE_AT, RID } from '../ioda1/layout.js';
import { type FirmwareOptions, P7iocFirmware } from './p7ioc-firmware.js';

const { SUCCESS, PARAMETER, UNSUPPORTED } = OpalStatus;
const PE = 5;
const TCES = 0x50_0000;
const MMIO_MASK = 0x0000_ffff_ff00_0000n;
const IO_MASK = 0x0000_ffff_ffff_0000n;
const CONFIG_MASK = 0x0ff0_0000_0000_0000n;

/** PE 5 with the card, segments 3, 4 and 9 of M32, 2 and 7 of IO, and a DMA window. */
function prepared(options: FirmwareOptions = {}, window = 2): P7iocFirmware {
  const firmware = P7iocFirmware.booted(options);
  const { opal } = firmware;
  setPe(firmware, RID, 7);
  const map = (type: number, segment: number) =>
    firmware.run(opal.pciMapPeMmioWindow(0, { pe: PE, type, window: 0, segment }));
  for (const segment of [3, 4, 9]) map(WindowType.M32, segment);
  for (const segment of [2, 7]) map(WindowType.IO, segment);
  const tve = { pe: PE, window, levels: 1, tableAddress: BigInt(TCES), tableBytes: 0x8_0000n, pageBytes: 0x1000n };
  firmware.run(opal.pciMapPeDmaWindow(0, tve));
  firmware.machine.memory.write64(TCES + 8, BigInt(PAGE_AT(1)) | 3n);
  return firmware;
}

const setPe = (firmware: P7iocFirmware, rid: number, bus: number, pe = PE) =>
  firmware.run(firmware.opal.pciSetPe(0, { pe, rid, match: { bus, device: 0, function: 0 }, action: PeAction.MAP }));

const inject = (
  firmware: P7iocFirmware,
  number: number,
  rest: { pe?: number; type?: number; address?: bigint; mask?: bigint } = {},
) => firmware.run(firmware.opal.pciErrInject(0, { pe: PE, type: 0, function: number, address: 0n, mask: 0n, ...rest }));

const armed = (firmware: P7iocFirmware) =>
  (['PHB_PAPR_ERR_INJ_CTL', 'PHB_PAPR_ERR_INJ_ADDR', 'PHB_PAPR_ERR_INJ_MASK'] as const).map((name) =>
    firmware.register(name),
  );

const WINDOW = 2n << 28n;
const OPERATIONS: Readonly<Record<string, (firmware: P7iocFirmware) => void>> = {
  'memory load': (firmware) => firmware.load(m32(3)),
  'memory store': (firmware) => firmware.machine.store(m32(3), 1n, 4),
  'IO load': (firmware) => firmware.load(io(2)),
  'IO store': (firmware) => firmware.machine.store(io(2), 1n, 4),
  'config read': (firmware) => firmware.run(firmware.opal.pciConfigRead(0, RID, 0, 4)),
  'config write': (firmware) => firmware.run(firmware.opal.pciConfigWrite(0, { bdfn: RID, offset: 0x10, size: 4 }, 0)),
  'DMA read': (firmware) => firmware.dmaRead(WINDOW + 0x1000n),
  'DMA write': (firmware) => firmware.dmaWrite(WINDOW + 0x1000n, [1]),
};
const FUNCTIONS: readonly (readonly [operation: string, functions: readonly number[]])[] = [
  ['memory load', [F.LD_MEM_ADDR, F.LD_MEM_DATA]],
  ['memory store', [F.ST_MEM_ADDR, F.ST_MEM_DATA]],
  ['IO load', [F.LD_IO_ADDR, F.LD_IO_DATA]],
  ['IO store', [F.ST_IO_ADDR, F.ST_IO_DATA]],
  ['config read', [F.LD_CFG_ADDR, F.LD_CFG_DATA]],
  ['config write', [F.ST_CFG_ADDR, F.ST_CFG_DATA]],
  ['DMA read', [F.DMA_RD_ADDR, F.DMA_RD_DATA, F.DMA_RD_MASTER, F.DMA_RD_TARGET]],
  ['DMA write', [F.DMA_WR_ADDR, F.DMA_WR_DATA, F.DMA_WR_MASTER, F.DMA_WR_TARGET]],
];

describe('an injected error', () => {
  it.each(FUNCTIONS)('freezes the PE at its next %s, again and again, and at nothing else', (name, functions) => {
    const firmware = prepared();
    for (const number of functions) {
      expect(inject(firmware, number)).toBe(SUCCESS);
      for (const [other, operation] of Object.entries(OPERATIONS)) if (other !== name) operation(firmware);
      expect(firmware.frozenPes()).toEqual([]);
      for (let round = 0; round < 2; round++) {
        OPERATIONS[name]!(firmware);
        expect(firmware.frozenPes()).toEqual([PE]);
        firmware.run(firmware.opal.pciEehFreezeClear(0, PE, 3));
      }
      expect(firmware.run(firmware.opal.pciReset(0, ResetScope.PHB_ERROR, 1))).toBe(SUCCESS);
      expect(armed(firmware)).toEqual([0n, 0n, 0n]);
      OPERATIONS[name]!(firmware);
      expect(firmware.frozenPes()).toEqual([]);
    }
  });

  it.each([
    ['memory', F.LD_MEM_ADDR, m32(0), MMIO_MASK, [3, 4, 9].map((segment) => m32(segment))],
    ['IO', F.LD_IO_ADDR, io(0), IO_MASK, [2, 7].map((segment) => io(segment))],
  ] as const)(
    "takes the caller's address in %s where it lies in any segment of the PE, else the first segment",
    (...row) => {
      const [, number, foreign, mask, segments] = row;
      const firmware = prepared();
      for (const start of segments) {
        const address = BigInt(start) + 0x1004n;
        inject(firmware, number, { address, mask: 0xffn });
        expect(armed(firmware).slice(1)).toEqual([address, 0xffn]);
      }
      inject(firmware, number, { address: BigInt(foreign), mask: 0xffn });
      expect(armed(firmware).slice(1)).toEqual([BigInt(segments[0]!), mask]);
    },
  );

  it.each([
    [7, 0x0100, 0x0100],
    [6, 0x0200, 0x0300],
    [4, 0x0800, 0x0f00],
    [2, 0x2000, 0x3f00],
  ])("takes the caller's bus where it belongs to the PE: compare code %i", (code, rid, last) => {
    const firmware = prepared();
    setPe(firmware, rid, code);
    const bus = (number: number) => BigInt(number >> 8) << 52n;
    inject(firmware, F.LD_CFG_ADDR, { address: bus(last), mask: 0x0330_0000_0000_0000n });
    expect(armed(firmware).slice(1)).toEqual([bus(last), 0x0330_0000_0000_0000n]);
    inject(firmware, F.LD_CFG_ADDR, { address: bus(last + 0x100), mask: 1n });
    expect(armed(firmware).slice(1)).toEqual([bus(rid), CONFIG_MASK]);
  });

  it('has no buses to take for a PE of any bus', () => {
    const firmware = prepared();
    for (const code of [0, 1]) {
      setPe(firmware, RID, code);
      expect(inject(firmware, F.LD_CFG_ADDR)).toBe(PARAMETER);
    }
  });

  it('counts segments and windows that nobody mapped as those of PE 0', () => {
    const firmware = prepared();
    setPe(firmware, 0x0200, 7, 0);
    inject(firmware, F.LD_MEM_ADDR, { pe: 0 });
    expect(armed(firmware)[1]).toBe(BigInt(m32(0)));
    expect(inject(firmware, F.DMA_RD_ADDR, { pe: 0 })).toBe(SUCCESS);
  });

  it('for DMA names the first window of the PE by its low four bits, unless that is corrected', () => {
    const windows = (profile: 'skiboot' | 'corrected') =>
      [2, 15, 16, 18].map((window) => {
        const firmware = prepared({ profile: { injectionWindow: profile } }, window);
        const rc = inject(firmware, F.DMA_WR_ADDR, { address: 7n, mask: 7n });
        return [rc, ...armed(firmware).slice(1)];
      });
    const chosen = (window: bigint) => [SUCCESS, window, 0xfn];
    expect(windows('skiboot')).toEqual([chosen(2n), chosen(15n), chosen(0n), chosen(2n)]);
    const refused = [PARAMETER, 0n, 0n];
    expect(windows('corrected')).toEqual([chosen(2n), chosen(15n), refused, refused]);
    const unmapped = prepared({ profile: 'corrected' });
    setPe(unmapped, 0x0200, 7, 0);
    expect(inject(unmapped, F.DMA_RD_ADDR, { pe: 0 })).toBe(PARAMETER);
  });

  it.each([
    ['a PE without segments', { pe: 6 }, F.LD_MEM_ADDR],
    ['a PE without ports', { pe: 6 }, F.LD_IO_ADDR],
    ['a PE without a DMA window', { pe: 6 }, F.DMA_RD_ADDR],
    ['a function that does not exist', {}, 20],
    ['the catch-all PE', { pe: 127 }, F.LD_MEM_ADDR],
    ['a PE that does not exist', { pe: 128 }, F.LD_MEM_ADDR],
    ['a PE without requesters', { pe: 7 }, F.LD_MEM_ADDR],
    ['a type that does not exist', { type: 2 }, F.LD_MEM_ADDR],
  ])('is refused: %s', (_name, rest, number) => {
    const firmware = prepared();
    setPe(firmware, 0x0200, 7, 6);
    firmware.run(firmware.opal.pciMapPeMmioWindow(0, { pe: 7, type: WindowType.M32, window: 0, segment: 11 }));
    expect(inject(firmware, number, rest)).toBe(PARAMETER);
  });

  it('is refused with 64 bits of address', () => {
    expect(inject(prepared(), F.LD_MEM_ADDR, { type: 1 })).toBe(UNSUPPORTED);
  });

  it('that is refused after the check of the PE disarms the one before, unless that is corrected', () => {
    const control = (profile: 'skiboot' | 'corrected', pe: number, number: number) => {
      const firmware = prepared({ profile: { refusedInjection: profile } });
      inject(firmware, F.LD_MEM_ADDR);
      inject(firmware, number, { pe });
      return armed(firmware)[0];
    };
    const load = 0x4800_0000_0000_0000n;
    expect([control('skiboot', 7, F.LD_MEM_ADDR), control('skiboot', PE, 20), control('skiboot', 127, 20)]).toEqual([
      0n,
      0n,
      load,
    ]);
    expect([control('corrected', 7, F.LD_MEM_ADDR), control('corrected', PE, 20)]).toEqual([load, load]);
    expect(control('corrected', PE, F.ST_MEM_ADDR)).toBe(0x4400_0000_0000_0000n);
  });

  it('arms both directions on the first chips, which real firmware does not recognise', () => {
    const control = (profile: 'skiboot' | 'corrected') => {
      const firmware = prepared({ profile: { chipLevel: profile }, chip: { revision: 'DD1.0' } });
      inject(firmware, F.LD_MEM_ADDR);
      return armed(firmware)[0];
    };
    expect([control('skiboot'), control('corrected')]).toEqual([0x4800_0000_0000_0000n, 0x4c00_0000_0000_0000n]);
  });
});
