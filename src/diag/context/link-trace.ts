/** Firmware's trace of a link coming up after a reset. Facts: phb4-diag 2.4 (DLP train control). */
export interface TraceStep {
  readonly line: number;
  /** "polling", "L0" */
  readonly state: string;
  readonly generation: number;
  readonly width: number;
  readonly trained: boolean;
}

/** One attempt: from a complete reset (or the start of the log) to the next. */
export interface LinkTrace {
  readonly phb: number | undefined;
  readonly line: number;
  lastLine: number;
  readonly steps: TraceStep[];
  /** Trained before firmware let the card out of its reset. */
  trainedInReset: boolean;
  /** Firmware let go of PERST. */
  released: boolean;
  wentDownLine: number | undefined;
  timedOutLine: number | undefined;
  fencedLine: number | undefined;
  stableLine: number | undefined;
}

const MOST_STEPS = 1000;

export class LinkTraceReader {
  readonly traces: LinkTrace[] = [];
  readonly #open = new Map<number | undefined, LinkTrace>();

  read(line: number, text: string): void {
    if (!text.includes(']: ')) return;
    const said = /PHB#([0-9a-fA-F]{4})\[[0-9a-f]{1,3}:[0-9a-f]{1,3}\]: (TRACE|LINK|FRESET|CRESET)\b:?(.{0,80})/.exec(
      text,
    );
    if (said === null) return;
    const phb = Number.parseInt(said[1]!, 16);
    const words = said[3]!;
    const restarts = said[2] === 'CRESET' && /Starts/.test(words);
    const trace = this.#traceOf(phb, line, restarts);
    trace.lastLine = line;
    if (said[2] === 'TRACE') readStep(trace, line, words);
    if (/FRESET/.test(said[2]!) && /Deassert/.test(words)) trace.released = true;
    if (/Went down waiting/.test(words)) trace.wentDownLine ??= line;
    if (/Timeout waiting for link|won't train|no electrical link|degraded or unstable/.test(words))
      trace.timedOutLine ??= line;
    if (/PHB fenced/.test(words)) trace.fencedLine ??= line;
    if (/Link is stable/.test(words)) trace.stableLine ??= line;
  }

  #traceOf(phb: number, line: number, restarts: boolean): LinkTrace {
    const open = this.#open.get(phb);
    if (open !== undefined && !restarts) return open;
    const trace: LinkTrace = {
      phb,
      line,
      lastLine: line,
      steps: [],
      trainedInReset: false,
      released: false,
      wentDownLine: undefined,
      timedOutLine: undefined,
      fencedLine: undefined,
      stableLine: undefined,
    };
    this.#open.set(phb, trace);
    this.traces.push(trace);
    return trace;
  }
}

function readStep(trace: LinkTrace, line: number, words: string): void {
  const step = /0x[0-9a-f]{16}\s+\d{1,6}ms\s+(\w*)\s+GEN(\d{1,2}):x(\d{1,2}):(\w{1,12})/.exec(words);
  if (step === null || trace.steps.length >= MOST_STEPS) return;
  const trained = step[1] === 'trained';
  if (trained && !trace.released) trace.trainedInReset = true;
  trace.steps.push({ line, state: step[4]!, generation: Number(step[2]), width: Number(step[3]), trained });
}
