import { describe, expect, it } from 'vitest';
import type { TextStreams } from '../../src/cli/host-streams.js';
import { regsCommand, runRegs } from '../../src/cli/regs.js';

function run(chip: string, name?: string, json = false): { status: number; out: string; err: string } {
  const text = { out: '', err: '' };
  const streams: TextStreams = {
    readFile: () => new Uint8Array(),
    out: (line) => (text.out += `${line}\n`),
    err: (line) => (text.err += `${line}\n`),
  };
  return { status: runRegs(chip, name, json ? { json } : {}, streams), ...text };
}

describe('phbsim regs', () => {
  it('shows one register with its bits, reset value, source and certainty', () => {
    const { status, out } = run('phb3', 'PHB_TCE_KILL');
    expect(status).toBe(0);
    expect(out).toContain('PHB_TCE_KILL  (PHB3, 0x210)');
    expect(out).toMatch(/3:51 {2}ADDRESS +DMA address bits 60:12/);
    expect(out).toMatch(/Source +linux pci-ioda\.c/);
    expect(out).toMatch(/Known +stated/);
  });

  it('finds a register by its offset and ignores case', () => {
    expect(run('phb3', '0x220').out).toContain('PHB_IODA_ADDR');
    expect(run('PHB3', 'phb_version').out).toContain('000000a300000005 (stated)');
  });

  it('lists what a part of a name matches, over registers and tables', () => {
    const { out } = run('phb3', 'pes');
    expect(out).toContain('PHB_PEST_BAR');
    expect(out).toContain('PESTA');
    expect(out).toContain('selector 8');
    expect(out).toContain('in memory');
  });

  it('lists everything without a name', () => {
    const lines = run('phb3').out.split('\n');
    expect(lines.length).toBeGreaterThan(230);
    expect(lines.some((line) => line.includes('NFIR_AND'))).toBe(true);
  });

  it('speaks JSON', () => {
    const entries = JSON.parse(run('phb3', 'TVT', true).out) as { name: string; fields: unknown[] }[];
    expect(entries.find((entry) => entry.name === 'TVT')?.fields.length).toBeGreaterThan(3);
  });

  it('says what is known when a name or chip is not', () => {
    expect(run('phb3', 'PHB_NONSENSE')).toMatchObject({ status: 1, out: '' });
    expect(run('phb3', 'PHB_NONSENSE').err).toContain('phbsim regs phb3 lists every name');
    expect(run('phb9').status).toBe(2);
    expect(run('phb9').err).toContain('known: phb3, p7ioc');
  });

  it('shows registers of the hub and of its bridges, each under its own bank', () => {
    expect(run('p7ioc', 'RGC_LDCP').out).toContain('RGC_LDCP  (P7IOC, 0x3e1c18)');
    const { out } = run('p7ioc', 'PHB_TCE_KILL');
    expect(out).toContain('PHB_TCE_KILL  (P7IOC PHB, 0x210)');
    expect(out).not.toContain('P7IOC, 0x210');
    expect(run('p7ioc', '0x198').out).toContain('0000000000000000');
  });

  it('shows the eighteen tables of an IODA1 bridge, the three of the hub, and how sure each is', () => {
    const entries = JSON.parse(run('p7ioc', undefined, true).out) as { bank: string; name: string; known: string }[];
    const ofBank = (bank: string): string[] => entries.filter((each) => each.bank === bank).map(({ name }) => name);
    expect(ofBank('on-chip table')).toHaveLength(18);
    expect(ofBank('hub table')).toEqual(['RGC HRT', 'RGC IST', 'RGC XIVT']);
    expect(ofBank('P7IOC').length).toBeGreaterThan(300);
    expect(entries.every(({ known }) => ['stated', 'derived', 'inferred', 'assumed'].includes(known))).toBe(true);
    expect(run('p7ioc', 'TVT').out).toContain('table of 128 x 128 bits');
  });

  it('has examples in its help', () => {
    let help = '';
    regsCommand()
      .configureOutput({ writeOut: (text) => (help += text) })
      .outputHelp();
    expect(help).toContain('phbsim regs phb3 PHB_TCE_KILL');
  });
});
