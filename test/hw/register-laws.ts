/**
 * The law of every register: software and hardware accesses in any order leave what the declaration says. The model
 * here shares nothing with the register file: it reads the declarations and counts in `bigint`.
 */
import fc from 'fast-check';
import type { RegisterBank, RegisterDeclaration } from '../../src/hw/register.js';
import { RegisterFile } from '../../src/hw/register-file.js';

const ONES = (1n << 64n) - 1n;

interface Step {
  readonly register: number;
  readonly door: 'read' | 'write' | 'set' | 'reset';
  readonly value: bigint;
}

/** 64-bit values with a liking for the ones that tell access kinds apart. */
export const word64: fc.Arbitrary<bigint> = fc.oneof(
  fc.constantFrom(0n, ONES, 1n, 1n << 63n, 0xffff_ffffn, 0xffff_ffff_0000_0000n),
  fc.bigInt({ min: 0n, max: 63n }).map((n) => 1n << n),
  fc.bigInt({ min: 0n, max: ONES }),
);

type Declarations = Readonly<Record<string, RegisterDeclaration>>;

/** What the declarations say, in the plainest form. */
class ReferenceModel {
  readonly values = new Map<string, bigint>();

  constructor(private readonly declarations: Declarations) {
    for (const [name, declaration] of Object.entries(declarations)) this.values.set(name, declaration.reset ?? 0n);
  }

  read(name: string): bigint {
    const { access } = this.declarations[name]!;
    return access === 'write-only' || access === 'and-mask' || access === 'or-mask' ? 0n : this.values.get(name)!;
  }

  write(name: string, written: bigint): void {
    const declaration = this.declarations[name]!;
    const changed = declaration.target ?? name;
    const reach = (declaration.writable ?? ONES) & (this.declarations[changed]!.writable ?? ONES);
    const old = this.values.get(changed)!;
    const wanted = this.wanted(declaration, old, written);
    let next = 0n;
    for (let n = 0n; n < 64n; n++) {
      const one = 1n << n;
      next |= (reach & one) === 0n ? old & one : wanted & one;
    }
    this.values.set(changed, next & ~this.clearing(declaration));
  }

  private wanted({ access }: RegisterDeclaration, old: bigint, written: bigint): bigint {
    if (access === 'read-only') return old;
    if (access === 'write-clears') return 0n;
    if (access === 'write-1-to-clear') return old & (ONES ^ written);
    if (access === 'and-mask') return old & written;
    if (access === 'or-mask') return old | written;
    return written;
  }

  private clearing({ access, selfClearing, writable }: RegisterDeclaration): bigint {
    return selfClearing ?? (access === 'self-clearing' ? (writable ?? ONES) : 0n);
  }
}

/** Throws, with the shortest counterexample, when a register of the bank does not obey its declaration. */
export function checkRegisterLaws<D extends Declarations>(
  bank: RegisterBank<D>,
  { seed = 1, numRuns = 100 }: { readonly seed?: number; readonly numRuns?: number } = {},
): void {
  const names = Object.keys(bank.declarations) as (keyof D & string)[];
  const step: fc.Arbitrary<Step> = fc.record({
    register: fc.nat(names.length - 1),
    door: fc.constantFrom('write', 'write', 'write', 'read', 'set', 'reset'),
    value: word64,
  });
  // Long enough that every register of a bank of hundreds is met again and again over the runs.
  const steps = fc.array(step, { minLength: 1, maxLength: Math.max(40, 2 * names.length), size: 'max' });
  const property = fc.property(steps, (sequence) => {
    const file = new RegisterFile(bank);
    const model = new ReferenceModel(bank.declarations);
    for (const { register, door, value } of sequence) {
      const name = names[register]!;
      const { offset, reset } = bank.declarations[name]!;
      if (door === 'write') {
        file.write(offset, value);
        model.write(name, value);
      } else if (door === 'set') {
        file.set(name, value);
        model.values.set(name, value);
      } else if (door === 'reset') {
        file.reset(name);
        model.values.set(name, reset ?? 0n);
      } else if (file.read(offset) !== model.read(name)) {
        throw new Error(`${name} reads ${file.read(offset).toString(16)}, not ${model.read(name).toString(16)}`);
      }
    }
    for (const name of names) {
      const { offset } = bank.declarations[name]!;
      if (file.peek(name) !== model.values.get(name)) {
        throw new Error(`${name} holds ${file.peek(name).toString(16)}, not ${model.values.get(name)!.toString(16)}`);
      }
      if (file.read(offset) !== model.read(name)) throw new Error(`${name} reads ${file.read(offset).toString(16)}`);
    }
  });
  fc.assert(property, { seed, numRuns, includeErrorInReport: true });
}
