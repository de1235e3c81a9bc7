import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { RECORDED_MWIN1 } from '../ioda1/firmware/replay.js';
import { RGC_IRQ } from '../ioda1/layout.js';
import { P7iocFirmware } from './p7ioc-firmware.js';
import { call, codeOf, type RecordedCall, recordedCalls } from './p7ioc-recorded-calls.js';
import type { Access } from './watched-port.js';

const text = ({ operation, size, offset, value }: Access): string =>
  `${operation}${size} ${offset.toString(16)}${operation === 'W' ? ` ${value.toString(16)}` : ''}`;

const recorded = recordedCalls();

/** What a call does to the hub, and returns. */
function outcome(firmware: P7iocFirmware, wanted: RecordedCall): { accesses: string[]; returned: number } {
  let returned = Number.NaN;
  const accesses = firmware.accessesOf(
    (function* () {
      returned = codeOf(yield* call(firmware.opal, wanted));
    })(),
  );
  return { accesses: accesses.map(text), returned };
}

const titled = (calls: readonly RecordedCall[]) =>
  calls.map((each, index) => [`${each.phase} ${each.name} (${index})`, each] as const);

describe('PE set-up, freezes, injection and diagnostic data of the recorded firmware', () => {
  const firmware = P7iocFirmware.booted({ mwin1: RECORDED_MWIN1 });
  const calls = recorded.filter(({ phase }) => phase >= '05' && phase < '70');

  it('are 86 calls', () => {
    expect(calls).toHaveLength(86);
  });

  it.each(titled(calls))('%s does and returns the same', (_name, wanted) => {
    expect(outcome(firmware, wanted)).toEqual({ accesses: wanted.accesses, returned: wanted.returned });
  });
});

describe('errors of hub and PHB in the recorded firmware', () => {
  const firmware = P7iocFirmware.booted({ mwin1: RECORDED_MWIN1 });
  const hubInterrupt = (gemBit: number): void => {
    firmware.setHubRegister('GEM_RWOF', msbMask(gemBit));
    firmware.run(firmware.opal.handleInterrupt(RGC_IRQ));
  };
  /** What the recorder put into its file before the calls of a phase. */
  const before: Readonly<Record<string, () => void>> = {
    '71-next_error_rgc_er': () => {
      firmware.setRegister('PHB_LEM_WOF', 0x0000_a014_7f50_092cn);
      hubInterrupt(16);
    },
    '72-next_error_rgc_er_pe': () => {
      firmware.run(firmware.opal.pciEehFreezeSet(0, 5, 3));
      hubInterrupt(16);
    },
    '75-next_error_rgc_phb_fatal': () => {
      firmware.setRegister('PHB_LEM_WOF', 0xadb6_50cb_808d_d051n);
      hubInterrupt(16);
    },
    '76-next_error_rgc_misc': () => {
      firmware.setHubRegister('MISC_LEM_WOF', 0x0000_0002_0000_0000n);
      hubInterrupt(24);
    },
    '85-fence_next_error': () => {
      firmware.run(firmware.opal.pciGetHubDiagData(1));
      firmware.fence();
    },
  };
  const phases = /^(7[1-7]|8[5-8])-/;
  const calls = recorded.filter(({ phase }) => phases.test(phase));
  const firstOf = new Set(Object.keys(before).map((phase) => calls.find((each) => each.phase === phase)));

  it('are 15 calls', () => {
    expect(calls).toHaveLength(15);
  });

  it.each(titled(calls))('%s does and returns the same', (_name, wanted) => {
    if (firstOf.has(wanted)) before[wanted.phase]!();
    expect(outcome(firmware, wanted)).toEqual({ accesses: wanted.accesses, returned: wanted.returned });
  });
});
