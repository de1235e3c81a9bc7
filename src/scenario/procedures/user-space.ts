/** What a test procedure has of the machine: the kernel's files and log, time, a place to print. Nothing of the model. */
import { errnoText } from '../../eeh/interfaces/errno-text.js';
import { KernelFileError, type KernelFiles, PATHS } from '../../eeh/interfaces/files.js';
import { type LspciOptions, lspci } from '../../eeh/interfaces/lspci.js';
import { delay, type Process } from '../../sim/process.js';
import { seconds } from '../../sim/time.js';

export class UserSpace {
  constructor(
    private readonly files: KernelFiles,
    readonly print: (line: string) => void,
  ) {}

  /** Names in a directory; none if it is not there. */
  list(path: string): string[] {
    return this.files.isDirectory(path) ? this.files.list(path) : [];
  }

  exists(path: string): boolean {
    return this.files.exists(path);
  }

  /** Last part of the path a link leads to; undefined if it leads nowhere. */
  baseOfLink(path: string): string | undefined {
    return this.files.realPath(path)?.split('/').at(-1);
  }

  /** The content without the newline at its end; undefined if it cannot be read. */
  *read(path: string): Process<string | undefined> {
    try {
      return (yield* this.files.read(path)).replace(/\n$/, '');
    } catch (error) {
      if (error instanceof KernelFileError) return undefined;
      throw error;
    }
  }

  /** Writes a line. What went wrong is printed, as a shell does. */
  *echo(line: string, path: string): Process<'done' | 'failed'> {
    const rc = yield* this.files.write(path, `${line}\n`);
    if (rc >= 0) return 'done';
    this.print(`sh: ${path}: ${errnoText(rc)}`);
    return 'failed';
  }

  *lspci(options: LspciOptions = {}): Process<string[]> {
    return yield* lspci(this.files, options);
  }

  clearLog(): void {
    this.files.messages.clear();
  }

  /** Lines of the log with this text. */
  logLines(text: string): string[] {
    return this.files.messages.lines().filter((line) => line.includes(text));
  }

  *sleep(forSeconds: number): Process<void> {
    yield* delay(seconds(forSeconds));
  }
}

export const DEVICES = PATHS.devices;
export const DEBUG = PATHS.debug;
