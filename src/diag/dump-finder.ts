/** Finds register dumps in log text: the kernel's PHB3 and PHB4 form and the firmware console's form. Facts: phb4-diag 2, ioda2-phb3 9.3. */
import { CHIPS } from './chip.js';
import type { Dump } from './dump.js';
import { type DiagChip, type DiagLine, fieldBytes } from './layout.js';
import { OPAL_CONSOLE_NAMES } from './phb4/layout.js';
import { type Anchor, endsInsideMark, type Segment, segmentLine } from './text/anchors.js';
import type { TextLine } from './text/clean.js';
import { DumpBuilder } from './text/dump-builder.js';
import { PendingRecord, type WantedWords } from './text/record.js';

export interface FoundDumps {
  readonly dumps: readonly Dump[];
  /** P7IOC dumps: recognised, not decoded. */
  readonly p7ioc: readonly { readonly line: number; readonly phbText: string }[];
}

const CHIP_OF_TITLE: Readonly<Record<string, DiagChip | 'p7ioc'>> = {
  PHB3: 'phb3',
  PHB4: 'phb4',
  PHB5: 'phb4',
  P7IOC: 'p7ioc',
};

function lineOf(chip: DiagChip | undefined, label: string): { chip: DiagChip | undefined; line: DiagLine } | undefined {
  const found = (['phb4', 'phb3'] as const).flatMap((candidate) => {
    if (chip !== undefined && chip !== candidate) return [];
    const line = CHIPS[candidate].layout.lines.find((entry) => entry.label === label);
    return line === undefined ? [] : [{ candidate, line }];
  });
  const first = found[0];
  if (first === undefined) return undefined;
  return { chip: found.length === 1 ? first.candidate : chip, line: first.line };
}

class DumpFinder {
  readonly #done: DumpBuilder[] = [];
  readonly #p7ioc: { line: number; phbText: string }[] = [];
  #kernel: DumpBuilder | undefined;
  #console = new Map<string, DumpBuilder>();
  #consolePhb = '';
  #pendingKernel: PendingRecord | undefined;
  #pendingConsole: PendingRecord | undefined;
  #line = 0;

  readLine(line: TextLine): void {
    this.#line = line.number;
    const { lead, segments } = segmentLine(line.text);
    if (lead.trim() !== '') this.#offer(lead);
    for (const segment of segments) this.#readSegment(segment);
  }

  finish(): FoundDumps {
    this.#endKernelRecord();
    this.#endConsoleRecord();
    const dumps = this.#done.filter((builder) => builder.chip !== 'p7ioc').map((builder) => builder.build());
    return { dumps: dumps.sort((a, b) => a.firstLine - b.firstLine), p7ioc: this.#p7ioc };
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
        this.#offerBehindTime(body);
        break;
      case 'console-fence':
        this.#openConsole(anchor.kind).fenceDetected = true;
        break;
      case 'console-name':
        this.#readConsoleName(anchor, body);
        break;
      case 'console-pe':
        this.#readConsolePe(anchor.index, body);
        break;
      case 'time':
        this.#offerBehindTime(body);
    }
  }

  /** Loggers that stamp every physical line put the rest of a wrapped line behind a stamp. */
  #offerBehindTime(body: string): void {
    if (/^[\s0-9a-fA-F]+$/.test(body) && body.trim() !== '') this.#offer(body);
  }

  #startKernelDump(anchor: Extract<Anchor, { kind: 'header' }>): void {
    this.#endKernelRecord();
    const chip = CHIP_OF_TITLE[anchor.title];
    if (chip === undefined) return;
    if (chip === 'p7ioc') this.#p7ioc.push({ line: this.#line, phbText: anchor.phb });
    this.#kernel = new DumpBuilder({
      form: 'linux',
      line: this.#line,
      chip,
      phbText: anchor.phb,
      ...(anchor.version === undefined ? {} : { version: anchor.version }),
    });
    this.#done.push(this.#kernel);
  }

  /** The dump a kernel label belongs to: the open one, or a new one without header when the label comes again. */
  #kernelFor(label: string): { dump: DumpBuilder; line: DiagLine } | undefined {
    const open = this.#kernel;
    if (open !== undefined && !open.seen.has(label)) {
      const chip = open.chip === 'p7ioc' ? 'phb3' : open.chip;
      const known = lineOf(chip, label);
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

  #headerless(): DumpBuilder {
    this.#kernel = new DumpBuilder({ form: 'linux', line: this.#line });
    return this.#kernel;
  }

  /** A dump without header counts from its first word on. */
  #register(dump: DumpBuilder): void {
    if (!this.#done.includes(dump)) this.#done.push(dump);
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
    const chip = dump.chip === 'phb3' || dump.chip === 'p7ioc' ? 'phb3' : 'phb4';
    return fieldBytes(CHIPS[chip].layout, field) * 2;
  }

  #readPe(anchor: Extract<Anchor, { kind: 'pe' }>, body: string): void {
    this.#endKernelRecord();
    const dump = this.#kernel ?? this.#headerless();
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
    this.#console.set(this.#consolePhb, builder);
    this.#done.push(builder);
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

/** Lines that a mailer broke inside a mark are one line again. */
function joinBrokenMarks(lines: readonly TextLine[]): TextLine[] {
  const joined: TextLine[] = [];
  let open: TextLine | undefined;
  for (const line of lines) {
    const whole: TextLine =
      open === undefined ? line : { number: open.number, text: `${open.text} ${line.text.trimStart()}` };
    open = endsInsideMark(whole.text) && open === undefined ? whole : undefined;
    if (open === undefined) joined.push(whole);
  }
  if (open !== undefined) joined.push(open);
  return joined;
}

export function findDumps(lines: readonly TextLine[]): FoundDumps {
  const finder = new DumpFinder();
  for (const line of joinBrokenMarks(lines)) finder.readLine(line);
  return finder.finish();
}
