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

export interface BuilderStart {
  readonly form: DumpForm;
  readonly line: number;
  readonly chip?: DiagChip;
  readonly phbText?: string;
  readonly version?: number;
}

const LAST_HEX_INDEX: Readonly<Record<DiagChip, number>> = { phb3: 0xff, phb4: 0x1ff, p7ioc: 0x7f };

/** Lines of one dump are this near to each other, also out of order. */
const NEAR = 40;

export class DumpBuilder {
  readonly form: DumpForm;
  chip: DiagChip | undefined;
  fenceDetected = false;
  isPhb5 = false;
  /** Old firmware did not indent its names. */
  leftAligned = false;
  readonly seen = new Set<string>();
  #start: BuilderStart;
  #headerTaken: number | undefined;
  readonly #words = new Map<string, DumpWord>();
  readonly #rows: PestRow[] = [];
  readonly #problems: DumpProblem[] = [];
  #escalated: PestRun | undefined;
  #lastLine: number;

  constructor(start: BuilderStart) {
    this.form = start.form;
    this.chip = start.chip;
    this.#start = start;
    this.#lastLine = start.line;
  }

  get lastLine(): number {
    return this.#lastLine;
  }

  /** Words that came in front of their header, in a log whose lines are out of order. */
  canTakeHeader(line: number): boolean {
    return this.form === 'linux' && this.#start.phbText === undefined && !this.isEmpty && line - this.#lastLine <= NEAR;
  }

  takeHeader(chip: DiagChip, header: { readonly phbText: string; readonly version?: number }): void {
    this.#headerTaken = this.#words.size + this.#rows.length;
    this.chip = chip;
    this.#start = { ...this.#start, ...header, chip };
  }

  /** A label comes again right behind a header: the header was that of the next dump after all. */
  giveHeaderAway(line: number): DumpBuilder | undefined {
    const taken = this.#headerTaken;
    if (taken === undefined || taken !== this.#words.size + this.#rows.length) return undefined;
    const { phbText, version, chip } = this.#start;
    const next = new DumpBuilder({
      form: 'linux',
      line,
      ...(chip === undefined ? {} : { chip }),
      ...(phbText === undefined ? {} : { phbText }),
      ...(version === undefined ? {} : { version }),
    });
    this.#headerTaken = undefined;
    this.#start = { form: this.#start.form, line: this.#start.line };
    return next;
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

  /** Firmware made a fence of a freeze, and printed what the PE held: its index is decimal whatever the others are. */
  escalate({ pe, a }: { readonly pe: number; readonly a: bigint }, line: number): void {
    this.fenceDetected = true;
    this.#escalated = { first: pe, last: pe, a, b: 0n, line };
    this.touch(line);
  }

  touch(line: number): void {
    this.#lastLine = Math.max(this.#lastLine, line);
  }

  build(): Dump {
    const chip = this.chip ?? this.#guessChip();
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
      escalated: this.#escalated,
      isPhb5: this.isPhb5,
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

  #readsAllOnes(): boolean {
    return [...this.#words.values()].every(
      ({ value }) => value === ALL_ONES || value === 0xffff_ffffn || value === 0xffffn,
    );
  }

  #settlePest(chip: DiagChip): PestRun[] {
    const base = this.#pestBase(chip);
    const runs: PestRun[] = [];
    const indexOf = (row: PestRow): number => Number.parseInt(row.index.trim(), base);
    // Lines that a log daemon put out of order are in order again.
    for (const row of [...this.#rows].sort((x, y) => indexOf(x) - indexOf(y))) {
      const index = indexOf(row);
      const previous = runs.at(-1);
      if (!row.run) {
        runs.push({ first: index, last: index, a: row.a, b: row.b, line: row.line });
      } else if (previous === undefined && !this.#readsAllOnes()) {
        this.#problems.push({ line: row.line, text: `the entry that PE ${row.index} repeats is lost` });
      } else if (previous === undefined) {
        // The kernel compares the first entry with all ones: a table full of ones prints no first line.
        runs.push({ first: 0, last: index, a: ALL_ONES, b: ALL_ONES, line: row.line });
      } else {
        runs[runs.length - 1] = { ...previous, last: Math.max(previous.last, index) };
      }
    }
    const escalated = this.#escalated;
    const isListed = runs.some(({ first, last }) => first <= (escalated?.first ?? -1) && last >= escalated!.first);
    return escalated === undefined || isListed ? runs : [...runs, escalated].sort((x, y) => x.first - y.first);
  }
}
