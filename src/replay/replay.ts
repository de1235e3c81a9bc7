/**
 * Replays a recording against the chips: every access through the doors that the recorded software used, in its order and at
 * its times; every value read is compared. Differences must be explained by a rule of the checked-in table.
 */
import { hex64, msbMask } from '../hw/bits.js';
import { SyncHost } from '../hw/sync-host.js';
import { BUS_UNCLAIMED } from '../hw/system-bus.js';
import { PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS, PBCQ_SCOM_RANGES } from '../ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../ioda2/registers/phb.js';
import { UNKNOWN_REGISTER } from '../ioda2/trace.js';
import { type AddressMap, QEMU_POWERNV8, REAL_MACHINE } from '../machine/hostboot.js';
import { PowerNv8 } from '../machine/powernv8.js';
import { scomOfBusAddress } from '../machine/xscom.js';
import { us } from '../sim/time.js';
import { DerivedWrites } from './derived-writes.js';
import { type Explanation, explain } from './explanations.js';
import { firmwareRejects, pollOf } from './firmware-expectations.js';
import { formatTarget, type ReadTarget, SelectorTracker } from './read-target.js';
import {
  type ForeignAccess,
  phbsOf,
  type RecordedAccess,
  type RecordedIntervention,
  type RecordedMemory,
  type RecordedNote,
  type Recording,
} from './recording.js';
import { cardWithIdentity, identitiesOf } from './slots.js';

/** One read whose value differs from the recording. */
export interface Mismatch {
  readonly line: number;
  readonly phb: number;
  readonly target: ReadTarget;
  readonly sizeBytes: number;
  readonly recorded: bigint;
  readonly answered: bigint;
  readonly explanation: Explanation | undefined;
  /** Why firmware would not have gone on with the chip's answer, where the recorded value binds nobody. */
  readonly rejected?: string;
}

export interface UndeclaredAccess {
  readonly line: number;
  readonly what: string;
}

export interface ReplayResult {
  readonly recording: Recording;
  readonly machine: PowerNv8;
  readonly accesses: number;
  readonly readsCompared: number;
  readonly mismatches: readonly Mismatch[];
  readonly undeclared: readonly UndeclaredAccess[];
  readonly digest: string;
}

export type ReplayProgress = (done: number, total: number) => void;

/** Sees each note at its time, with the machine as it is then: may look, and may let devices act as the note says. */
export type ReplayWitness = (note: RecordedNote, machine: PowerNv8) => void;

export function replay(
  recording: Recording,
  progress: ReplayProgress = () => {},
  witness: ReplayWitness = () => {},
): ReplayResult {
  return new Replayer(recording).run(progress, witness);
}

/** What the recording has shown of one PHB so far. */
interface PhbContext {
  readonly tracker: SelectorTracker;
  readonly derived: DerivedWrites;
  recorderFenced: boolean;
  wasReset: boolean;
  perst: 'asserted' | 'released';
}

const NFIR = PBCQ_NEST_REGISTERS.get('NFIR').offset;
const ETU_RESET = PBCQ_PCI_REGISTERS.get('ETU_RESET').offset;
const PHB_RESET = PHB_REGISTERS.get('PHB_RESET').offset;
const PERST_RELEASED = msbMask(2);
const FENCE = msbMask(16);
const RESET_HELD = msbMask(0);

class Replayer {
  readonly #recording: Recording;
  readonly #machine: PowerNv8;
  readonly #host: SyncHost;
  readonly #phbs = new Map<number, PhbContext>();
  readonly #mismatches: Mismatch[] = [];
  readonly #undeclared: UndeclaredAccess[] = [];
  #line = 0;
  #accesses = 0;
  #readsCompared = 0;

  constructor(recording: Recording) {
    this.#recording = recording;
    const identities = identitiesOf(recording);
    this.#machine = new PowerNv8({
      phbs: Math.max(0, ...phbsOf(recording)) + 1,
      addressMap: mapOf(recording),
      slot: (sim, phb) => {
        const identity = identities.get(phb);
        return identity === undefined ? undefined : cardWithIdentity(sim, phb, identity);
      },
    });
    this.#host = new SyncHost(this.#machine.bus);
    this.#machine.sim.trace.subscribe(
      (record) => this.#undeclared.push({ line: this.#line, what: record.toString().trim() }),
      [UNKNOWN_REGISTER, BUS_UNCLAIMED],
    );
  }

  run(progress: ReplayProgress, witness: ReplayWitness): ReplayResult {
    const { steps } = this.#recording;
    steps.forEach((step, index) => {
      if (index % 1024 === 0) progress(index, steps.length);
      this.#advanceTo(step.timeUs);
      if (step.kind === 'access') this.#access(step);
      else if (step.kind === 'memory') this.#memory(step);
      else if (step.kind === 'intervention') this.#intervene(step);
      else if (step.kind === 'foreign') this.#foreign(step);
      else witness(step, this.#machine);
    });
    progress(steps.length, steps.length);
    return {
      recording: this.#recording,
      machine: this.#machine,
      accesses: this.#accesses,
      readsCompared: this.#readsCompared,
      mismatches: this.#mismatches,
      undeclared: this.#undeclared,
      digest: this.#machine.sim.digest(),
    };
  }

  /** Links train and timers run between accesses as they did; accesses themselves may take the model longer. */
  #advanceTo(timeUs: number): void {
    const { sim } = this.#machine;
    const wanted = us(timeUs);
    if (wanted > sim.now) sim.run({ untilNs: wanted });
  }

  #access(access: RecordedAccess): void {
    this.#line = access.line;
    this.#accesses++;
    const context = this.#context(access.phb);
    const target = context.tracker.touch(access);
    if (access.direction === 'write') this.#write(access, this.#valueFor(context, target, access));
    else this.#compare(access, target, this.#readAsFirmware(access, target));
    follow(context, access);
  }

  #memory({ address, bytes, line }: RecordedMemory): void {
    const { memory } = this.#machine;
    if (memory.contains(address, bytes.length)) memory.writeBlock(address, bytes);
    else this.#undeclared.push({ line, what: `memory at 0x${address.toString(16)}: the machine has none` });
  }

  #foreign({ line, what }: ForeignAccess): void {
    this.#accesses++;
    this.#undeclared.push({ line, what: `${what}: this chip has no model yet` });
  }

  #context(phb: number): PhbContext {
    const known = this.#phbs.get(phb);
    if (known) return known;
    const context: PhbContext = {
      ...{ tracker: new SelectorTracker(), derived: new DerivedWrites() },
      ...{ recorderFenced: false, wasReset: false, perst: 'asserted' },
    };
    this.#phbs.set(phb, context);
    return context;
  }

  #intervene({ address, value, line }: RecordedIntervention): void {
    this.#line = line;
    const scom = scomOfBusAddress(address);
    if (scom === undefined) this.#host.store(address, 8, value);
    else this.#host.scomWrite(scom, value);
  }

  #read(access: RecordedAccess): bigint {
    if (access.window === 'phb') return this.#host.load(this.#address(access), access.size);
    return this.#host.scomRead(scomAddress(access));
  }

  /** Where recorded answers bind nobody, firmware polls the chip until it would have gone on, or given up. */
  #readAsFirmware(access: RecordedAccess, target: ReadTarget): bigint {
    let answered = this.#read(access);
    const poll = this.#recording.values === 'advisory' ? pollOf(target) : undefined;
    if (!poll) return answered;
    const { sim } = this.#machine;
    const { perst } = this.#context(access.phb);
    const giveUpNs = sim.now + poll.forNs;
    while (firmwareRejects({ target, recorded: access.value, answered, perst }) !== undefined && sim.now < giveUpNs) {
      sim.run({ untilNs: sim.now + poll.everyNs });
      answered = this.#read(access);
    }
    return answered;
  }

  #valueFor(context: PhbContext, target: ReadTarget, access: RecordedAccess): bigint {
    return this.#recording.values === 'advisory' ? context.derived.valueFor(target, access.value) : access.value;
  }

  #write(access: RecordedAccess, value: bigint): void {
    if (access.window === 'phb') this.#host.store(this.#address(access), access.size, value);
    else this.#host.scomWrite(scomAddress(access), value);
  }

  #address(access: RecordedAccess): number {
    return this.#machine.addressMap.phbBase(access.phb) + access.offset;
  }

  #compare(access: RecordedAccess, target: ReadTarget, answered: bigint): void {
    const { line, phb, size, value } = access;
    const common = { line, phb, target, sizeBytes: size, recorded: value, answered };
    if (this.#recording.values === 'advisory') {
      const { derived, perst } = this.#context(phb);
      derived.noteRead(target, value, answered);
      const why = firmwareRejects({ target, recorded: value, answered, perst });
      if (why !== undefined) this.#mismatches.push({ ...common, explanation: undefined, rejected: why });
      return;
    }
    this.#readsCompared++;
    if (answered === value) return;
    const { recorderFenced, wasReset } = this.#context(phb);
    this.#mismatches.push({ ...common, explanation: explain({ ...common, recorderFenced, wasReset }) });
  }
}

/** What the access tells about the recorded machine. */
function follow(context: PhbContext, access: RecordedAccess): void {
  const { window, offset, direction, value } = access;
  if (window === 'nest' && offset === NFIR && direction === 'read') context.recorderFenced = (value & FENCE) !== 0n;
  if (window === 'phb' && offset === PHB_RESET && direction === 'write') {
    context.perst = (value & PERST_RELEASED) === 0n ? 'asserted' : 'released';
  }
  if (window === 'pci' && offset === ETU_RESET && direction === 'write' && (value & RESET_HELD) !== 0n) {
    context.recorderFenced = false;
    context.wasReset = true;
  }
}

function scomAddress(access: RecordedAccess): number {
  if (access.window === 'phb') throw new RangeError('the register page is not reached by SCOM');
  const { base, strideOfPhb } = PBCQ_SCOM_RANGES[access.window];
  return base + strideOfPhb * access.phb + access.offset;
}

/** Emulated recordings begin before any firmware has run, on the emulator's map. */
function mapOf(recording: Recording): AddressMap {
  return recording.values === 'binding' ? QEMU_POWERNV8 : REAL_MACHINE;
}

export function formatMismatch(mismatch: Mismatch): string {
  if (mismatch.rejected !== undefined)
    return `PHB${mismatch.phb} ${formatTarget(mismatch.target)}: ${mismatch.rejected}`;
  const digits = (value: bigint): string => hex64(value).slice(16 - 2 * mismatch.sizeBytes);
  return `PHB${mismatch.phb} ${formatTarget(mismatch.target)}: recorded ${digits(mismatch.recorded)}, chip ${digits(mismatch.answered)}`;
}
