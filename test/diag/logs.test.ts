import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type ExplainedDump, explainLog } from '../../src/diag/explain.js';
import { formatReport } from '../../src/diag/report.js';
import { LOG_FOLDER, readLog } from './support.js';

const NAMES = readdirSync(LOG_FOLDER).sort();
const explain = (number: string) => explainLog(readLog(NAMES.find((name) => name.startsWith(number))!));
const dumps = (number: string) => explain(number).dumps;
const dump = (number: string): ExplainedDump => dumps(number)[0]!;
const roles = (explained: ExplainedDump) => explained.pes.map((pe) => [pe.first, pe.last, pe.role]);
const bitNames = (explained: ExplainedDump) =>
  explained.registers.flatMap((register) => register.bits.map((bit) => bit.name));

describe('a recorded DMA fault', () => {
  it.each([
    ['101', 0, 'DMA read'],
    ['103', 0xfd, 'DMA read'],
    ['104', 0xfd, 'DMA write'],
    ['106', 0xfd, 'DMA write'],
    ['108', 0xfd, 'DMA read'],
    ['110', 0x1fa, 'DMA read'],
  ])('%s is a DMA to an unmapped page by the PE the chip charges, with its direction', (number, pe, access) => {
    const explained = dump(number);
    expect(explained.event).toBe('dma-unmapped');
    expect(explained.culprit).toBe(pe);
    expect(explained.sentence).toContain(access);
    expect(explained.chain).toEqual(['LEM[56]', 'PHB_ERR[22]', 'RXE_TCE[2]']);
    expect(explained.scope).toBe('pes');
    expect(explained.suspect).toBe('driver or device');
    expect(explained.address).toBeUndefined();
    expect(explained.notes.join(' ')).toContain('address was not recorded');
  });

  it('103 survives a mailer that wrapped every trap line', () => {
    const explained = dump('103');
    expect(explained.dump.problems).toEqual([]);
    expect(explained.dump.words.get('phbRegbErrorLog1')?.value).toBe(0n);
    expect(explained.dump.words.get('phbErrorLog1')?.value).toBe(0xa008400000000000n);
    expect(bitNames(explained)).toEqual(expect.arrayContaining(['RXE_TCE[1]', 'RXE_TCE[2]', 'PBL[46]', 'REGB[25]']));
    expect(explained.sentence).toContain('PE 0fd (0002:01:00.0, aacraid)');
    expect(explained.notes.join(' ')).toContain('without the IOMMU bypass (line 2)');
  });

  it("104 shows the kernel's and the firmware's view of one event, with equal registers", () => {
    const [kernel, firmware] = dumps('104');
    expect([kernel!.dump.form, firmware!.dump.form]).toEqual(['linux', 'opal']);
    expect(firmware!.sameEventAs).toBe(1);
    expect(firmware!.dump.phbText).toBe('0002');
    for (const [name, entry] of kernel!.dump.words)
      expect(firmware!.dump.words.get(name)?.value, name).toBe(entry.value);
    expect(bitNames(firmware!)).toContain('REGB[9]');
    expect(firmware!.event).toBe('dma-unmapped');
  });

  it('110 tells the PE that faulted from the PE that Linux reported', () => {
    const explained = dump('110');
    expect(explained.reportedPe).toBe(0x1fb);
    expect(roles(explained)).toEqual([
      [0x1fa, 0x1fa, 'faulted'],
      [0x1fb, 0x1fb, 'noticed'],
    ]);
    expect(explained.sentence).not.toContain('0030:0d:00.0');
    expect(explained.notes.join(' ')).toContain(
      'Linux reported PE 1fb (0030:0d:00.0, nvme), but the chip charges PE 1fa',
    );
  });
});

describe('a recorded failed completion', () => {
  it('111 is a config read that a bridge above the device refused, and an old record of another PE', () => {
    const explained = dump('111');
    expect(explained.event).toBe('completion-ur');
    expect(explained.decidedBy).toBe('PBL[39]');
    expect(explained.sentence).toContain('a config read to PE 1fb (0030:0d:00.0, nvme)');
    expect(explained.notes.join(' ')).toContain('The answer came from 02:06.0, a bridge above 0d:00.0');
    expect(roles(explained)).toEqual([
      [0x1fa, 0x1fa, 'stale'],
      [0x1fb, 0x1fb, 'faulted'],
    ]);
    expect(explained.notes.join(' ')).toContain('did not answer');
  });

  it('114 is a completion timeout that fenced the bridge; 511 PEs are one line', () => {
    const explained = dump('114');
    expect(explained.event).toBe('completion-timeout');
    expect(explained.chain.at(-1)).toBe('PBL[47]');
    expect(explained.scope).toBe('bridge');
    expect(roles(explained)).toEqual([
      [0, 0x1fe, 'fenced'],
      [0x1ff, 0x1ff, 'possible'],
    ]);
    expect(explained.sentence).not.toContain('1ff');
    expect(explained.notes.join(' ')).toContain('could not thaw PE 1ff (error -6, line 7) because the PHB was fenced');
    expect(formatReport(explain('114'), '114').split('\n').length).toBeLessThan(70);
  });

  it('115 is a refused MMIO load over a link with errors on every lane', () => {
    const explained = dump('115');
    expect(explained.event).toBe('completion-ur');
    expect(explained.culprit).toBe(0x1fd);
    expect(explained.sentence).toContain('an MMIO load to PE 1fd');
    expect(explained.sentence).toContain('from 05:00.0');
    expect(explained.notes.join(' ')).toContain('on all 16 lanes');
  });
});

describe('a cut log', () => {
  it('116 names the nest FIR bit and the dead link, and says that the dump is cut', () => {
    const explained = dump('116');
    expect(explained.dump.fenceDetected).toBe(true);
    expect(explained.event).toBe('nest-hardware');
    expect(explained.sentence).toContain('NEST_FIR[4]');
    expect(explained.sentence).toContain('link is down');
    expect(explained.notes[0]).toMatch(/cut: 46 of 53 registers are missing, from devSecStatus on/);
  });

  it('001 holds a header and nothing else, and says so', () => {
    const explained = dump('001');
    expect(explained.event).toBe('dump-cut');
    expect(explained.sentence).toContain('PHB fenced before (line 2)');
    expect(formatReport(explain('001'), '001')).toContain('Capture the lines after the header');
  });

  it('002 ends before the dump: the frozen PE and what to capture are named', () => {
    const { without } = explain('002');
    expect(without?.found).toEqual([
      { kind: 'eeh-event', line: 6, text: 'PE fd of PHB#1 frozen (0001:04:00.0), at U78CB.001.WZS0030-P1-C14' },
    ]);
    expect(without?.advice[0]).toContain('ends before the kernel printed the dump');
  });
});

describe('a log without a dump', () => {
  it('010 is a boot of six P7IOC bridges where nothing failed', () => {
    const { without } = explain('010');
    expect(without?.found).toEqual([{ kind: 'boot', line: 4, text: 'a kernel boot with 6 bridges, P7IOC (POWER7)' }]);
    expect(without?.advice[0]).toContain('Nothing failed');
  });

  it.each(['204', '206'])('%s is a PowerVM guest, whose log never holds a dump', (number) => {
    const { without } = explain(number);
    expect(without?.found.map((entry) => entry.kind)).toContain('rtas-eeh-event');
    expect(without?.advice[0]).toContain('hypervisor keeps the bridge registers');
  });

  it('204 counts its freezes and which were given up', () => {
    const texts = explain('204').without!.found.map((entry) => entry.text);
    expect(texts[0]).toBe('PE 800000 of PHB#134 frozen (0134:80:00.0), given up by Linux');
    expect(texts.length).toBeGreaterThanOrEqual(3);
  });

  it('201 is an RTAS event with its reference code', () => {
    expect(explain('201').without?.found[0]).toEqual({
      kind: 'rtas-event',
      line: 2,
      text: 'RTAS event 22793, reference code BA188002',
    });
  });

  it("118 is the firmware's link training trace", () => {
    expect(explain('118').without?.found[0]?.kind).toBe('link-trace');
  });
});

it('every recorded log gives a report without a crash and within one screen width', () => {
  for (const name of NAMES) {
    const report = formatReport(explainLog(readLog(name)), name);
    expect(report.length, name).toBeGreaterThan(100);
    for (const line of report.split('\n')) expect(line.length, line).toBeLessThanOrEqual(118);
  }
});

describe('other things a log can hold', () => {
  it('EEH messages without a freeze', () => {
    const { without } = explainLog('hello\nEEH: PowerNV platform initialized\n');
    expect(without?.summary).toContain('EEH messages from line 2, but no freeze or fence');
  });

  it('a fence whose dump was never printed', () => {
    const { without } = explainLog('EEH: Fenced PHB#2 detected, location: N/A\na\nb\nc\n');
    expect(without?.found[0]?.text).toBe('PHB#2 fenced');
    expect(without?.advice.join(' ')).toContain('Capture dmesg');
  });
});
