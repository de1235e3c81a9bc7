/**
 * The kernel's files as a process in user space opens them: sysfs of PCI devices and drivers, debugfs and proc of EEH.
 * Facts: eeh-linux 14. Which files there are is declared beside what they do: device-files, bus-files, debug-files,
 * phb-files, proc-files.
 */
import type { Process } from '../../sim/process.js';
import { EACCES, EINVAL, EISDIR, ENOENT, ENOTDIR } from '../errno.js';
import type { LinuxKernel } from '../kernel.js';
import { busDirectory } from './bus-files.js';
import { EehControls } from './controls.js';
import { DEBUG_FILES } from './debug-files.js';
import { errnoText } from './errno-text.js';
import { type DirectoryNode, directory, filesFor, Mode, type TreeNode } from './file-tree.js';
import { KernelMessages } from './messages.js';
import { PHB_FILES, phbDirectoryName } from './phb-files.js';
import { PROC_FILES } from './proc-files.js';
import { UserConfig } from './user-config.js';

/** A path that cannot be opened, or a read that failed. */
export class KernelFileError extends Error {
  override readonly name = 'KernelFileError';

  constructor(
    readonly path: string,
    readonly errno: number,
  ) {
    super(`${path}: ${errnoText(errno)}`);
  }
}

export const PATHS = {
  devices: '/sys/bus/pci/devices',
  drivers: '/sys/bus/pci/drivers',
  rescan: '/sys/bus/pci/rescan',
  debug: '/sys/kernel/debug/powerpc',
  proc: '/proc/powerpc/eeh',
} as const;

const MOST_LINKS = 40;

export class KernelFiles {
  readonly controls: EehControls;
  readonly config: UserConfig;
  readonly messages: KernelMessages;
  private readonly root: DirectoryNode;

  constructor(readonly kernel: LinuxKernel) {
    const controls = new EehControls(kernel);
    const config = new UserConfig(kernel.config);
    this.controls = controls;
    this.config = config;
    this.messages = new KernelMessages(kernel.log);
    const phbs = Object.fromEntries(
      kernel.controllers.map((controller) => [
        phbDirectoryName(controller),
        directory(filesFor(PHB_FILES, { controller, controls })),
      ]),
    );
    const powerpc = directory({ ...phbs, ...filesFor(DEBUG_FILES, { kernel, controls }) });
    this.root = directory({
      proc: directory({ powerpc: directory(filesFor(PROC_FILES, kernel.settings)) }),
      sys: directory({
        bus: directory({ pci: busDirectory(kernel, controls, config) }),
        kernel: directory({ debug: directory({ powerpc }) }),
      }),
    });
  }

  exists(path: string): boolean {
    return typeof this.find(path) !== 'number';
  }

  isDirectory(path: string): boolean {
    const found = this.find(path);
    return typeof found !== 'number' && found.node.kind === 'directory';
  }

  /** The path without links, or undefined if it leads nowhere. */
  realPath(path: string): string | undefined {
    const found = this.find(path);
    return typeof found === 'number' ? undefined : `/${found.path.join('/')}`;
  }

  /** Permission bits; of a directory those of sysfs. */
  mode(path: string): number {
    const { node } = this.open(path);
    return node.kind === 'file' ? node.mode : DIRECTORY_MODE;
  }

  /** Names in a directory, in order. */
  list(path: string): string[] {
    const { node } = this.open(path);
    if (node.kind !== 'directory') throw new KernelFileError(path, ENOTDIR);
    return [...node.names()].sort();
  }

  *read(path: string): Process<string> {
    const { node } = this.open(path);
    if (node.kind !== 'file') throw new KernelFileError(path, EISDIR);
    if ((node.mode & Mode.READ) === 0) throw new KernelFileError(path, EACCES);
    if (node.read === undefined) throw new KernelFileError(path, EINVAL);
    // Between open and read the device may go: the content is what the read finds.
    const content = yield* node.read();
    if (typeof content === 'number') throw new KernelFileError(path, content);
    return content;
  }

  /** 0, or the errno of opening or writing. */
  *write(path: string, text: string): Process<number> {
    const found = this.find(path);
    if (typeof found === 'number') return found;
    const { node } = found;
    if (node.kind !== 'file') return EISDIR;
    if ((node.mode & Mode.WRITE) === 0) return EACCES;
    return node.write === undefined ? EINVAL : yield* node.write(text);
  }

  private open(path: string): Found {
    const found = this.find(path);
    if (typeof found === 'number') throw new KernelFileError(path, found);
    return found;
  }

  /** Follows links; an errno if the path leads nowhere. */
  private find(path: string): Found | number {
    let left = partsOf(path);
    let done: Step[] = [];
    for (let links = 0; left.length > 0; ) {
      const name = left.shift()!;
      if (name === '..') {
        done.pop();
        continue;
      }
      const here = done.at(-1)?.node ?? this.root;
      if (here.kind !== 'directory') return ENOTDIR;
      const node = here.entry(name);
      if (node === undefined) return ENOENT;
      if (node.kind === 'link') {
        if (++links > MOST_LINKS) return ENOENT;
        left = [...partsOf(node.target), ...left];
        continue;
      }
      done = [...done, { name, node }];
    }
    return { node: done.at(-1)?.node ?? this.root, path: done.map(({ name }) => name) };
  }
}

interface Step {
  readonly name: string;
  readonly node: Exclude<TreeNode, { kind: 'link' }>;
}

interface Found {
  readonly node: Step['node'];
  readonly path: readonly string[];
}

const DIRECTORY_MODE = 0o755;

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
