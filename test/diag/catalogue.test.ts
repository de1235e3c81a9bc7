// Every fault of the catalogue strikes the simulated PHB3; what its kernel prints is explained: registers and cause come back.
// No whole dump of a real PHB3 is public, so these synthetic ones are the test set.
import { describe, expect, it } from 'vitest';
import { explainLog } from '../../src/diag/explain.js';
import type { CauseType, Certainty, FaultEvent } from '../../src/diag/fault/fault.js';
import { decodePhb3DiagData, PHB3_LAYOUT } from '../../src/diag/phb3/layout.js';
import { FAULT_KINDS, FAULTS, type FaultDeclaration, type FaultKind } from '../../src/faults/catalogue.js';
import { readScenario } from '../../src/scenario/read-scenario.js';
import { type RunResult, runScenario } from '../../src/scenario/runner.js';

interface Told {
  readonly type: CauseType;
  readonly certainty: Certainty;
  readonly direction?: 'read' | 'write';
  /** What else the answer names. */
  readonly or?: CauseType;
  readonly parameters?: string;
  readonly read?: 'config';
}

/** What the answer says of each kind that the kernel tells of. Faults it never hears of are in `SILENT`. */
const TOLD: Partial<Record<FaultKind, Told>> = {
  'dma-write-unmapped': { type: 'dma-iommu-fault', certainty: 'certain', direction: 'write' },
  'dma-read-unmapped': { type: 'dma-iommu-fault', certainty: 'certain', direction: 'read' },
  'dma-write-readonly': { type: 'dma-permission', certainty: 'certain', direction: 'write' },
  'dma-read-writeonly': { type: 'dma-permission', certainty: 'certain', direction: 'read' },
  'dma-outside-window': { type: 'dma-iommu-fault', certainty: 'likely', direction: 'write' },
  'foreign-requester': { type: 'dma-iommu-fault', certainty: 'likely', direction: 'write' },
  'poisoned-write': { type: 'pcie-ue', certainty: 'likely' },
  'poisoned-completion': { type: 'pcie-ue', certainty: 'likely' },
  'foreign-msi': { type: 'msi-error', certainty: 'likely' },
  'completer-abort': { type: 'completer-abort', certainty: 'certain', direction: 'read' },
  'unsupported-request': { type: 'unsupported-request', certainty: 'certain', direction: 'read' },
  // One bit of the bridge stands for an abort and a timeout: the root port's status decides, and not for sure.
  'completion-timeout': { type: 'completion-timeout', certainty: 'likely', or: 'completer-abort' },
  'card-deaf': { type: 'completion-timeout', certainty: 'likely', or: 'completer-abort' },
  'request-retry': { type: 'unsupported-request', certainty: 'certain', parameters: 'requests: memory' },
  // To the bridge a card behind a switch that is gone is an answer of the switch.
  'link-bounce': { type: 'unsupported-request', certainty: 'certain' },
  'link-lost': { type: 'unsupported-request', certainty: 'certain', or: 'link-loss' },
  'err-fatal': { type: 'pcie-ue', certainty: 'likely' },
  'err-nonfatal': { type: 'pcie-ue', certainty: 'likely' },
  'function-error': { type: 'pcie-ue', certainty: 'likely' },
  'malformed-tlp': { type: 'pcie-ue', certainty: 'likely' },
  '4k-crossing': { type: 'pcie-ue', certainty: 'likely' },
  'io-request': { type: 'unknown', certainty: 'possible' },
  fence: { type: 'operator-injected', certainty: 'possible', or: 'internal-error' },
};

/** Corrected below the bridge, or without consequence there: the kernel's log has nothing to explain. */
const SILENT: readonly FaultKind[] = [
  'err-corr',
  'reset-stuck',
  'ecrc-error',
  'lcrc-error',
  'receiver-error',
  'bad-dllp',
  'link-noise',
  'link-retrain',
  'lane-failure',
  'equalization-failure',
  'credit-stall',
];

/** A card alone below the root port finds what a switch would keep for itself. */
const ALONE: readonly FaultKind[] = ['malformed-tlp', '4k-crossing', 'io-request', 'function-error'];

const ofPhb3 = FAULT_KINDS.filter((kind) => ((FAULTS[kind] as FaultDeclaration).chips ?? ['phb3']).includes('phb3'));

interface Manner {
  readonly parameters?: string | undefined;
  readonly waits: boolean;
  readonly chip?: 'phb3' | 'p7ioc';
}

function strike(kind: FaultKind, { parameters, waits, chip = 'phb3' }: Manner): RunResult {
  const { hits }: FaultDeclaration = FAULTS[kind];
  const device = hits.includes('phb') ? 'phb0' : 'slot1';
  const more = parameters === undefined ? '' : `, ${parameters}`;
  const text = [
    `name: ${kind}`,
    'about: One fault.',
    'machine:',
    `  chip: ${chip}`,
    '  slots:',
    '    1: { device: nic, driver: recovering }',
    ...(ALONE.includes(kind) ? [] : ['    2: { device: nic, driver: recovering }']),
    'faults:',
    `  - { at: 5 ms, kind: ${kind}, device: ${device}${more} }`,
    'expect:',
    waits ? '  - { log: "Diag-data (Version", within: 3 s }' : '  - { no-log: "EEH: Recovering" }',
    waits ? 'settle: 1 ms' : 'until: 200 ms',
  ];
  return runScenario(readScenario(kind, text.join('\n')));
}

const kernelText = ({ observer }: RunResult): string => observer.log.map(({ text }) => text).join('\n');

/** The buffer that firmware filled, of the PE that the kernel charges. */
function capturedBuffer({ system }: RunResult): Uint8Array {
  const pes = [system.slot('slot1')?.pe, 'phb'] as const;
  const buffers = pes.map((pe) => (pe === undefined ? undefined : system.kernel.pe(0, pe)?.diagData));
  return buffers.find((bytes) => bytes?.some((byte) => byte !== 0)) ?? new Uint8Array(0);
}

function wordsBack(event: FaultEvent, buffer: Uint8Array): void {
  const { fields, pestA, pestB } = decodePhb3DiagData(buffer);
  const { words, pest } = event.primary!.dump;
  for (const line of PHB3_LAYOUT.lines) {
    const isPrinted = line.shownIf.some((name) => fields[name] !== 0n);
    for (const name of line.fields) expect(words.get(name)?.value, name).toBe(isPrinted ? fields[name] : undefined);
  }
  const back = new Map<number, string>();
  for (const { first, last, a, b } of pest) for (let pe = first; pe <= last; pe++) back.set(pe, `${a} ${b}`);
  for (const [pe, a] of pestA.entries()) {
    const isFrozen = (a | pestB[pe]!) >> 63n === 1n;
    // The kernel leaves the end of a run that reaches the last PE open.
    const isOpen = isFrozen && !back.has(pe) && pest.at(-1)!.last < pe && pestA[pe - 1] === a;
    if (!isOpen) expect(back.get(pe), `PE ${pe}`).toBe(isFrozen ? `${a} ${pestB[pe]!}` : undefined);
  }
}

it('every fault that a machine with PHB3 can have is told of, or known to be silent', () => {
  expect([...Object.keys(TOLD), ...SILENT].sort()).toEqual([...ofPhb3].sort());
});

describe('what the kernel prints when a fault has struck the simulated PHB3', () => {
  it.each(Object.entries(TOLD) as [FaultKind, Told][])('%s: the cause comes back', (kind, told) => {
    const result = strike(kind, { parameters: told.parameters, waits: true });
    expect(result.observer.strikes[0]?.missed).toBeUndefined();
    const { events } = explainLog(kernelText(result));
    const event = events[0]!;
    expect(event.chip).toBe('phb3');
    expect([event.cause.type, event.cause.certainty]).toEqual([told.type, told.certainty]);
    if (told.direction !== undefined) expect(event.cause.direction).toBe(told.direction);
    if (told.or !== undefined) expect(event.alternatives.map(({ type }) => type)).toContain(told.or);
    const address = result.observer.strikes[0]?.address;
    if (told.type.startsWith('dma-')) expect(event.cause.address).toBe(address);
  });

  it.each(Object.keys(TOLD) as FaultKind[])('%s: each register and each PEST word comes back', (kind) => {
    const result = strike(kind, { parameters: TOLD[kind]!.parameters, waits: true });
    const { events } = explainLog(kernelText(result));
    const buffer = capturedBuffer(result);
    // The kernel prints what it does not keep where no PE of its own is concerned.
    if (buffer.length === 0) expect(['foreign-requester', 'io-request']).toContain(kind);
    else wordsBack(events[0]!, buffer);
    expect(events[0]!.primary!.dump.problems).toEqual([]);
  });

  it.each(SILENT)('%s leaves nothing to explain', (kind) => {
    expect(explainLog(kernelText(strike(kind, { waits: false }))).events).toEqual([]);
  });
});

/** Registers of this chip are compared in p7ioc-chip.test.ts. */
const TOLD_OF_P7IOC = [
  'dma-write-unmapped',
  'dma-read-unmapped',
  'dma-write-readonly',
  'dma-read-writeonly',
  'foreign-msi',
  'poisoned-write',
  'completer-abort',
  'unsupported-request',
  'completion-timeout',
  'err-fatal',
  'err-nonfatal',
] as const satisfies readonly FaultKind[];

describe('what the kernel prints when a fault has struck the simulated P7IOC', () => {
  it.each(TOLD_OF_P7IOC)('%s: the cause comes back, and nothing is called certain', (kind) => {
    const { events } = explainLog(kernelText(strike(kind, { waits: true, chip: 'p7ioc' })));
    const [event] = events;
    expect(event!.chip).toBe('p7ioc');
    expect([event!.cause.type, event!.cause.certainty]).toEqual([TOLD[kind]!.type, 'likely']);
    expect(event!.cause.direction).toBe(TOLD[kind]!.direction ?? event!.cause.direction);
  });
});
