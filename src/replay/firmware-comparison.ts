/**
 * Our firmware against a recording of the real one: boots, is called as the real one was called, and each access, return code
 * and changed word of memory is compared, phase by phase. A deviation is noted, and the comparison goes on.
 */
import {
  type FirmwareProfile,
  type FirmwareProfileChoice,
  type FirmwareSwitchName,
  firmwareProfile,
} from '../opal/firmware-profile.js';
import { Opal } from '../opal/opal.js';
import type { Process } from '../sim/process.js';
import { Simulator } from '../sim/simulator.js';
import { type AccessOutcome, type AlignedAccess, alignAccesses } from './access-alignment.js';
import { MEMORY, RETURN_CODE } from './expected-difference.js';
import { boardMap, registerName } from './firmware-board.js';
import { doDeed, makeCall } from './firmware-calls.js';
import { differencesOf, switchesBehind } from './firmware-differences.js';
import {
  type FirmwareAccess,
  type FirmwareCall,
  type FirmwareCallRecording,
  type FirmwarePhase,
  isCall,
} from './firmware-phases.js';
import { RecordedPort } from './firmware-port.js';

/** Names of the switches that explain a difference; none: it is unexplained. */
export interface Explained {
  readonly reasons?: readonly FirmwareSwitchName[];
}

export type ComparedAccess = AlignedAccess & Explained;

/** One call, or the boot. */
export interface CallComparison {
  readonly name: string;
  readonly args: readonly bigint[];
  readonly accesses: readonly ComparedAccess[];
  readonly returned?: { readonly recorded: number; readonly ours: number } & Explained;
  /** Our firmware did not come to its end. */
  readonly failure?: string;
}

export interface MemoryDifference extends Explained {
  readonly address: number;
  readonly recorded: bigint;
  readonly ours: bigint;
}

export interface PhaseComparison {
  readonly name: string;
  readonly calls: readonly CallComparison[];
  readonly memoryWords: number;
  readonly memory: readonly MemoryDifference[];
}

export interface FirmwareComparison {
  readonly recording: FirmwareCallRecording;
  readonly profile: FirmwareProfileChoice;
  readonly phases: readonly PhaseComparison[];
}

const BOOT = 'boot';

export function compareFirmware(
  recording: FirmwareCallRecording,
  choice: FirmwareProfileChoice = 'skiboot',
): FirmwareComparison {
  return { recording, profile: choice, phases: new Comparison(recording, choice).run() };
}

class Comparison {
  private readonly sim = new Simulator();
  private readonly port: RecordedPort;
  private readonly opal: Opal;
  private readonly profile: FirmwareProfile;

  constructor(
    private readonly recording: FirmwareCallRecording,
    choice: FirmwareProfileChoice,
  ) {
    const { board } = recording;
    this.profile = firmwareProfile(choice);
    this.port = new RecordedPort(this.sim, board);
    this.opal = new Opal(this.port, {
      ...boardMap(board).places,
      heapBase: board.heap,
      profile: choice,
    });
  }

  run(): PhaseComparison[] {
    const { phases } = this.recording;
    const boots = phases.filter((phase) => phase.boot.length > 0);
    const booted = this.boot(boots);
    return phases.map((phase) => {
      const calls = booted.get(phase.name) ?? [];
      for (const step of phase.steps) {
        if (isCall(step)) calls.push(this.call(phase, step));
        else this.sim.complete(step.kind, doDeed(this.opal, this.port.memory, step));
      }
      return { name: phase.name, calls, memoryWords: phase.memory.length, memory: this.compareMemory(phase) };
    });
  }

  /** One run of our firmware, cut where the recording was. */
  private boot(phases: readonly FirmwarePhase[]): Map<string, CallComparison[]> {
    const recorded = phases.flatMap((phase) => phase.boot);
    const { aligned, failure } = this.follow(BOOT, recorded, this.opal.boot());
    const parts = new Map<string, CallComparison[]>();
    let at = 0;
    for (const [index, phase] of phases.entries()) {
      const isLast = index === phases.length - 1;
      const end = isLast ? aligned.length : endOf(aligned, at, phase.boot.length);
      const accesses = this.explained(phase.name, aligned.slice(at, end));
      parts.set(phase.name, [{ name: BOOT, args: [], accesses, ...(isLast && failure ? { failure } : {}) }]);
      at = end;
    }
    return parts;
  }

  private call(phase: FirmwarePhase, call: FirmwareCall): CallComparison {
    const where = `${phase.name} ${call.name}`;
    const made = this.follow(where, call.accesses, makeCall(this.opal, this.port.memory, call));
    const accesses = this.explained(phase.name, made.aligned);
    const { name, args } = call;
    if (made.value === undefined) return { name, args, accesses, failure: made.failure ?? 'no return code' };
    const isSame = made.value === call.returned;
    const returned = {
      recorded: call.returned,
      ours: made.value,
      ...(isSame ? {} : this.reasons(phase.name, RETURN_CODE)),
    };
    return { name, args, accesses, returned };
  }

  /** Runs our firmware along recorded accesses. */
  private follow<T>(where: string, recorded: readonly FirmwareAccess[], firmware: Process<T>) {
    this.port.follow(recorded);
    let value: T | undefined;
    let failure: string | undefined;
    try {
      value = this.sim.complete(where, firmware);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    return { value, failure, aligned: alignAccesses(recorded, this.port.accesses) };
  }

  private explained(phase: string, aligned: readonly AlignedAccess[]): ComparedAccess[] {
    return aligned.map((each) =>
      each.outcome === 'same' ? each : { ...each, ...this.reasons(phase, registerName(each.recorded ?? each.ours!)) },
    );
  }

  private compareMemory(phase: FirmwarePhase): MemoryDifference[] {
    return phase.memory.flatMap(({ address, value }) => {
      const ours = this.port.memory.read64(address);
      return ours === value ? [] : [{ address, recorded: value, ours, ...this.reasons(phase.name, MEMORY) }];
    });
  }

  private reasons(phase: string, what: string): Explained {
    const reasons = switchesBehind(this.profile, phase, what, differencesOf(this.recording.board));
    return reasons.length === 0 ? {} : { reasons };
  }
}

/** Behind the given number of recorded accesses, and the extra ones after the last of them. */
function endOf(aligned: readonly AlignedAccess[], from: number, recorded: number): number {
  let left = recorded;
  let end = from;
  while (left > 0) if (aligned[end++]!.recorded !== undefined) left--;
  return end;
}

export interface PhaseCounts extends Readonly<Record<AccessOutcome, number>> {
  readonly calls: number;
  /** Of the recording. */
  readonly accesses: number;
  /** Accesses that are not the same, return codes, words of memory, and calls that did not end. */
  readonly differences: number;
  readonly unexplained: number;
  readonly reasons: readonly FirmwareSwitchName[];
}

export function countPhase({ calls, memory }: PhaseComparison): PhaseCounts {
  const accesses = calls.flatMap((call) => call.accesses);
  const count = (outcome: AccessOutcome): number => accesses.filter((each) => each.outcome === outcome).length;
  const returned = calls.flatMap(({ returned: each }) => (each && each.recorded !== each.ours ? [each] : []));
  const failures = calls.filter((call) => call.failure !== undefined);
  const differences: readonly Explained[] = [
    ...accesses.filter((each) => each.outcome !== 'same'),
    ...[...returned, ...memory, ...failures.map(() => ({}))],
  ];
  return {
    calls: calls.filter((call) => call.returned !== undefined || call.name !== BOOT).length,
    accesses: accesses.filter((each) => each.recorded !== undefined).length,
    ...{ same: count('same'), different: count('different'), missing: count('missing'), extra: count('extra') },
    differences: differences.length,
    unexplained: differences.filter((each) => each.reasons === undefined).length,
    reasons: [...new Set(differences.flatMap((each) => each.reasons ?? []))].sort(),
  };
}

export function isExplained({ phases }: FirmwareComparison): boolean {
  return phases.every((phase) => countPhase(phase).unexplained === 0);
}
