/** What the kernel and the firmware said around a dump: EEH events, devices, boot lines, RTAS events. Facts: eeh-linux 13. */
import { type AerMessage, AerReader } from './context/aer-message.js';
import { type EehEvent, EehReader } from './context/eeh-event.js';
import { type LinkTrace, LinkTraceReader } from './context/link-trace.js';
import { MachineMap } from './context/machine-map.js';
import { RtasReader, type RtasRecord } from './context/rtas-record.js';
import type { TextLine } from './text/clean.js';

export type { EehDevice, EehEvent, EehOutcome } from './context/eeh-event.js';

/** Something the log says besides freezes and fences, with its line. */
export interface Remark {
  readonly line: number;
  readonly text: string;
}

export interface PassedDevice extends Remark {
  readonly address: string;
}

export interface LogContext {
  readonly events: readonly EehEvent[];
  readonly machine: MachineMap;
  readonly bypassDisabledLine: number | undefined;
  readonly thawRefused: readonly {
    readonly line: number;
    readonly phb: number;
    readonly pe: number;
    readonly code: number;
  }[];
  /** What Linux' AER driver told of. */
  readonly aerMessages: readonly AerMessage[];
  /** Firmware refused to thaw a PE, because its bridge was fenced. */
  readonly thawOnFence: readonly { readonly line: number; readonly phb: number }[];
  readonly rtasEvents: readonly RtasRecord[];
  readonly bootedBridges: readonly { readonly line: number; readonly generation: string }[];
  readonly linkTraces: readonly LinkTrace[];
  /** Devices that got no PE or no DMA window, so that their driver could not start. */
  readonly withoutPe: readonly PassedDevice[];
  /** Somebody injected an error. */
  readonly injections: readonly Remark[];
  /** Processor checks that firmware told of (HMI). */
  readonly processorChecks: readonly Remark[];
  /** The CAPI driver is at work, so every freeze becomes a fence. */
  readonly capiLines: readonly number[];
  /** Somebody reset the NVMe subsystem. */
  readonly subsystemResetLines: readonly number[];
  readonly lineCount: number;
  /** First and last line that holds any EEH text. */
  readonly eehLines: { readonly first: number; readonly last: number } | undefined;
}

/** Messages are short; a longer line is looked at only up to here. */
const LINE_LIMIT = 1000;
/** What stands so many lines before an event may belong to it. */
const NEAR = 400;
/** Remarks of one kind that are kept. */
const KEPT = 256;
/** PowerNV numbers its PEs below this; PowerVM names a PE by bus, device and function. */
export const LARGEST_POWERNV_PE = 0xfff;

const hex = (text: string): number => Number.parseInt(text, 16);
const ADDRESS = '[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]';
const NO_PE = new RegExp(`(${ADDRESS})\\s(pci_enable_device\\(\\) blocked)`);
const NO_WINDOW = new RegExp(`(${ADDRESS}): (Warning: IOMMU dma not supported)`);

/** "0030:0d:00.0 Non-Volatile" or without the domain: lspci starts its lines with an address. */
const MAYBE_LSPCI = /^(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7] /;

const INJECTIONS = ['err_injct', 'pnv_eeh_err_inject', 'EEH: Injecting', 'errinjct'] as const;
const PROCESSOR_CHECKS = [
  'Malfunction Alert',
  'Unknown Core check stop',
  'Fatal Hypervisor Maintenance interrupt',
] as const;
/** Words on accelerator cards and on resets of a subsystem, in any case. */
const MAYBE_CARD = /[Cc](?:[Xx][Ll]|[Aa][Pp][Ii])|[Ss][Uu][Bb][Ss][Yy][Ss]/;

export class ContextReader {
  readonly machine = new MachineMap();
  readonly #eeh = new EehReader();
  readonly #rtas = new RtasReader();
  readonly #aer = new AerReader();
  readonly #traces = new LinkTraceReader();
  readonly #thawRefused: { line: number; phb: number; pe: number; code: number }[] = [];
  readonly #thawOnFence: { line: number; phb: number }[] = [];
  readonly #bootedBridges: { line: number; generation: string }[] = [];
  readonly #withoutPe: PassedDevice[] = [];
  readonly #injections: Remark[] = [];
  readonly #processorChecks: Remark[] = [];
  #bypassDisabledLine: number | undefined;
  readonly #capiLines: number[] = [];
  readonly #subsystemResetLines: number[] = [];
  #eehLines: { first: number; last: number } | undefined;

  read({ number, text: whole }: TextLine): void {
    const text = whole.length > LINE_LIMIT ? whole.slice(0, LINE_LIMIT) : whole;
    if (text.includes('EEH:')) {
      this.#eehLines = { first: this.#eehLines?.first ?? number, last: number };
      this.#eeh.read(number, text);
    }
    this.#eeh.readComplaint(number, text);
    if (text.includes('pci')) this.#readPci(number, text);
    if (text.includes('PHB')) this.#readBridge(number, text);
    if (MAYBE_LSPCI.test(text)) this.machine.readLspci(text);
    this.#readRemarks(number, text);
    this.#rtas.read(number, text);
    this.#aer.read(number, text);
  }

  /** Events told so far. */
  get eventCount(): number {
    return this.#eeh.events.length + this.#rtas.recordCount;
  }

  finish(lineCount: number): LogContext {
    return {
      events: this.#eeh.events,
      machine: this.machine,
      bypassDisabledLine: this.#bypassDisabledLine,
      thawRefused: this.#thawRefused,
      thawOnFence: this.#thawOnFence,
      aerMessages: this.#aer.messages,
      rtasEvents: this.#rtas.finish(),
      bootedBridges: this.#bootedBridges,
      linkTraces: this.#traces.traces,
      withoutPe: this.#withoutPe,
      injections: this.#injections,
      processorChecks: this.#processorChecks,
      capiLines: this.#capiLines,
      subsystemResetLines: this.#subsystemResetLines,
      lineCount,
      eehLines: this.#eehLines,
    };
  }

  #readPci(line: number, text: string): void {
    this.machine.read(text);
    const blocked = text.includes(') blocked') ? NO_PE.exec(text) : null;
    if (blocked) keep(this.#withoutPe, { line, address: blocked[1]!, text: blocked[2]! });
  }

  #readBridge(line: number, text: string): void {
    const thaw = /unfreeze_pe: Failure (-?\d{1,9}) clear \d{1,9} on PHB#([0-9a-f]{1,8})-PE#([0-9a-f]{1,8})/.exec(text);
    if (thaw) keep(this.#thawRefused, { line, code: Number(thaw[1]), phb: hex(thaw[2]!), pe: hex(thaw[3]!) });
    const fenced = /PHB#([0-9a-fA-F]{4})\[[0-9a-f]{1,3}:[0-9a-f]{1,3}\]: eeh_freeze_clear on fenced PHB/.exec(text);
    if (fenced) keep(this.#thawOnFence, { line, phb: hex(fenced[1]!) });
    const boot = /Initializing (IODA\d?) PHB/.exec(text);
    if (boot) keep(this.#bootedBridges, { line, generation: boot[1]! });
    this.#traces.read(line, text);
  }

  #readRemarks(line: number, text: string): void {
    if (text.includes('IOMMU bypass window disabled')) this.#bypassDisabledLine ??= line;
    const window = text.includes('IOMMU dma') ? NO_WINDOW.exec(text) : null;
    if (window) keep(this.#withoutPe, { line, address: window[1]!, text: window[2]! });
    if (INJECTIONS.some((words) => text.includes(words))) keep(this.#injections, { line, text });
    const check = PROCESSOR_CHECKS.find((words) => text.includes(words));
    if (check !== undefined) keep(this.#processorChecks, { line, text: check });
    if (MAYBE_CARD.test(text)) this.#readCard(line, text);
  }

  #readCard(line: number, text: string): void {
    if (/\bcxl(?:-pci)?\b|\bcapi\b/i.test(text)) keep(this.#capiLines, line);
    if (/subsystem[- ]reset/i.test(text)) keep(this.#subsystemResetLines, line);
  }
}

/** Whether one of the lines is just before the event, or in the middle of it. */
export function isNear(lines: readonly number[], event: { readonly line: number; readonly lastLine: number }): boolean {
  return lines.some((line) => line <= event.lastLine + 1 && line >= event.line - NEAR);
}

/** The kind of bridge that the last boot before a line found. */
export function generationBefore(context: LogContext, line: number): string | undefined {
  return context.bootedBridges.findLast((boot) => boot.line <= line)?.generation;
}

function keep<T>(list: T[], entry: T): void {
  if (list.length < KEPT) list.push(entry);
}

export function readContext(lines: readonly TextLine[], lspci = ''): LogContext {
  const reader = new ContextReader();
  for (const line of lspci.split('\n')) reader.machine.readLspci(line);
  for (const line of lines) reader.read(line);
  return reader.finish(lines.at(-1)?.number ?? 0);
}
