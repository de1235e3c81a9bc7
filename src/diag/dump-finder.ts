/** Finds register dumps in log text: the kernel's forms and the firmware console's form. Facts: phb4-diag 2, ioda2-phb3 9.3. */
import { CHIPS } from './chip.js';
import type { Dump } from './dump.js';
import { type DiagChip, type DiagLine, fieldBytes } from './layout.js';
import { HUB_LINES, HUB_LONG_NAMES, type HubDump } from './p7ioc/hub-text.js';
import { P7IOC_OLD_NAMES } from './p7ioc/layout.js';
import { OPAL_CONSOLE_NAMES } from './phb4/layout.js';
import { type Anchor, type Segment, segmentLine } from './text/anchors.js';
import type { TextLine } from './text/clean.js';
import { DumpBuilder } from './text/dump-builder.js';
import { LineJoiner } from './text/joiner.js';
import { PendingRecord, type WantedWords } from './text/record.js';

export interface FoundDumps {
  readonly dumps: readonly Dump[];
  /** Of the P7IOC hub, which is no bridge. */
  readonly hubs?: readonly HubDump[];
}

const CHIP_OF_TITLE: Readonly<Record<string, DiagChip>> = {
  PHB3: 'phb3',
  PHB4: 'phb4',
  PHB5: 'phb4',
  P7IOC: 'p7ioc',
};

function lineOf(chip: DiagChip | undefined, label: string): { chip: DiagChip | undefined; line: DiagLine } | undefined {
  const found = (['phb4', 'phb3', 'p7ioc'] as const).flatMap((candidate) => {
    if (chip !== undefined && chip !== candidate) return [];
    const line = CHIPS[candidate].layout.lines.find((entry) => entry.label === label);
    return line === undefined ? [] : [{ candidate, line }];
  });
  const first = found[0];
  if (first === undefined) return undefined;
  // A label of two older chips is read as PHB3's: the layouts of the lines are the same.
  const one = found.length === 1 || found.every(({ candidate }) => candidate !== 'phb4');
  return { chip: chip ?? (one ? first.candidate : undefined), line: first.line };
}

/** Lines between two parts of one dump: other messages come between. */
const FARTHEST = 400;

export class DumpFinder {
  readonly #done: DumpBuilder[] = [];
  readonly #known = new Set<DumpBuilder>();
  readonly #hubs: HubDump[] = [];
  #longPest: { readonly index: string; readonly a: bigint; readonly line: number } | undefined;
  #kernel: DumpBuilder | undefined;
  #console = new Map<string, DumpBuilder>();
  #consolePhb = '';
  #consoleIsPhb5 = false;
  #pendingKernel: PendingRecord | undefined;
  #pendingConsole: PendingRecord | undefined;
  #line = 0;

  readLine(line: TextLine): void {
    this.#line = line.number;
    const { lead, segments } = segmentLine(line.text);
    if (lead.trim() !== '') this.#offer(lead);
    for (const segment of segments) this.#readSegment(segment);
  }

  get dumpCount(): number {
    return this.#known.size;
  }

  endRecords(): void {
    this.#endKernelRecord();
    this.#endConsoleRecord();
  }

  finish(): FoundDumps {
    this.endRecords();
    const dumps = this.#done.map((builder) => builder.build());
    return { dumps: dumps.sort((a, b) => a.firstLine - b.firstLine), hubs: this.#hubs };
  }

  /** A line without a mark in front may be the rest of a wrapped one. */
  #offer(lead: string): void {
    if (this.#pendingKernel?.offer(lead) === 'complete') this.#pendingKernel = undefined;
    else if (this.#pendingConsole?.offer(lead) === 'complete') this.#pendingConsole = undefined;
  }

  #readSegment({ anchor, body }: Segment): void {
    switch (anchor.kind) {
      case 'header':
        this.#startKernelDump(anchor);
        break;
      case 'label':
        this.#readLabel(anchor.label, body);
        break;
      case 'pe':
        this.#readPe(anchor, body);
        break;
      case 'console-phb':
        this.#consolePhb = anchor.phb;
        this.#consoleIsPhb5 = anchor.isPhb5;
        this.#offerBehindTime(body);
        break;
      case 'console-fence':
        this.#openConsole(anchor.kind).fenceDetected = true;
        break;
      case 'console-escalation':
        this.#openConsole(anchor.kind).escalate(anchor, this.#line);
        break;
      case 'console-name':
        this.#readConsoleName(anchor, body);
        break;
      case 'console-pe':
        this.#readConsolePe(anchor.index, body);
        break;
      case 'time':
        this.#offerBehindTime(body);
        break;
      default:
        this.#readOldForm(anchor, body);
    }
  }

  /** Kernels before 3.15, and the dumps of the P7IOC hub. */
  #readOldForm(anchor: Anchor, body: string): void {
    switch (anchor.kind) {
      case 'long-header':
        this.#openKernelDump('p7ioc', { phbText: anchor.phb });
        break;
      case 'long-name':
        this.#readLongName(anchor.name, body);
        break;
      case 'long-pest':
        this.#readLongPest(anchor, body);
        break;
      case 'hub-header':
        this.#hubs.push({ unit: anchor.unit, line: this.#line, lastLine: this.#line, words: new Map() });
        break;
      case 'hub-label':
        this.#readHub(anchor.label, body);
        break;
      default:
        break;
    }
  }

  #readHub(label: string, body: string): void {
    const hub = this.#hubs.at(-1);
    if (hub === undefined) return;
    const long = HUB_LONG_NAMES.get(label);
    const names = long === undefined ? (HUB_LINES[label] ?? []) : [long];
    this.#pendingKernel = this.#begin(body, {
      label,
      digits: names.map(() => 16),
      store: (values) => {
        values.forEach((value, i) => {
          hub.words.set(names[i]!, value);
        });
        hub.lastLine = this.#line;
      },
    });
  }

  #readLongName(oldName: string, body: string): void {
    const name = P7IOC_OLD_NAMES.get(oldName) ?? OPAL_CONSOLE_NAMES.get(oldName) ?? oldName;
    const value = /^[0-9a-fA-F]{8,16}/.exec(body)?.[0];
    if (value === undefined) return;
    const open = this.#kernelNear();
    const dump = open === undefined || open.seen.has(oldName) ? this.#headerless() : open;
    dump.seen.add(oldName);
    if (P7IOC_OLD_NAMES.has(oldName)) dump.chip ??= 'p7ioc';
    this.#register(dump);
    dump.setWord(name, BigInt(`0x${value}`), this.#line);
  }

  /** Word A names the PE; word B comes on the next line. */
  #readLongPest({ word, index }: Extract<Anchor, { kind: 'long-pest' }>, body: string): void {
    const value = /^[0-9a-fA-F]{16}/.exec(body)?.[0];
    if (value === undefined) return;
    if (word === 'A') {
      if (index !== undefined) this.#longPest = { index, a: BigInt(`0x${value}`), line: this.#line };
      return;
    }
    if (this.#longPest === undefined) return;
    const dump = this.#kernelNear() ?? this.#headerless();
    this.#register(dump);
    // A blank in front makes the number decimal, as this form prints it.
    dump.addPest({ ...this.#longPest, index: ` ${this.#longPest.index}`, run: false, b: BigInt(`0x${value}`) });
    this.#longPest = undefined;
  }

  /** Loggers that stamp every physical line put the rest of a wrapped line behind a stamp. */
  #offerBehindTime(body: string): void {
    if (/^[\s0-9a-fA-F]+$/.test(body) && body.trim() !== '') this.#offer(body);
  }

  #startKernelDump(anchor: Extract<Anchor, { kind: 'header' }>): void {
    this.#endKernelRecord();
    const chip = CHIP_OF_TITLE[anchor.title];
    if (chip === undefined) return;
    const version = anchor.version === undefined ? {} : { version: anchor.version };
    this.#openKernelDump(chip, { phbText: anchor.phb, ...version });
  }

  #openKernelDump(chip: DiagChip, header: { readonly phbText: string; readonly version?: number }): void {
    const open = this.#kernel;
    if (open?.canTakeHeader(this.#line) === true) {
      open.takeHeader(chip, header);
      return;
    }
    this.#kernel = new DumpBuilder({ form: 'linux', line: this.#line, chip, ...header });
    this.#register(this.#kernel);
  }

  /** The dump a kernel label belongs to: the open one, or a new one without header when the label comes again. */
  #kernelFor(label: string): { dump: DumpBuilder; line: DiagLine } | undefined {
    const open = this.#kernelNear();
    if (open?.seen.has(label) === true) {
      const moved = open.giveHeaderAway(this.#line);
      if (moved !== undefined) {
        this.#kernel = moved;
        this.#register(moved);
        return this.#kernelFor(label);
      }
    }
    if (open !== undefined && !open.seen.has(label)) {
      const known = lineOf(open.chip, label);
      if (known !== undefined) {
        open.chip ??= known.chip;
        return { dump: open, line: known.line };
      }
    }
    const known = lineOf(undefined, label);
    if (known === undefined) return undefined;
    const dump = this.#headerless();
    dump.chip = known.chip;
    return { dump, line: known.line };
  }

  /** The open dump, unless its last line is so far away that nothing here can belong to it. */
  #kernelNear(): DumpBuilder | undefined {
    const open = this.#kernel;
    return open === undefined || this.#line - open.lastLine > FARTHEST ? undefined : open;
  }

  #headerless(): DumpBuilder {
    this.#kernel = new DumpBuilder({ form: 'linux', line: this.#line });
    return this.#kernel;
  }

  /** A dump without header counts from its first word on. */
  #register(dump: DumpBuilder): void {
    if (this.#known.has(dump)) return;
    this.#known.add(dump);
    this.#done.push(dump);
  }

  #readLabel(label: string, body: string): void {
    this.#endKernelRecord();
    const target = this.#kernelFor(label);
    if (target === undefined) return;
    const { dump, line } = target;
    const number = this.#line;
    dump.seen.add(label);
    const digits = line.fields.map((name) => this.#digits(dump, name));
    this.#pendingKernel = this.#begin(body, {
      label,
      digits,
      store: (values, complete) => {
        this.#register(dump);
        values.forEach((value, i) => {
          dump.setWord(line.fields[i]!, value, number);
        });
        if (complete === 'cut') dump.addProblem(number, `${label} has ${values.length} of ${digits.length} values`);
        dump.touch(this.#line);
      },
    });
  }

  #digits(dump: DumpBuilder, field: string): number {
    return fieldBytes(CHIPS[dump.chip ?? 'phb4'].layout, field) * 2;
  }

  #readPe(anchor: Extract<Anchor, { kind: 'pe' }>, body: string): void {
    this.#endKernelRecord();
    const dump = this.#kernelNear() ?? this.#headerless();
    const line = this.#line;
    if (anchor.run) {
      if (!/^\s*as above/.test(body)) return;
      dump.addPest({ index: anchor.index, run: true, a: 0n, b: 0n, line });
      this.#register(dump);
      return;
    }
    this.#pendingKernel = this.#begin(body, this.#pestWords(dump, anchor.index));
  }

  #pestWords(dump: DumpBuilder, index: string): WantedWords {
    const line = this.#line;
    return {
      label: `PE[${index}]`,
      digits: [16, 16],
      store: (values, complete) => {
        this.#register(dump);
        dump.addPest({ index, run: false, a: values[0]!, b: values[1] ?? 0n, line });
        if (complete === 'cut') dump.addProblem(line, `PE[${index}] has only its first word`);
        dump.touch(this.#line);
      },
    };
  }

  #openConsole(mark: string): DumpBuilder {
    const open = this.#console.get(this.#consolePhb);
    const ended = open === undefined || open.seen.has(mark) || (open.hasPest && mark !== 'console-pe');
    if (!ended) return open;
    const builder = new DumpBuilder({
      form: 'opal',
      line: this.#line,
      chip: 'phb4',
      ...(this.#consolePhb === '' ? {} : { phbText: this.#consolePhb }),
    });
    builder.isPhb5 = this.#consoleIsPhb5;
    this.#console.set(this.#consolePhb, builder);
    this.#register(builder);
    if (mark !== 'console-pe') builder.seen.add(mark);
    return builder;
  }

  #readConsoleName(anchor: Extract<Anchor, { kind: 'console-name' }>, body: string): void {
    this.#endConsoleRecord();
    const name = OPAL_CONSOLE_NAMES.get(anchor.name) ?? anchor.name;
    const digits = /^\s*([0-9a-fA-F]+)/.exec(body)?.[1]?.length ?? 16;
    const known = CHIPS.phb4.layout.fields.find((field) => field.name === name);
    const wanted = known === undefined ? Math.min(digits, 16) : known.bytes * 2;
    const dump = this.#openConsole(anchor.name);
    dump.seen.add(anchor.name);
    if (anchor.leftAligned && anchor.name === 'brdgCtl') dump.leftAligned = true;
    if (CHIPS.phb3.layout.fields.some((field) => field.name === name) && known === undefined) dump.chip = 'phb3';
    const line = this.#line;
    this.#pendingConsole = this.#begin(body, {
      label: anchor.name,
      digits: [wanted],
      store: (values) => dump.setWord(name, values[0]!, line),
    });
  }

  #readConsolePe(index: string, body: string): void {
    this.#endConsoleRecord();
    this.#pendingConsole = this.#begin(body, this.#pestWords(this.#openConsole('console-pe'), index));
  }

  #begin(body: string, wanted: WantedWords): PendingRecord | undefined {
    const record = new PendingRecord(wanted);
    return record.start(body) === 'more' ? record : undefined;
  }

  #endKernelRecord(): void {
    this.#pendingKernel?.abandon();
    this.#pendingKernel = undefined;
  }

  #endConsoleRecord(): void {
    this.#pendingConsole?.abandon();
    this.#pendingConsole = undefined;
  }
}

export function findDumps(lines: readonly TextLine[]): FoundDumps {
  const finder = new DumpFinder();
  const joiner = new LineJoiner((line) => finder.readLine(line));
  for (const line of lines) joiner.push(line);
  joiner.finish();
  return finder.finish();
}
