/** QEMU as the tests ask it: the live one where it is installed, else what it answered when it was recorded. */
import { type Answers, PeerError } from './backend.js';
import type { Sequence } from './compare.js';
import { LiveQemu, type Processor, qemuVersion } from './live-qemu.js';
import { Recording, record } from './recorded.js';
import { Restorer } from './restore.js';

/** Set to write what QEMU answers into the recordings. */
const RECORD = process.env.PHBSIM_RECORD_QEMU !== undefined;

export interface Question {
  /** Undefined: not to be recorded. */
  readonly set: string | undefined;
  readonly sequence: Sequence;
  readonly processor: Processor;
}

interface Running {
  readonly processor: Processor;
  readonly qemu: LiveQemu;
  readonly restorer: Restorer;
}

export class Peer {
  readonly version = qemuVersion();
  private running: Running | undefined;
  private turn: Promise<void> = Promise.resolve();
  private readonly drifted: string[] = [];
  private readonly recordings = new Map<string, Recording | undefined>();
  private readonly asked = new Map<string, (readonly [Sequence, Answers])[]>();

  get isLive(): boolean {
    return this.version !== undefined;
  }

  /**
   * QEMU's answers, from a state that does not depend on what was asked before. Those to a sequence of a set are
   * recorded.
   */
  async answersTo(set: string | undefined, sequence: Sequence, processor: Processor): Promise<Answers> {
    if (!this.isLive) return this.recordedAnswers(set ?? '', sequence);
    // One after the other, whoever asks: replies carry no name.
    const answers = this.turn.then(() => this.ask(sequence, processor));
    this.turn = answers.then(
      () => {},
      () => {},
    );
    if (RECORD && set !== undefined) this.remember(set, sequence, await answers);
    return answers;
  }

  /** As above for many: the next is asked while the caller still works on this one. */
  async *answersToEach<Q extends Question>(questions: readonly Q[]): AsyncGenerator<readonly [Q, Answers]> {
    const ask = (at: number): Promise<Answers> | undefined => {
      const question = questions[at];
      const asked = question && this.answersTo(question.set, question.sequence, question.processor);
      // Who stops early never looks at it.
      asked?.catch(() => {});
      return asked;
    };
    let coming = ask(0);
    for (const [at, question] of questions.entries()) {
      const answers = await coming!;
      coming = ask(at + 1);
      yield [question, answers];
    }
    await coming;
  }

  /** What a live QEMU of the recorded version must answer, if that was recorded. */
  recordedBeside(set: string | undefined, sequence: Sequence): Answers | undefined {
    if (RECORD || set === undefined) return undefined;
    const recording = this.recordingOf(set);
    return recording?.source === this.version ? recording?.answersTo(sequence) : undefined;
  }

  /** State of QEMU that its sequences did not leave as they found it. */
  async drift(): Promise<readonly string[]> {
    await this.turn;
    return this.lookForDrift();
  }

  private async lookForDrift(): Promise<readonly string[]> {
    if (this.running !== undefined) this.drifted.push(...(await this.running.restorer.drift()));
    return this.drifted;
  }

  async close(): Promise<void> {
    await this.turn;
    await this.running?.qemu.close();
    this.running = undefined;
    if (RECORD) for (const [set, asked] of this.asked) record(set, this.version!, asked);
  }

  /** One at a time: while its processor runs, QEMU takes all the time that it can get from this machine. */
  private async started(processor: Processor): Promise<Running> {
    if (this.running?.processor === processor) return this.running;
    if (this.running !== undefined) {
      await this.lookForDrift();
      await this.running.qemu.close();
    }
    const qemu = await LiveQemu.start(processor);
    this.running = { processor, qemu, restorer: await Restorer.of(qemu) };
    return this.running;
  }

  private async ask({ steps }: Sequence, processor: Processor): Promise<Answers> {
    const { qemu, restorer } = await this.started(processor);
    return qemu.run([...steps, ...restorer.after(steps)]);
  }

  private remember(set: string, sequence: Sequence, answers: Answers): void {
    const asked = this.asked.get(set);
    if (asked === undefined) this.asked.set(set, [[sequence, answers]]);
    else asked.push([sequence, answers]);
  }

  private recordingOf(set: string): Recording | undefined {
    if (!this.recordings.has(set)) this.recordings.set(set, Recording.of(set));
    return this.recordings.get(set);
  }

  private recordedAnswers(set: string, sequence: Sequence): Answers {
    const answers = this.recordingOf(set)?.answersTo(sequence);
    if (answers === undefined) {
      throw new PeerError(
        `QEMU is not installed and its answers to "${sequence.name}" were not recorded: ` +
          'install qemu-system-ppc and run PHBSIM_RECORD_QEMU=1 npx vitest run test/peers/qemu',
      );
    }
    return answers;
  }
}
