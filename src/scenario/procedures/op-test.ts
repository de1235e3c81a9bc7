/**
 * The EEH tests of op-test: fences and freezes by error injection, as often as a PE may fail. Half of the procedure is to
 * look for lines in the log. Source: open-power/op-test testcases/OpTestEEH.py; facts: eeh-linux 21.2.
 */
import { PATHS } from '../../eeh/interfaces/files.js';
import type { Process } from '../../sim/process.js';
import { DEBUG, DEVICES, type UserSpace } from './user-space.js';

export const OP_TESTS = ['basic-fenced-phb', 'max-fenced-phb', 'basic-frozen-pe', 'max-frozen-pe'] as const;
export type OpTestName = (typeof OP_TESTS)[number];

export interface OpTestOptions {
  /** PHBs that hold what the system needs, such as the root disk: `PCI0000`. */
  readonly skipPhbs?: readonly string[];
  readonly skipDevices?: readonly string[];
}

/** One injection, or one fence. */
export interface OpTestRound {
  /** A device, or a PHB. */
  readonly target: string;
  /** `pe:type:func:addr:mask`, or the word that was armed. */
  readonly injected: string;
  readonly outcome: 'miss' | 'recovered' | 'not-recovered' | 'removed' | 'not-removed' | 'hit';
  /** How often the target was hit up to here. */
  readonly hits: number;
  /** eeh_slot_resets, as read after each hit of a PE. */
  readonly slotResets?: number;
}

export interface OpTestResult {
  readonly name: OpTestName;
  /** 0 OK, 1 FAILED: the test framework's verdict. Freeze tests only log what did not recover. */
  readonly status: 0 | 1;
  readonly rounds: readonly OpTestRound[];
  /** What the test calls EEH_FAIL, or raises. */
  readonly errors: readonly string[];
  readonly locationMissing: number;
}

/** Ends the test. */
class TestFailure extends Error {
  override readonly name = 'TestFailure';
}

const FENCE = '0x8000000000000000';
const TYPES = ['0', '1'] as const;
/** MMIO read, config read, MMIO write, and "config write": the kernel reads 10 as hex, which is a DMA write. */
const FUNCTIONS = ['0', '4', '6', '10'] as const;
const HIT_TRIES = 10;
const LOG_TRIES = 60;
const DEVICE_TRIES = 30;
const PHB_DEVICE_PAUSE_SECONDS = 0.2;

/** Hits that must recover; the next one must remove the device. */
const RECOVERED_HITS = { basic: 5, max: 1 } as const;

export function* opTest(user: UserSpace, name: OpTestName, options: OpTestOptions = {}): Process<OpTestResult> {
  const run = new OpTestRun(user, name, options);
  return yield* run.run();
}

class OpTestRun {
  private readonly rounds: OpTestRound[] = [];
  private readonly errors: string[] = [];
  private locationMissing = 0;

  constructor(
    private readonly user: UserSpace,
    private readonly name: OpTestName,
    private readonly options: OpTestOptions,
  ) {}

  *run(): Process<OpTestResult> {
    let status: 0 | 1 = 0;
    try {
      if (this.limit === 'max') yield* this.user.echo('1', `${DEBUG}/eeh_max_freezes`);
      if (this.name.endsWith('phb')) yield* this.fencePhbs();
      else yield* this.freezePes();
    } catch (error) {
      if (!(error instanceof TestFailure)) throw error;
      this.errors.push(error.message);
      this.user.print(`ERROR: ${error.message}`);
      status = 1;
    }
    this.summarize(status);
    const { name, rounds, errors, locationMissing } = this;
    return { name, status, rounds, errors, locationMissing };
  }

  private get limit(): 'basic' | 'max' {
    return this.name.startsWith('max') ? 'max' : 'basic';
  }

  private get phbs(): string[] {
    const skipped = this.options.skipPhbs ?? [];
    return this.user.list(DEBUG).filter((name) => /^PCI[0-9a-f]{4}$/.test(name) && !skipped.includes(name));
  }

  /** Every PHB once; with the limit at 1 a second time, which must take the devices away. */
  private *fencePhbs(): Process<void> {
    const { phbs } = this;
    for (let hits = 1; hits <= (this.limit === 'max' ? 2 : 1); hits++) {
      for (const phb of phbs) yield* this.fence(phb, hits);
    }
  }

  private *fence(phb: string, hits: number): Process<void> {
    this.user.clearLog();
    this.user.print(`Injecting the fenced PHB error on PHB: ${phb}`);
    yield* this.user.echo(FENCE, `${DEBUG}/${phb}/err_injct_outbound`);
    yield* this.user.lspci();
    const round = (outcome: OpTestRound['outcome']): void => {
      this.rounds.push({ target: phb, injected: FENCE, outcome, hits });
    };
    if (hits > RECOVERED_HITS.max) {
      const removed = yield* this.logShows('permanently disabled', LOG_TRIES);
      round(removed ? 'removed' : 'not-removed');
      if (!removed) throw new TestFailure(`PHB domain ${phb} remove failed`);
      this.user.print(`PHB domain ${phb} removed successfully`);
      return;
    }
    const recovered = (yield* this.hasResumed('PHB', phb)) && (yield* this.hasDevices(phb));
    round(recovered ? 'recovered' : 'not-recovered');
    if (!recovered) throw new TestFailure(`PHB domain ${phb} recovery failed`);
    this.user.print(`PHB ${phb} recovery successful`);
  }

  /** The PE numbers are those from before the first injection; a device that was removed since is tried all the same. */
  private *freezePes(): Process<void> {
    const { phbs } = this;
    const numbers = new Map<string, string>();
    for (const device of this.user.list(DEVICES)) {
      const address = yield* this.user.read(`${DEVICES}/${device}/eeh_pe_config_addr`);
      if (address !== undefined) numbers.set(device, address.replace('0x', ''));
    }
    for (const [device, pe] of numbers) {
      const phb = `PCI${device.split(':')[0]!}`;
      if (this.options.skipDevices?.includes(device) === true || !phbs.includes(phb)) continue;
      yield* this.freezeDevice(device, pe, phb);
    }
  }

  /** Both types of every function; an injection that the PE does not notice is a miss and no failure. */
  private *freezeDevice(device: string, pe: string, phb: string): Process<void> {
    let hits = 0;
    for (const type of TYPES) {
      if (hits > RECOVERED_HITS[this.limit]) return;
      for (const func of FUNCTIONS) {
        this.user.print(`Running error injection on pe ${device} func ${func}`);
        const injected = `${pe}:${type}:${func}:0:0`;
        if (!(yield* this.inject(device, phb, injected))) {
          this.rounds.push({ target: device, injected, outcome: 'miss', hits });
          continue;
        }
        hits++;
        const outcome = yield* this.judgeHit(device, hits);
        this.rounds.push({ target: device, injected, outcome, hits, slotResets: yield* this.slotResets() });
        if (outcome === 'not-recovered') return;
        yield* this.checkLocation(device);
      }
    }
  }

  private *inject(device: string, phb: string, injected: string): Process<boolean> {
    this.user.clearLog();
    if ((yield* this.user.echo(injected, `${DEBUG}/${phb}/err_injct`)) === 'failed') return false;
    yield* this.user.lspci({ numeric: true, slot: device });
    if (!(yield* this.logShows('EEH: Frozen', HIT_TRIES))) return false;
    this.user.print(`PE ${device} EEH hit success`);
    return true;
  }

  /**
   * After the limit: removal; beyond that the test looks no further. What it looks for also stands in the warning that
   * every recovered freeze prints, so a device that stays passes for one that was removed.
   */
  private *judgeHit(device: string, hits: number): Process<OpTestRound['outcome']> {
    const limit = RECOVERED_HITS[this.limit];
    if (hits <= limit) {
      const recovered = yield* this.hasRecovered(device);
      if (recovered) this.user.print(`PE ${device} recovered after ${hits} EEH error`);
      else this.fail(`PE ${device} recovery failed after ${hits} EEH error`);
      return recovered ? 'recovered' : 'not-recovered';
    }
    if (hits > limit + 1) return 'hit';
    const removed = yield* this.logShows('permanently disabled', LOG_TRIES);
    if (removed) this.user.print(`PE ${device} removed successfully after EEH hit ${hits}`);
    else this.fail(`PE ${device} remove failed after EEH hit ${hits}`);
    return removed ? 'removed' : 'not-removed';
  }

  private *hasRecovered(device: string): Process<boolean> {
    try {
      if (!(yield* this.hasResumed('PE', device))) return false;
    } catch (error) {
      if (error instanceof TestFailure) return false;
      throw error;
    }
    for (let attempt = 1; attempt <= DEVICE_TRIES; attempt++) {
      if (this.user.list(DEVICES).includes(device)) return true;
      yield* this.user.sleep(1);
    }
    return false;
  }

  private *hasDevices(phb: string): Process<boolean> {
    const domain = phb.replace('PCI', '');
    for (let attempt = 1; attempt <= DEVICE_TRIES; attempt++) {
      if (this.user.list(DEVICES).some((device) => device.includes(domain))) return true;
      yield* this.user.sleep(PHB_DEVICE_PAUSE_SECONDS);
    }
    return false;
  }

  private *hasResumed(kind: 'PE' | 'PHB', target: string): Process<boolean> {
    if (yield* this.logShows('EEH: Notify device driver to resume', LOG_TRIES)) return true;
    throw new TestFailure(`EEH recovery failed ${kind} ${target}`);
  }

  /** A PE that nobody can find in the machine room is only warned about. */
  private *checkLocation(device: string): Process<void> {
    if (!(yield* this.logShows('EEH: PE location:', LOG_TRIES))) {
      throw new TestFailure(`PE ${device} location code failure`);
    }
    const last = this.user.logLines('EEH: PE location:').at(-1) ?? '';
    if (/ EEH: PE location: (.*), PHB.*/.exec(last)?.[1] !== 'N/A') return;
    this.locationMissing++;
    this.user.print('FW/Kernel failed to log the pcie slot/device location code');
  }

  private *logShows(text: string, tries: number): Process<boolean> {
    for (let attempt = 1; attempt <= tries; attempt++) {
      if (this.user.logLines(text).length > 0) return true;
      yield* this.user.sleep(1);
    }
    return false;
  }

  private *slotResets(): Process<number> {
    const last = (yield* this.user.read(PATHS.proc))?.split('\n').at(-1) ?? '';
    return Number(last.split('=')[1]);
  }

  private fail(what: string): void {
    this.errors.push(what);
    this.user.print(`EEH_FAIL: ${what}`);
  }

  private summarize(status: 0 | 1): void {
    const count = (...outcomes: OpTestRound['outcome'][]): number =>
      this.rounds.filter(({ outcome }) => outcomes.includes(outcome)).length;
    const misses = count('miss');
    this.user.print(
      `${this.name}: ${this.rounds.length - misses} hits, ${misses} misses, ${count('recovered')} recovered, ` +
        `${count('removed')} removed, ${this.errors.length} failures`,
    );
    this.user.print(status === 0 ? 'OK' : 'FAILED (errors=1)');
  }
}
