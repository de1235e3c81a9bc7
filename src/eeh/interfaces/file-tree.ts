/** A tree of virtual files: what a path leads to, and how a group of files is declared. */
import type { Process } from '../../sim/process.js';

/** Bytes as characters 0 to 255, or an errno below 0. */
export type FileContent = string | number;

export interface FileNode {
  readonly kind: 'file';
  /** Permission bits; they bind every caller (M): root's way around them leads to other errors of the same calls. */
  readonly mode: number;
  read?(): Process<FileContent>;
  /** 0 when all was taken, else an errno. */
  write?(text: string): Process<number>;
}

export interface DirectoryNode {
  readonly kind: 'directory';
  names(): readonly string[];
  entry(name: string): TreeNode | undefined;
}

export interface LinkNode {
  readonly kind: 'link';
  /** Relative to the directory that holds the link. */
  readonly target: string;
}

export type TreeNode = FileNode | DirectoryNode | LinkNode;

/** A file of a group: the same for every device, PHB or driver the group stands for. */
export interface FileDeclaration<T> {
  readonly mode: number;
  /** What a read gives, as the kernel's format. */
  readonly shows?: string;
  /** What a write takes, and does. */
  readonly takes?: string;
  read?(target: T): Process<FileContent>;
  write?(target: T, text: string): Process<number>;
}

export const Mode = { READ: 0o444, WRITE: 0o222 } as const;

export function directory(entries: Readonly<Record<string, TreeNode>>): DirectoryNode {
  const map = new Map(Object.entries(entries));
  return { kind: 'directory', names: () => [...map.keys()], entry: (name) => map.get(name) };
}

/** A directory whose entries come and go. */
export function changingDirectory(entries: () => Readonly<Record<string, TreeNode>>): DirectoryNode {
  const now = (): DirectoryNode => directory(entries());
  return { kind: 'directory', names: () => now().names(), entry: (name) => now().entry(name) };
}

/** The files of a group for one target. */
export function filesFor<T>(
  declarations: Readonly<Record<string, FileDeclaration<T>>>,
  target: T,
): Record<string, FileNode> {
  const nodes: Record<string, FileNode> = {};
  for (const [name, { mode, read, write }] of Object.entries(declarations)) {
    nodes[name] = {
      ...{ kind: 'file', mode },
      ...(read === undefined ? {} : { read: () => read(target) }),
      ...(write === undefined ? {} : { write: (text: string) => write(target, text) }),
    };
  }
  return nodes;
}
