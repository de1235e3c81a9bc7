/** What a block that serves both bridges needs of a chip's register file: the registers it names, and no others. */
import type { RegisterHooks } from '../hw/register-file.js';

export interface RegisterStore<N extends string> {
  get(name: N): bigint;
  set(name: N, value: bigint): void;
  or(name: N, value: bigint): void;
  clear(name: N, value: bigint): void;
  field(name: N, fieldName: string): bigint;
  setField(name: N, fieldName: string, value: bigint): void;
  attach(name: N, hooks: RegisterHooks): void;
}
