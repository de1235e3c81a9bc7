/**
 * A shell as far as recovery tests need one: it reads and writes the kernel's files, lists devices, shows the log, waits.
 * Messages name the file and the error, as shells do.
 */
import { delay, type Process } from '../../sim/process.js';
import { quantize, type TimeNs } from '../../sim/time.js';
import { type Command, parseLine, type Word } from './command-line.js';
import { errnoText } from './errno-text.js';
import { KernelFileError, type KernelFiles } from './files.js';
import { type LspciOptions, lspci, parseRegister, parseSlot, setpci } from './lspci.js';
import { UsageError } from './usage-error.js';

export interface CommandOutput {
  readonly text: string;
  readonly errors: readonly string[];
}

export interface CommandResult extends CommandOutput {
  readonly command: string;
  readonly startNs: TimeNs;
  readonly endNs: TimeNs;
  readonly status: 0 | 1;
}

/** Refuses wrong arguments at once, before anything runs. */
export type CommandBody = (args: readonly string[]) => Process<CommandOutput>;

const LONGEST_SLEEP_SECONDS = 1_000_000;
const NS_PER_SECOND = 1e9;

export class Shell {
  private readonly commands: ReadonlyMap<string, CommandBody>;

  constructor(
    private readonly files: KernelFiles,
    more: Readonly<Record<string, CommandBody>> = {},
  ) {
    const own: Record<string, CommandBody> = {
      cat: (args) => this.cat(args),
      dmesg: (args) => this.dmesg(args),
      echo: (args) => this.echo(args),
      ls: (args) => this.ls(args),
      lspci: (args) => this.lspci(args),
      setpci: (args) => this.setpci(args),
      sleep: (args) => this.sleep(args),
    };
    this.commands = new Map(Object.entries({ ...own, ...more }));
  }

  /** The commands of a line, checked: a `UsageError` says what is wrong. */
  parse(line: string): Command[] {
    const commands = parseLine(line);
    for (const { words } of commands) this.bodyOf(words.map(({ text }) => text));
    return commands;
  }

  /** One result a command; what stands behind `&&` is left out after a failure. */
  *run(line: string): Process<CommandResult[]> {
    const results: CommandResult[] = [];
    for (const command of this.parse(line)) {
      if (command.after === 'and' && results.at(-1)?.status === 1) continue;
      results.push(yield* this.runOne(command));
    }
    return results;
  }

  private *runOne(command: Command): Process<CommandResult> {
    const { context } = this.files.kernel;
    const startNs = context.sim.now;
    const words = command.words.flatMap((word) => this.expand(word));
    const output = yield* this.bodyOf(words);
    const { text, errors } = command.into === undefined ? output : yield* this.redirect(output, command.into);
    const typed = command.words.map((word) => word.text);
    const shown = [...typed, ...(command.into === undefined ? [] : ['>', command.into.text])].join(' ');
    const status = errors.length === 0 ? 0 : 1;
    return { command: shown, startNs, endNs: context.sim.now, text, errors, status };
  }

  private bodyOf([name, ...args]: readonly string[]): Process<CommandOutput> {
    const body = this.commands.get(name ?? '');
    if (body === undefined) {
      throw new UsageError(`${name}: no such command: there are ${[...this.commands.keys()].sort().join(', ')}`);
    }
    return body(args);
  }

  private *redirect(output: CommandOutput, into: Word): Process<CommandOutput> {
    const [path = into.text, ...more] = this.expand(into);
    if (more.length > 0) return { text: '', errors: [...output.errors, `sh: ${into.text}: ambiguous redirect`] };
    const rc = yield* this.files.write(path, output.text);
    return { text: '', errors: [...output.errors, ...(rc < 0 ? [`sh: ${path}: ${errnoText(rc)}`] : [])] };
  }

  /** Paths that a pattern with stars fits, in order; the pattern itself if none does. */
  private expand({ text, quoted }: Word): string[] {
    if (quoted === 'yes' || !text.includes('*') || !text.startsWith('/')) return [text];
    let paths = [''];
    for (const part of text.split('/').slice(1)) {
      paths = paths.flatMap((path) => (part.includes('*') ? this.matching(path, part) : [`${path}/${part}`]));
    }
    const found = paths.filter((path) => this.files.exists(path));
    return found.length === 0 ? [text] : found;
  }

  private matching(path: string, part: string): string[] {
    if (!this.files.isDirectory(path)) return [];
    const source = part.split('*').map(literally).join('.*');
    const pattern = new RegExp(`^${source}$`);
    return this.files
      .list(path)
      .filter((name) => pattern.test(name))
      .map((name) => `${path}/${name}`);
  }

  private cat(args: readonly string[]): Process<CommandOutput> {
    const paths = operands('cat', args, '');
    if (paths.length === 0) throw new UsageError('cat: name a file');
    return this.readAll(paths);
  }

  private *readAll(paths: readonly string[]): Process<CommandOutput> {
    let text = '';
    const errors: string[] = [];
    for (const path of paths) {
      try {
        text += yield* this.files.read(path);
      } catch (error) {
        if (!(error instanceof KernelFileError)) throw error;
        errors.push(`cat: ${error.message}`);
      }
    }
    return { text, errors };
  }

  private *echo(args: readonly string[]): Process<CommandOutput> {
    const open = args[0] === '-n';
    return { text: args.slice(open ? 1 : 0).join(' ') + (open ? '' : '\n'), errors: [] };
  }

  private ls(args: readonly string[]): Process<CommandOutput> {
    const paths = operands('ls', args, 'l1');
    const form = args.some((arg) => arg.startsWith('-') && arg.includes('l')) ? 'long' : 'short';
    return this.listAll(paths.length === 0 ? ['/'] : paths, form);
  }

  private *listAll(paths: readonly string[], form: 'long' | 'short'): Process<CommandOutput> {
    const lines: string[] = [];
    const errors: string[] = [];
    for (const path of paths) {
      if (!this.files.exists(path)) {
        errors.push(`ls: cannot access '${path}': No such file or directory`);
      } else if (this.files.isDirectory(path)) {
        if (paths.length > 1) lines.push(`${path}:`);
        for (const name of this.files.list(path)) lines.push(this.entry(`${path}/${name}`, name, form));
      } else {
        lines.push(this.entry(path, path, form));
      }
    }
    return { text: lines.map((line) => `${line}\n`).join(''), errors };
  }

  private entry(path: string, name: string, form: 'long' | 'short'): string {
    if (form === 'short') return name;
    const kind = this.files.isDirectory(path) ? 'd' : '-';
    return `${kind}${modeText(this.files.mode(path))} ${name}`;
  }

  private *dmesgText(clear: 'yes' | 'no', show: 'yes' | 'no'): Process<CommandOutput> {
    const lines = show === 'yes' ? this.files.messages.lines() : [];
    if (clear === 'yes') this.files.messages.clear();
    return { text: lines.map((line) => `${line}\n`).join(''), errors: [] };
  }

  private dmesg(args: readonly string[]): Process<CommandOutput> {
    if (args.length > 1 || !['-C', '-c', undefined].includes(args[0])) {
      throw new UsageError('dmesg: only -C (clear) and -c (show and clear) are understood');
    }
    return this.dmesgText(args[0] === undefined ? 'no' : 'yes', args[0] === '-C' ? 'no' : 'yes');
  }

  private lspci(args: readonly string[]): Process<CommandOutput> {
    let options: LspciOptions = {};
    for (let i = 0; i < args.length; i++) {
      const arg = args[i]!;
      if (!/^-[nDx]*s?$/.test(arg) || arg === '-')
        throw new UsageError(`lspci: ${arg}: only -n, -D, -x and -s are understood`);
      if (arg.includes('n')) options = { ...options, numeric: true };
      if (arg.includes('D')) options = { ...options, domains: true };
      if (arg.includes('x')) options = { ...options, bytes: true };
      if (arg.endsWith('s')) options = { ...options, slot: slotOf('lspci', args[++i]) };
    }
    return linesOf(lspci(this.files, options));
  }

  private setpci(args: readonly string[]): Process<CommandOutput> {
    const [flag, slot, ...registers] = args;
    if (flag !== '-s' || registers.length === 0) throw new UsageError('setpci: give -s SLOT and registers');
    for (const register of registers) parseRegister(register);
    return linesOf(setpci(this.files, slotOf('setpci', slot), registers));
  }

  private sleep(args: readonly string[]): Process<CommandOutput> {
    const seconds = /^\d*\.?\d+$/.test(args[0] ?? '') ? Number(args[0]) : Number.NaN;
    if (args.length !== 1 || !(seconds <= LONGEST_SLEEP_SECONDS)) {
      throw new UsageError(`sleep: give seconds, up to ${LONGEST_SLEEP_SECONDS}`);
    }
    return pause(quantize(seconds * NS_PER_SECOND));
  }
}

/** Waits and says nothing. */
export function* pause(ns: TimeNs): Process<CommandOutput> {
  yield* delay(ns);
  return { text: '', errors: [] };
}

function* linesOf(lines: Process<string[]>): Process<CommandOutput> {
  return { text: (yield* lines).map((line) => `${line}\n`).join(''), errors: [] };
}

function slotOf(command: string, slot: string | undefined): string {
  if (slot === undefined) throw new UsageError(`${command}: -s needs a slot, such as 0000:01:00.0`);
  parseSlot(slot);
  return slot;
}

/** What is no option; other options than those are refused. */
function operands(command: string, args: readonly string[], options: string): string[] {
  for (const arg of args) {
    const unknown = arg.startsWith('-') && [...arg.slice(1)].find((letter) => !options.includes(letter));
    if (unknown) throw new UsageError(`${command}: option -${unknown} is not understood`);
  }
  return args.filter((arg) => !arg.startsWith('-'));
}

function modeText(mode: number): string {
  return [...'rwxrwxrwx'].map((letter, i) => ((mode >> (8 - i)) & 1 ? letter : '-')).join('');
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
