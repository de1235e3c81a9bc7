/**
 * One connection: cuts its input into commands, runs a few at a turn, and never holds more than a bounded amount of
 * its input or output. A client that does not read its replies is not read from either.
 */
import type { Socket } from 'node:net';
import { LINE_TOO_LONG, LineSplitter } from './line-splitter.js';
import { QtestSession, type QtestTarget, type Work } from './qtest-protocol.js';

export const MAX_LINE_BYTES = 2 ** 20 + 64;
/** Commands in a turn; then others get theirs. */
const COMMANDS_A_TURN = 256;
/** Replies are gathered up to this before they are sent. */
const REPLY_BATCH_CHARACTERS = 65_536;
/** Only interrupt lines can pile up beyond a turn's replies: a listener that never reads is cut off here. */
const MOST_UNSENT_BYTES = 4 * 2 ** 20;
/**
 * A client that has ended its input may have gone altogether; the system does not tell. Such a one must not hold up the
 * others for long.
 */
const MOST_SLICES_UNATTENDED = 200;
const FAREWELL_MS = 2000;
const HTTP_REQUEST = /^[A-Z]+ \S+ HTTP\/\d/;

export class Client {
  private readonly splitter = new LineSplitter(MAX_LINE_BYTES);
  private readonly session: QtestSession;
  private pendingLine: ReturnType<LineSplitter['next']>;
  private outgoing: string[] = [];
  private outgoingCharacters = 0;
  private work: Work<string> | undefined;
  private slices = 0;
  private inputEnded = false;
  private closed = false;
  /** No more input is taken before what came has been answered. */
  private held = false;

  constructor(
    private readonly socket: Socket,
    target: QtestTarget,
    private readonly wake: (client: Client) => void,
  ) {
    this.session = new QtestSession(target, (line) => this.sendUnasked(line));
    socket.on('data', (chunk: Buffer) => this.received(chunk));
    socket.on('drain', () => this.wake(this));
    socket.on('end', () => {
      this.inputEnded = true;
      this.wake(this);
    });
    // What follows an error is 'close'; a peer that went away is no trouble of ours.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.session.close();
      this.wake(this);
    });
  }

  /** Something to do, and somebody to read what comes of it. */
  get isReady(): boolean {
    if (this.work !== undefined) return true;
    if (this.closed || this.socket.writableEnded || this.socket.writableNeedDrain) return false;
    return this.pendingLine !== undefined || this.inputEnded;
  }

  /** A command that takes long: while it runs, no other client's command does. */
  get isWorking(): boolean {
    return this.work !== undefined;
  }

  /** Runs the next slice of a long command, or the next few commands. */
  turn(): void {
    if (this.work !== undefined) this.workOn(this.work);
    for (let count = 0; count < COMMANDS_A_TURN && this.work === undefined && !this.isFull; count++) {
      const line = this.takeLine();
      if (line === undefined) break;
      this.command(line);
    }
    this.flush();
    this.afterTurn();
  }

  /** Ends the connection; what was already said is still sent. */
  end(lastLine?: string): void {
    if (lastLine !== undefined) this.send(lastLine);
    this.flush();
    this.socket.end();
    // Read to its end, or the system would throw away the last reply; but not for ever.
    this.socket.resume();
    setTimeout(() => this.socket.destroy(), FAREWELL_MS).unref();
  }

  destroy(): void {
    this.socket.destroy();
  }

  private get isFull(): boolean {
    return this.outgoingCharacters >= REPLY_BATCH_CHARACTERS || this.closed;
  }

  private received(chunk: Buffer): void {
    if (this.socket.writableEnded) return;
    this.splitter.push(chunk);
    this.pendingLine = this.splitter.next();
    if (this.pendingLine === undefined) return;
    this.wake(this);
    // One chunk at a time: more input waits in the kernel until these commands are done. Mostly they are by now.
    if (this.pendingLine === undefined && this.work === undefined) return;
    this.held = true;
    this.socket.pause();
  }

  private takeLine(): NonNullable<ReturnType<LineSplitter['next']>> | undefined {
    const line = this.pendingLine;
    if (line !== undefined) this.pendingLine = this.splitter.next();
    return line;
  }

  private command(line: string | typeof LINE_TOO_LONG): void {
    if (line === LINE_TOO_LONG) {
      this.send(`ERR line longer than ${MAX_LINE_BYTES} bytes`);
      return;
    }
    // A page in a browser can post to a port of this host; nothing of its body must be taken for commands.
    if (HTTP_REQUEST.test(line)) {
      this.pendingLine = undefined;
      this.end('ERR this port speaks the qtest protocol, not HTTP');
      return;
    }
    const reply = this.session.execute(line);
    if (typeof reply === 'string') this.send(reply);
    else {
      this.slices = 0;
      this.workOn(reply);
    }
  }

  private workOn(work: Work<string>): void {
    this.work = undefined;
    // Nobody waits for the rest: the clock stands where it is.
    if (this.closed) return;
    if (this.inputEnded && this.slices > MOST_SLICES_UNATTENDED) {
      this.send('FAIL given up: it takes long, and the input has ended');
      return;
    }
    this.slices++;
    const step = work.next();
    if (step.done === true) this.send(step.value);
    else this.work = work;
  }

  private afterTurn(): void {
    if (this.work !== undefined || this.pendingLine !== undefined || this.socket.writableEnded) return;
    if (this.inputEnded) this.end(this.splitter.isMidLine ? 'ERR the last line has no end and was not run' : undefined);
    else if (this.held) {
      this.held = false;
      this.socket.resume();
    }
  }

  private send(line: string): void {
    this.outgoing.push(line, '\n');
    this.outgoingCharacters += line.length + 1;
  }

  /** May come in the middle of any client's turn. */
  private sendUnasked(line: string): void {
    this.send(line);
    if (this.outgoingCharacters >= REPLY_BATCH_CHARACTERS) this.flush();
    else this.wake(this);
    if (this.socket.writableLength > MOST_UNSENT_BYTES) this.destroy();
  }

  flush(): void {
    if (this.outgoing.length === 0) return;
    const text = this.outgoing.join('');
    this.outgoing = [];
    this.outgoingCharacters = 0;
    if (this.socket.writable) this.socket.write(text, 'latin1');
  }
}
