// Each public log, and the cause that is known of it: stated by the people there, or read from the bits.
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { explainLog } from '../../src/diag/explain.js';
import type { FaultEvent } from '../../src/diag/fault/fault.js';
import { formatReport } from '../../src/diag/report.js';
import { LOG_FOLDER, readLog } from './support.js';

const NAMES = readdirSync(LOG_FOLDER).sort();
const eventsOf = (number: string): readonly FaultEvent[] =>
  explainLog(readLog(NAMES.find((name) => name.startsWith(number))!)).events;
const eventOf = (number: string): FaultEvent => eventsOf(number)[0]!;
const evidenceText = (event: FaultEvent): string => event.evidence.map((item) => item.text).join(' | ');
const adviceText = (event: FaultEvent): string => event.advice.map((item) => `${item.text} ${item.why}`).join(' | ');

describe('the verdict on a public log', () => {
  it.each([
    ['001', 'phb3', 'phb-fenced', 'unknown', 'possible'],
    ['002', 'unknown', 'pe-frozen', 'unknown', 'possible'],
    ['015', 'unknown', 'informative', 'dma-not-capable', 'likely'],
    ['101', 'phb4', 'pe-frozen', 'dma-iommu-fault', 'certain'],
    ['103', 'phb4', 'pe-frozen', 'dma-iommu-fault', 'certain'],
    ['104', 'phb4', 'pe-frozen', 'dma-iommu-fault', 'certain'],
    ['106', 'phb4', 'pe-frozen', 'dma-iommu-fault', 'certain'],
    ['108', 'phb4', 'pe-frozen', 'dma-iommu-fault', 'certain'],
    ['110', 'phb4', 'pe-frozen', 'dma-iommu-fault', 'certain'],
    ['111', 'phb4', 'pe-frozen', 'unsupported-request', 'certain'],
    ['114', 'phb4', 'phb-fenced', 'completion-timeout', 'certain'],
    ['115', 'phb4', 'pe-frozen', 'unsupported-request', 'likely'],
    ['116', 'phb5', 'phb-fenced', 'link-loss', 'likely'],
    ['118', 'phb4', 'informative', 'link-loss', 'likely'],
    ['201', 'rtas', 'pe-frozen', 'unknown', 'possible'],
    ['204', 'rtas', 'pe-frozen', 'mmio-error', 'likely'],
    ['206', 'rtas', 'pe-frozen', 'link-loss', 'likely'],
  ])('%s: %s, %s, %s, %s', (number, chip, severity, type, certainty) => {
    const event = eventOf(number);
    expect([event.chip, event.severity, event.cause.type, event.cause.certainty]).toEqual([
      chip,
      severity,
      type,
      certainty,
    ]);
  });

  it.each(['010', '012', '013'])('%s is a boot where nothing failed', (number) => {
    expect(eventsOf(number)).toEqual([]);
  });
});

describe('what the log of', () => {
  it('001 tells although it is cut: a CAPI card that was being reset', () => {
    const event = eventOf('001');
    expect(event.phb).toBe(2);
    expect(event.verdict).toContain('CAPI');
    expect(event.verdict).toContain('resetting');
    expect(event.alternatives.map(({ type }) => type)).toContain('link-loss');
    expect(event.recovery?.failures).toBe(3);
  });

  it('002 tells: the PE, the device, and that the registers come next', () => {
    const event = eventOf('002');
    expect([event.phb, event.reportedPe]).toEqual([1, 0xfd]);
    expect(event.devices[0]).toMatchObject({ address: '0001:04:00.0', ids: '1014:034a' });
    expect(adviceText(event)).toContain('The log ends before');
  });

  it('015 tells: one device without a PE, another without a DMA window', () => {
    const [first, second] = eventsOf('015');
    expect(first!.verdict).toContain('0020:0e:00.0 belongs to no PE');
    expect(second!.verdict).toContain('0001:0d:00.0 came back without a DMA window');
  });

  it('103 and 104 advises about the bypass that is off', () => {
    expect(adviceText(eventOf('103'))).toContain('without iommu=nobypass');
    expect(eventOf('103').cause.direction).toBe('read');
    expect(eventOf('104').cause.direction).toBe('write');
  });

  it('104 tells one event, seen by kernel and firmware', () => {
    const events = eventsOf('104');
    expect(events).toHaveLength(1);
    expect(events[0]!.dumps.map(({ dump }) => dump.form)).toEqual(['linux', 'opal']);
  });

  it('110 tells: PE 1fa faulted, PE 1fb noticed, and the recovery was none', () => {
    const event = eventOf('110');
    expect([event.reportedPe, event.faultedPe, event.frozenPes]).toEqual([0x1fb, 0x1fa, [0x1fa, 0x1fb]]);
    expect(event.devices).toMatchObject([{ address: '0030:0d:00.0', driver: 'nvme', part: 'noticed' }]);
    expect(event.recovery).toMatchObject({ outcome: 'recovered', failures: 1, limit: 5 });
    expect(event.recovery?.doubts.map(({ text }) => text)).toContainEqual(expect.stringContaining('giving up'));
    expect(adviceText(event)).toContain('Do not trust "Recovery successful"');
  });

  it('111 tells: the port above answered, and the record of PE 1fa is old', () => {
    const event = eventOf('111');
    expect([event.faultedPe, event.cause.requester, event.cause.direction]).toEqual([0x1fb, '02:06.0', 'read']);
    expect(event.primary?.pes.map(({ role }) => role)).toEqual(['stale', 'faulted']);
    expect(adviceText(event)).toContain('Look below 02:06.0');
    expect(event.recovery?.outcome).toBe('not-recovered');
  });

  it('114 tells: most likely the first config read of a bus scan; no PE is charged', () => {
    const event = eventOf('114');
    expect(event.phb).toBe(0x33);
    expect(event.faultedPe).toBeUndefined();
    expect(event.frozenPes).toHaveLength(512);
    expect(event.verdict).toContain('first config read of 01:00.0 while the bus was scanned');
  });

  it('115 tells: a bad link is the other reading, so reseating has a reason', () => {
    const event = eventOf('115');
    expect(event.alternatives[0]).toMatchObject({ type: 'link-loss' });
    expect(adviceText(event)).toContain('Reseat the card');
  });

  it('101 to 111 never advises to reseat a card for a DMA fault', () => {
    for (const number of ['101', '103', '104', '106', '108', '110', '111']) {
      expect(adviceText(eventOf(number)), number).not.toContain('Reseat');
    }
  });

  it('118 tells: the card trains while PERST is asserted', () => {
    const event = eventOf('118');
    expect(event.phb).toBe(1);
    expect(event.verdict).toContain('ignores the slot');
    expect(evidenceText(event)).toContain('trained to gen3 x8 before firmware released PERST');
    expect(eventsOf('118')).toHaveLength(1);
  });

  it('201 tells: the record, its reference code, the parts it calls out', () => {
    const { rtas, verdict, location } = eventOf('201');
    expect(rtas).toMatchObject({ version: 6, severity: 'warning', type: 'platform error', referenceCode: 'BA188002' });
    expect(rtas?.sections).toEqual(expect.arrayContaining(['PH', 'UH', 'PS', 'MT', 'UD']));
    expect(rtas?.callouts).toEqual([
      { priority: 'H', location: 'U787A.001.DNZ00Z5-P1-C3' },
      { priority: 'L', location: 'U787A.001.DNZ00Z5-P1' },
    ]);
    expect(verdict).toContain('could not recover');
    expect(location).toBe('U787A.001.DNZ00Z5-P1-C3');
  });

  it('204 tells three freezes, the first for good, the second recovered, the third cut', () => {
    const events = eventsOf('204');
    expect(events.map(({ recovery }) => recovery?.outcome)).toEqual(['not-recovered', 'recovered', 'unknown']);
    expect(events[0]!.verdict).toContain('inside its own slot_reset');
    expect(events[0]!.recovery?.failures).toBe(6);
  });

  it('206 tells: the reset itself took the link', () => {
    const event = eventOf('206');
    expect(event.verdict).toContain('subsystem reset takes the link down');
    expect(event.recovery?.outcome).toBe('not-recovered');
    expect(event.devices[0]).toMatchObject({ driver: 'nvme', ids: '1e0f:0025' });
  });
});

it('every report opens with the verdict, gives a reason for each advice, and fits a screen', () => {
  for (const name of NAMES) {
    const explanation = explainLog(readLog(name));
    const lines = formatReport(explanation, name).split('\n');
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(118);
    for (const event of explanation.events) {
      expect(lines.join(' ').replace(/\s+/g, ' ')).toContain(event.verdict.slice(0, 40));
      for (const advice of event.advice) expect(advice.why.length, name).toBeGreaterThan(10);
    }
  }
});

it('all logs in one text give the events of each', () => {
  const key = ({ phb, cause, faultedPe, recovery }: FaultEvent) => [
    phb,
    cause.type,
    cause.certainty,
    faultedPe,
    recovery?.outcome,
  ];
  const single = NAMES.flatMap((name) => explainLog(readLog(name)).events.map(key));
  expect(explainLog(NAMES.map(readLog).join('\n')).events.map(key)).toEqual(single);
});
