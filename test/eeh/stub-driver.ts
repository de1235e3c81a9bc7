/** A driver that votes as told and keeps a diary. */
import type { PciDriver } from '../../src/eeh/drivers/driver.js';
import type { ErsVote } from '../../src/eeh/drivers/votes.js';
import type { ChannelState } from '../../src/eeh/eeh-flags.js';
import type { PciDevice, PciErrorHandlers } from '../../src/eeh/pci/device.js';
import { delay, type Process } from '../../src/sim/process.js';

export interface StubVotes {
  readonly error?: ErsVote | 'missing';
  readonly mmio?: ErsVote | 'missing';
  readonly reset?: ErsVote | 'missing';
  readonly resume?: 'present' | 'missing';
}

export class StubDriver implements PciDriver {
  readonly name: string;
  readonly errorHandlers?: PciErrorHandlers;
  readonly diary: string[] = [];
  probeRc = 0;

  constructor(
    votes: StubVotes | 'unaware',
    private readonly options: { readonly name?: string; readonly deviceId?: number } = {},
  ) {
    this.name = options.name ?? 'nic';
    if (votes !== 'unaware') this.errorHandlers = this.handlers(votes);
  }

  matches(device: PciDevice): 'yes' | 'no' {
    return (this.options.deviceId ?? 0xf001) === device.identity.deviceId ? 'yes' : 'no';
  }

  *probe(device: PciDevice): Process<number> {
    yield* delay(0);
    this.diary.push(`probe ${device.name}`);
    return this.probeRc;
  }

  *remove(device: PciDevice): Process<void> {
    yield* delay(0);
    this.diary.push(`remove ${device.name}`);
  }

  private handlers(votes: StubVotes): PciErrorHandlers {
    const { error = 'missing', mmio = 'missing', reset = 'missing', resume = 'missing' } = votes;
    const { diary } = this;
    function* answer(what: string, vote: ErsVote): Process<ErsVote> {
      yield* delay(0);
      diary.push(what);
      return vote;
    }
    function* tell(): Process<void> {
      yield* delay(0);
      diary.push('resume');
    }
    return {
      ...(error === 'missing'
        ? {}
        : { errorDetected: (_: PciDevice, state: ChannelState) => answer(`error ${state}`, error) }),
      ...(mmio === 'missing' ? {} : { mmioEnabled: () => answer('mmio', mmio) }),
      ...(reset === 'missing' ? {} : { slotReset: () => answer('reset', reset) }),
      ...(resume === 'missing' ? {} : { resume: () => tell() }),
    };
  }
}

/** A driver that lives through a reset. */
export const AWARE: StubVotes = { error: 'need reset', reset: 'recovered', resume: 'present' };
