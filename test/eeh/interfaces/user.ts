/** A booted fake machine, and somebody at its files. */
import { KernelFileError, KernelFiles } from '../../../src/eeh/interfaces/files.js';
import { Shell } from '../../../src/eeh/interfaces/shell.js';
import { FakeMachine, type FakeMachineOptions } from '../fake-machine.js';

export const DEBUG = '/sys/kernel/debug/powerpc';
export const ENDPOINT_DIR = '/sys/bus/pci/devices/0000:01:00.0';

export class User {
  readonly machine: FakeMachine;
  readonly files: KernelFiles;
  readonly shell: Shell;

  constructor(options: FakeMachineOptions = {}) {
    this.machine = new FakeMachine(options).boot();
    this.files = new KernelFiles(this.machine.kernel);
    this.shell = new Shell(this.files);
  }

  get texts(): string[] {
    return this.machine.kernel.log.texts();
  }

  read(path: string): string {
    return this.machine.run(this.files.read(path));
  }

  /** The errno of a read that fails. */
  readError(path: string): number {
    function* attempt(files: KernelFiles) {
      try {
        yield* files.read(path);
      } catch (error) {
        if (error instanceof KernelFileError) return error.errno;
        throw error;
      }
      return 0;
    }
    return this.machine.run(attempt(this.files));
  }

  write(path: string, text: string): number {
    return this.machine.run(this.files.write(path, text));
  }

  /** Text and errors of a line. */
  sh(line: string): string[] {
    return this.machine.run(this.shell.run(line)).flatMap(({ text, errors }) => {
      return [...(text === '' ? [] : text.replace(/\n$/, '').split('\n')), ...errors];
    });
  }
}
