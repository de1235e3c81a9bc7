/** This project's machine behind the same steps: through the qtest session itself, or over the server's socket. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CardKind, CosimMachine, type CosimMachineOptions } from '../../../src/cosim/cosim-machine.js';
import { QtestSession, type Reply } from '../../../src/cosim/qtest-protocol.js';
import { QtestServer } from '../../../src/cosim/server.js';
import { fieldMask, msbMask } from '../../../src/hw/bits.js';
import { TRAP_NAMES, type TrapName } from '../../../src/ioda2/error-bits/bit-lists.js';
import { ERROR_EVENT_NAMES, trapBitOf } from '../../../src/ioda2/error-bits/events.js';
import { TRAP_BITS, type TrapBit } from '../../../src/ioda2/error-bits/traps.js';
import type { Phb3 } from '../../../src/ioda2/phb3.js';
import { PHB_REGISTERS } from '../../../src/ioda2/registers/phb.js';
import { ERROR_INJECTED, ERROR_RAISED } from '../../../src/ioda2/trace.js';
import { type Answers, answerIn, commandOf, lookOf, PeerError, type QtestBackend } from './backend.js';
import { MEMORY_BYTES } from './live-qemu.js';
import { QtestSocket } from './qtest-socket.js';
import { answers, endCommand, type Step, TAKE_COMMAND } from './steps.js';

const optionsWith = (card: CardKind): CosimMachineOptions => ({
  slots: [card],
  memory: { sizeBytes: MEMORY_BYTES },
  dmaMask: 0xffff_ffff_ffff_ffffn,
});
const POLL_NS = 10_000_000;
const MOST_POLLS = 1000;

/** States of our chip that QEMU has not, at the moment of an access. */
export interface Conditions {
  readonly fenced: boolean;
  readonly heldInReset: boolean;
  readonly coreInReset: boolean;
  /** PEs of which one half or both are frozen. */
  readonly frozenPes: readonly number[];
  readonly linkActive: boolean;
  /** Error status of the inbound trap. */
  readonly inboundErrors: bigint;
  /** All trap bits that any error raised so far, and the LEM bits that these feed. */
  readonly raised: Raised;
}

export type Raised = Readonly<Record<TrapName | 'LEM', bigint>>;

/** Gathers which errors the first bridge met. */
class ErrorWatch {
  private readonly bits: Record<TrapName | 'LEM', bigint> = { PHB: 0n, OUT: 0n, INA: 0n, INB: 0n, LEM: 0n };

  constructor({ sim }: CosimMachine) {
    sim.trace.subscribe(
      ({ kind, values }) => {
        if (kind === ERROR_RAISED) this.note(trapBitOf(ERROR_EVENT_NAMES[values[0]!]!));
        else this.note(TRAP_BITS[TRAP_NAMES[values[0]!]!][values[1]!]!);
      },
      [ERROR_RAISED, ERROR_INJECTED],
    );
  }

  get raised(): Raised {
    return { ...this.bits };
  }

  private note({ trap, bit, lem }: TrapBit): void {
    this.bits[trap] |= msbMask(bit);
    if (lem !== undefined) this.bits.LEM |= msbMask(lem);
  }
}

const trainField = (name: string) => PHB_REGISTERS.field('PHB_PCIE_DLP_TRAIN_CTL', name).at;

function conditionsOf({ phbs }: CosimMachine, { raised }: ErrorWatch): Conditions {
  const phb = phbs[0] as Phb3;
  const { offset } = PHB_REGISTERS.get('PHB_PCIE_DLP_TRAIN_CTL');
  const training = phb.registers.read(offset);
  const train = (field: string): boolean => (training & fieldMask(trainField(field))) !== 0n;
  const frozenPes: number[] = [];
  for (let pe = 0; pe < 256; pe++)
    if (phb.peState.mmioFrozen[pe] === 1 || phb.peState.dmaStopped[pe] === 1) frozenPes.push(pe);
  return {
    fenced: phb.pbcq.isFenced,
    heldInReset: phb.pbcq.heldInReset,
    coreInReset: train('DL_PGRESET'),
    frozenPes,
    linkActive: train('LINK_ACTIVE'),
    inboundErrors: phb.registers.get('PHB_INA_ERR_STATUS'),
    raised,
  };
}

/** A machine as it comes up, run step by step. */
export class OwnMachine implements QtestBackend {
  readonly name = 'phbsim';
  readonly machine: CosimMachine;
  private taken = '0x0';
  private readonly session: QtestSession;
  private readonly watch: ErrorWatch;

  constructor(card: CardKind = 'edu') {
    this.machine = new CosimMachine(optionsWith(card));
    this.session = new QtestSession(this.machine, () => {});
    this.watch = new ErrorWatch(this.machine);
  }

  /** The answer of a step that has one. */
  step(step: Step): string | undefined {
    if (step.do === 'pass') this.ask(`clock_step ${step.ns}`);
    else if (step.do === 'await') this.await(step);
    else if (step.do === 'take') return this.take();
    else if (step.do === 'end-of-interrupt') this.ask(endCommand(this.taken));
    else {
      const value = this.ask(commandOf(step));
      return answers(step) ? value : undefined;
    }
    return undefined;
  }

  get conditions(): Conditions {
    return conditionsOf(this.machine, this.watch);
  }

  async run(steps: readonly Step[]): Promise<Answers> {
    return steps.map((step) => this.step(step)).filter((value) => value !== undefined);
  }

  async close(): Promise<void> {
    this.machine.close();
  }

  private take(): string {
    this.taken = this.ask(TAKE_COMMAND);
    return this.taken;
  }

  private await(step: Extract<Step, { do: 'await' }>): void {
    const command = lookOf(step);
    for (let polls = 0; polls < MOST_POLLS; polls++) {
      if ((BigInt(this.ask(command)) & step.mask) === step.equals) return;
      this.ask(`clock_step ${POLL_NS}`);
    }
    throw new PeerError(`phbsim: ${command} did not become 0x${step.equals.toString(16)}`);
  }

  private ask(command: string): string {
    return answerIn(settled(this.session.execute(command)), command);
  }
}

function settled(reply: Reply): string {
  if (typeof reply === 'string') return reply;
  for (;;) {
    const step = reply.next();
    if (step.done === true) return step.value;
  }
}

/** The same machine behind the server and a socket. */
export class ServedMachine implements QtestBackend {
  readonly name = 'phbsim over its socket';
  private readonly watch: ErrorWatch;

  private constructor(
    private readonly machine: CosimMachine,
    private readonly server: QtestServer,
    private readonly client: QtestSocket,
    private readonly folder: string,
  ) {
    this.watch = new ErrorWatch(machine);
  }

  static async start(): Promise<ServedMachine> {
    const folder = mkdtempSync(join(tmpdir(), 'phbsim-own-'));
    const path = join(folder, 'qtest.sock');
    const machine = new CosimMachine(optionsWith('edu'));
    const server = new QtestServer(machine, { kind: 'unix', path });
    await server.listen();
    return new ServedMachine(machine, server, await QtestSocket.to('phbsim', path, 'stepped'), folder);
  }

  get conditions(): Conditions {
    return conditionsOf(this.machine, this.watch);
  }

  run(steps: readonly Step[]): Promise<Answers> {
    return this.client.run(steps);
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.server.close();
    this.machine.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
