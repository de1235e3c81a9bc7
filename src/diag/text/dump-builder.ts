/** A dump while its lines arrive: collects words and PEST rows, then settles chip, PHB number and PE numbers. */
import { ALL_ONES } from '../../hw/bits.js';
import type { Dump, DumpForm, DumpProblem, DumpWord, PestRun } from '../dump.js';
import type { DiagChip } from '../layout.js';

interface PestRow {
  readonly index: string;
  readonly run: boolean;
  readonly a: bigint;
  readonly b: bigint;
  readonly line: number;
}

type BuilderChip = DiagChip | 'p7ioc';

export interface BuilderStart {
  readonly form: DumpForm;
  readonly line: number;
  readonly chip?: BuilderChip;
  readonly phbText?: string;
  readonly version?: number;
}

const LAST_HEX_INDEX: Readonly<Record<BuilderChip, number>> = { phb3: 0xff, phb4: 0x1ff, p7ioc: 0x7f };

export class DumpBuilder {
  readonly form: DumpForm;
  chip: BuilderChip | undefined;
  fenceDetected = false;
  /** Old firmware did not indent its names. */
  leftAligned = false;
  readonly seen = new Set<string>();
  readonly #start: BuilderStart;
  readonly #words = new Map<string, DumpWord>();
  readonly #rows: PestRow[] = [];
  readonly #problems: DumpProblem[] = [];
  #lastLine: number;

  constructor(start: BuilderStart) {
    this.form = start.form;
    this.chip = start.chip;
    this.#start = start;
    this.#lastLine = start.line;
  }

  get isEmpty(): boolean {
    return this.#words.size === 0 && this.#rows.length === 0 && !this.fenceDetected;
  }

  get hasPest(): boolean {
    return this.#rows.length > 0;
  }

  setWord(field: string, value: bigint, line: number): void {
    this.#words.set(field, { value, line });
    this.touch(line);
  }

  addPest(row: PestRow): void {
    this.#rows.push(row);
    this.touch(row.line);
  }

  addProblem(line: number, text: string): void {
    this.#problems.push({ line, text });
    this.touch(line);
  }

  touch(line: number): void {
    this.#lastLine = Math.max(this.#lastLine, line);
  }

  build(): Dump {
    const chip = this.chip === undefined || this.chip === 'p7ioc' ? this.#guessChip() : this.chip;
    const pest = this.#settlePest(chip);
    const { phbText, version, line } = this.#start;
    if (phbText === undefined && this.form === 'linux') {
      this.#problems.unshift({ line, text: 'the header line of the dump is missing' });
    }
    return {
      chip,
      form: this.form,
      phbText,
      phbNumbers: this.#phbNumbers(chip),
      version,
      firstLine: line,
      lastLine: this.#lastLine,
      words: this.#words,
      pest,
      printsZeros: this.form === 'opal',
      fenceDetected: this.fenceDetected,
      problems: this.#problems,
    };
  }

  #guessChip(): DiagChip {
    if (this.form === 'linux') {
      this.#problems.push({ line: this.#start.line, text: 'no line names the chip: read as PHB4' });
    }
    return 'phb4';
  }

  #phbNumbers(chip: DiagChip): number[] {
    const text = this.#start.phbText;
    if (text === undefined) return [];
    const asHex = Number.parseInt(text, 16);
    if (this.form === 'opal') return [asHex];
    const asDecimal = /^\d+$/.test(text) ? [Number.parseInt(text, 10)] : [];
    return chip === 'phb4' ? asDecimal : [...new Set([asHex, ...asDecimal])];
  }

  /** Old kernels and old firmware print PE numbers in decimal, later ones three hex digits. */
  #pestBase(chip: DiagChip): 10 | 16 {
    const indices = this.#rows.map((row) => row.index);
    if (indices.some((index) => /[a-f]/i.test(index))) return 16;
    const beyond = indices.some((index) => Number.parseInt(index, 16) > LAST_HEX_INDEX[chip]);
    if (beyond || indices.some((index) => index.startsWith(' ') || index.length < 3)) return 10;
    if (this.leftAligned && indices.length > 0) {
      this.#problems.push({ line: this.#start.line, text: 'PE numbers read as decimal, as old firmware prints them' });
      return 10;
    }
    return 16;
  }

  #settlePest(chip: DiagChip): PestRun[] {
    const base = this.#pestBase(chip);
    const runs: PestRun[] = [];
    for (const row of this.#rows) {
      const index = Number.parseInt(row.index.trim(), base);
      const previous = runs.at(-1);
      if (!row.run) {
        runs.push({ first: index, last: index, a: row.a, b: row.b, line: row.line });
      } else if (previous === undefined) {
        // The kernel compares the first entry with all ones: a table full of ones prints no first line.
        runs.push({ first: 0, last: index, a: ALL_ONES, b: ALL_ONES, line: row.line });
      } else {
        runs[runs.length - 1] = { ...previous, last: Math.max(previous.last, index) };
      }
    }
    return runs;
  }
}
