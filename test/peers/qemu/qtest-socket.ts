/** A client of a qtest socket: sends many commands before it waits for their replies. */
import { connect, type Socket } from 'node:net';
import { type Answers, answerIn, commandOf, lookOf, PeerError, type QtestBackend } from './backend.js';
import { answers, endCommand, type PlainStep, type Step, TAKE_COMMAND } from './steps.js';

/** How time passes on the other side. */
export type Clock = 'stepped' | 'runs-by-itself';

const COMMANDS_AT_ONCE = 2048;
/** Virtual time between two looks, where the client moves the clock. */
const POLL_NS = 10_000_000;
const MOST_POLLS = 20_000;
const POLL_PAUSE_MS = 1;

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

export class QtestSocket implements QtestBackend {
  private text = '';
  private replies: string[] = [];
  private wake: (() => void) | undefined;
  private ended = false;
  private taken = '0x0';

  constructor(
    readonly name: string,
    private readonly socket: Socket,
    private readonly clock: Clock,
  ) {
    socket.on('data', (chunk: Buffer) => this.received(chunk.toString('latin1')));
    socket.on('error', () => {});
    const end = (): void => {
      this.ended = true;
      this.wake?.();
    };
    socket.on('end', end);
    socket.on('close', end);
  }

  /** To a server that listens already. */
  static async to(name: string, path: string, clock: Clock): Promise<QtestSocket> {
    const socket = connect({ path });
    await new Promise<void>((done, failed) => {
      socket.once('connect', done);
      socket.once('error', failed);
    });
    return new QtestSocket(name, socket, clock);
  }

  async run(asked: readonly Step[]): Promise<Answers> {
    const steps = this.clock === 'stepped' ? asked : asked.filter((step) => step.do !== 'pass');
    const values: string[] = [];
    for (let first = 0; first < steps.length; ) {
      const some = plainRun(steps, first);
      if (some.length === 0) {
        const value = await this.special(steps[first]!);
        if (value !== undefined) values.push(value);
        first++;
        continue;
      }
      const replies = await this.ask(some.map(commandOf));
      for (const [at, each] of some.entries()) if (answers(each)) values.push(replies[at]!);
      first += some.length;
    }
    return values;
  }

  async close(): Promise<void> {
    this.socket.destroy();
  }

  private async special(step: Step): Promise<string | undefined> {
    if (step.do === 'await') return this.await(step);
    if (step.do === 'end-of-interrupt') await this.ask([endCommand(this.taken)]);
    else if (step.do === 'take') {
      [this.taken = ''] = await this.ask([TAKE_COMMAND]);
      return this.taken;
    } else if (step.do === 'pass') await this.ask([`clock_step ${step.ns}`]);
    return undefined;
  }

  private async await(step: Extract<Step, { do: 'await' }>): Promise<undefined> {
    const command = lookOf(step);
    for (let polls = 0; polls < MOST_POLLS; polls++) {
      const [value] = await this.ask([command]);
      if ((BigInt(value!) & step.mask) === step.equals) return;
      if (this.clock === 'stepped') await this.ask([`clock_step ${POLL_NS}`]);
      // Looks take the processor's turn: its clock would stand still under too many.
      else await pause(POLL_PAUSE_MS);
    }
    throw new PeerError(`${this.name}: ${command} did not become 0x${step.equals.toString(16)}`);
  }

  private async ask(commands: readonly string[]): Promise<string[]> {
    this.socket.write(`${commands.join('\n')}\n`);
    while (this.replies.length < commands.length) {
      if (this.ended) throw new PeerError(`${this.name} went away at: ${commands[this.replies.length]}`);
      await new Promise<void>((done) => {
        this.wake = done;
      });
    }
    return this.replies.splice(0, commands.length).map((reply, at) => answerIn(reply, commands[at]!));
  }

  private received(text: string): void {
    const lines = (this.text + text).split('\n');
    this.text = lines.pop()!;
    for (const line of lines) if (!line.startsWith('IRQ ')) this.replies.push(line);
    this.wake?.();
  }
}

const isPlain = (step: Step): step is PlainStep =>
  step.do === 'read' ||
  step.do === 'write' ||
  step.do === 'read-block' ||
  step.do === 'write-block' ||
  step.do === 'fill';

/** The commands from here on that can be sent without waiting in between. */
function plainRun(steps: readonly Step[], first: number): PlainStep[] {
  const some: PlainStep[] = [];
  for (let at = first; at < steps.length && some.length < COMMANDS_AT_ONCE; at++) {
    const step = steps[at]!;
    if (!isPlain(step)) break;
    some.push(step);
  }
  return some;
}
