// No dump of a real P7IOC is public. These are synthetic: errors strike the simulated chip through its doors, its registers
// are put into the firmware's structure, the kernel's text is made of that, and explained.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explainLog, type LogExplanation } from '../../src/diag/explain.js';
import type { CauseType, Severity } from '../../src/diag/fault/fault.js';
import { decodeDiagData, encodeDiagData, formatDiagData } from '../../src/diag/layout.js';
import { encodeHubDiagData, formatHubDiagData, HUB_DIAG_TYPES, type HubDiagType } from '../../src/diag/p7ioc/hub.js';
import { HUB_LINES } from '../../src/diag/p7ioc/hub-text.js';
import { P7IOC_LAYOUT, type P7iocDiagField } from '../../src/diag/p7ioc/layout.js';
import { ALL_ONES, msbMask } from '../../src/hw/bits.js';
import { TRAP_NAMES } from '../../src/ioda/bit-lists.js';
import { trapRegisterName } from '../../src/ioda/trap-registers.js';
import { TRAP_BITS } from '../../src/ioda1/error-bits/traps.js';
import { booted, MWIN2, m32, PE, RID, type Rig, WINDOW } from '../ioda1/rig.js';

const TRAP_FIELDS = { PHB: 'phb', OUT: 'mmio', INA: 'dma0', INB: 'dma1' } as const;

/** What firmware collects, read by the side path. */
function dumpOf(rig: Rig): string[] {
  const fields: Partial<Record<P7iocDiagField, bigint>> = {
    brdgCtl: 2n,
    linkStatus: 0xa0830008n,
    devSecStatus: rig.config(0, 0x1e, 2),
    portStatusReg: rig.asbRead('UTL_PCIE_PORT_STATUS') >> 32n,
    phbPlssr: rig.asbRead('PHB_CPU_LOADSTORE_STATUS'),
    phbCsr: rig.asbRead('PHB_DMA_CHAN_STATUS'),
    lemFir: rig.asbRead('PHB_LEM_FIR_ACCUM'),
    lemErrorMask: rig.asbRead('PHB_LEM_ERROR_MASK'),
    lemWOF: rig.asbRead('PHB_LEM_WOF'),
  };
  for (const trap of TRAP_NAMES) {
    const prefix = TRAP_FIELDS[trap];
    fields[`${prefix}ErrorStatus`] = rig.asbRead(trapRegisterName(trap, 'ERR_STATUS'));
    fields[`${prefix}FirstErrorStatus`] = rig.asbRead(trapRegisterName(trap, 'ERR1_STATUS'));
    fields[`${prefix}ErrorLog0`] = rig.asbRead(trapRegisterName(trap, 'ERR_LOG_0'));
    fields[`${prefix}ErrorLog1`] = rig.asbRead(trapRegisterName(trap, 'ERR_LOG_1'));
  }
  const column = (table: 'PESTA' | 'PESTB') => Array.from({ length: 128 }, (_, pe) => rig.asbIoda(table, pe));
  const data = { fields, pestA: column('PESTA'), pestB: column('PESTB') };
  return formatDiagData(P7IOC_LAYOUT, decodeDiagData(P7IOC_LAYOUT, encodeDiagData(P7IOC_LAYOUT, data)), 3);
}

/** Every printed word is in the explanation, under its name. */
function checkWords(lines: readonly string[], { dumps }: LogExplanation): void {
  const { words, pest, problems } = dumps[0]!.dump;
  const byLabel = (label: string) =>
    lines
      .find((line) => line.startsWith(`${label}:`))
      ?.split(/\s+/)
      .slice(1);
  for (const { label, fields } of P7IOC_LAYOUT.lines) {
    fields.forEach((field, i) => {
      const printed = byLabel(label)?.[i];
      expect(words.get(field)?.value, field).toBe(printed === undefined ? undefined : BigInt(`0x${printed}`));
    });
  }
  const printed = lines.filter((line) => /^PE\[[0-9a-f]/.test(line));
  expect(pest.map(({ a, b }) => [a, b])).toEqual(
    printed.map((line) =>
      line
        .split(/\s+/)
        .slice(-2)
        .map((word) => BigInt(`0x${word}`)),
    ),
  );
  expect(problems).toEqual([]);
}

interface Case {
  readonly strike: (rig: Rig) => unknown;
  readonly type: CauseType;
  readonly address?: bigint;
  readonly direction?: 'read' | 'write';
  readonly severity?: Severity;
}

const load = (rig: Rig, answer: 'CA' | 'UR' | 'poisoned'): void => {
  rig.card.answers.push(answer);
  rig.load(m32(PE, 0x20), 4);
};

const CASES: Readonly<Record<string, Case>> = {
  'a DMA write to an unmapped page': {
    strike: (rig) => rig.dmaWrite(WINDOW + 0x9000n, [1]),
    ...{ type: 'dma-iommu-fault', address: WINDOW + 0x9000n, direction: 'write' },
  },
  'a DMA read of an unmapped page': {
    strike: (rig) => rig.dmaRead(WINDOW + 0x9000n, 4),
    ...{ type: 'dma-iommu-fault', address: WINDOW + 0x9000n, direction: 'read' },
  },
  'a DMA write to a read-only page': {
    strike: (rig) => rig.dmaWrite(WINDOW + 0x2000n, [1]),
    ...{ type: 'dma-permission', address: WINDOW + 0x2000n, direction: 'write' },
  },
  'a DMA read of a write-only page': {
    strike: (rig) => rig.dmaRead(WINDOW + 0x3000n, 4),
    ...{ type: 'dma-permission', address: WINDOW + 0x3000n, direction: 'read' },
  },
  'a DMA to a window that is not there': {
    strike: (rig) => rig.dmaWrite(0x7000_0000n, [1]),
    ...{ type: 'dma-iommu-fault', direction: 'write' },
  },
  'an MSI that nobody owns': { strike: (rig) => rig.msi(9, 0xff), type: 'msi-error' },
  'a load that the card aborts': { strike: (rig) => load(rig, 'CA'), type: 'completer-abort', direction: 'read' },
  'a load that the card does not know': {
    strike: (rig) => load(rig, 'UR'),
    ...{ type: 'unsupported-request', direction: 'read' },
  },
  'a load that is answered with poison': { strike: (rig) => load(rig, 'poisoned'), type: 'pcie-ue' },
  'a fatal message': { strike: (rig) => rig.sendError('ERR_FATAL'), type: 'pcie-ue' },
  'a non-fatal message': { strike: (rig) => rig.sendError('ERR_NONFATAL'), type: 'pcie-ue' },
  'a correctable message': {
    strike: (rig) => rig.sendError('ERR_COR'),
    ...{ type: 'pcie-ce', severity: 'informative' },
  },
  'a config read that nobody accepts': {
    strike: (rig) => {
      rig.card.answers.push('UR');
      rig.config(RID, 0);
    },
    ...{ type: 'unsupported-request' },
  },
  'an injected fence': {
    strike: (rig) => rig.asbWrite('PHB_OUT_ERR_INJECT', msbMask(0)),
    ...{ type: 'internal-error', severity: 'phb-fenced' },
  },
};

describe('a synthetic dump of the simulated P7IOC', () => {
  it.each(Object.entries(CASES))('after %s gives back registers and cause', (_, expected) => {
    const rig = booted();
    expected.strike(rig);
    const lines = dumpOf(rig);
    const explanation = explainLog(lines.join('\n'));
    checkWords(lines, explanation);
    const event = explanation.events[0]!;
    expect(event.chip).toBe('p7ioc');
    expect(event.cause.type).toBe(expected.type);
    // Nobody documents the bits of this chip.
    expect(event.cause.certainty).not.toBe('certain');
    expect(event.severity).toBe(expected.severity ?? 'pe-frozen');
    if (expected.address !== undefined) expect(event.cause.address).toBe(expected.address);
    if (expected.direction !== undefined) expect(event.cause.direction).toBe(expected.direction);
    if (event.severity === 'pe-frozen') expect(event.faultedPe).toBe(PE);
  });

  it.each(TRAP_NAMES)('names every bit that %s can hold', (trap) => {
    const rig = booted();
    for (const { bit } of TRAP_BITS[trap]) {
      rig.asbWrite(trapRegisterName(trap, 'ERR_STATUS'), ALL_ONES);
      rig.asbWrite(trapRegisterName(trap, 'ERR1_STATUS'), 0n);
      rig.asbWrite('PHB_LEM_FIR_ACCUM', 0n);
      rig.asbWrite('PHB_LEM_WOF', 0n);
      rig.asbWrite(trapRegisterName(trap, 'ERR_INJECT'), msbMask(bit));
      const { dumps } = explainLog(dumpOf(rig).join('\n'));
      const names = dumps[0]!.registers.flatMap(({ bits }) => bits.map(({ name }) => name));
      expect(names).toContain(`${trap === 'PHB' ? 'ERR' : trap}[${bit}]`);
    }
  });

  it('keeps a store to a window that is not there from freezing anybody', () => {
    const rig = booted();
    rig.load(MWIN2 + 0x10, 4);
    expect(explainLog(dumpOf(rig).join('\n')).events[0]!.frozenPes).toEqual([]);
  });
});

describe('a synthetic dump of the hub', () => {
  const word = fc.bigInt({ min: 0n, max: ALL_ONES });
  const names = (type: HubDiagType) => [...HUB_LINES['GEM']!, ...HUB_LINES['LEM']!, ...(HUB_LINES[type] ?? [])];

  it('gives back each word, whatever the units hold', () => {
    const types = fc.constantFrom(...(Object.keys(HUB_DIAG_TYPES) as HubDiagType[]));
    const data = types.chain((type) =>
      fc.record({
        type: fc.constant(type),
        instance: fc.nat(type === 'BI' ? 1 : 7),
        words: fc.record(Object.fromEntries(names(type).map((name) => [name, word]))),
      }),
    );
    fc.assert(
      fc.property(data, (hub) => {
        expect(encodeHubDiagData(hub)).toHaveLength(128);
        const [event] = explainLog(formatHubDiagData(hub).join('\n')).events;
        for (const [name, value] of Object.entries(hub.words)) {
          if (value === 0n) continue;
          const told = event!.evidence.map(({ text }) => text).join('\n');
          expect(told, name).toContain(value.toString(16).padStart(16, '0'));
        }
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('of the simulated chip names the class of the unit that failed', () => {
    const rig = booted();
    rig.hubWrite('BI_UP_LEM_FIR_OR_MASK', msbMask(4));
    const words = {
      gemXfir: rig.hubRead('GEM_XFIR'),
      lemFir: rig.hubRead('BI_UP_LEM_FIR_ACCUM'),
      lemErrMask: rig.hubRead('BI_UP_LEM_ERROR_MASK'),
      lemWof: rig.hubRead('BI_UP_LEM_WOF'),
    };
    expect(words.lemFir).toBe(msbMask(4));
    const { events } = explainLog(formatHubDiagData({ type: 'BI', instance: 0, words }).join('\n'));
    expect(events[0]).toMatchObject({ severity: 'informative', title: 'informational error in BI Upbound of the hub' });
  });
});
