import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explainCommand, runExplain } from '../../src/cli/explain.js';
import { encodePhb3DiagData, formatPhb3DiagData } from '../../src/diag/phb3/layout.js';
import { readScenario } from '../../src/scenario/read-scenario.js';

const LOGS = join(import.meta.dirname, '../diag/logs');
const NVME = join(LOGS, '110-phb4-nvme-6.15rc2-event1-pe1fa-1fb.txt');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'explain-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(name: string, options = {}): { status: number; out: string; err: string } {
  const texts = { out: '', err: '' };
  const readFile = (path: string) => readFileSync(path);
  const status = runExplain(name, options, {
    readFile,
    out: (text) => (texts.out += text),
    err: (text) => (texts.err += text),
  });
  return { status, ...texts };
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe('phbsim explain', () => {
  it('puts the verdict before the registers, the registers before the PEs', () => {
    const { status, out } = run(NVME);
    expect(status).toBe(0);
    const places = [
      'A DMA read by the device in PE 1fa',
      'First error  LEM[56]',
      '* RXE_TCE[2]',
      'FAULTED',
      'noticed (same words as PE 1fa)',
    ].map((text) => out.indexOf(text));
    expect(places.every((place, i) => place > (places[i - 1] ?? 0))).toBe(true);
    expect(out).toContain('1. PE FROZEN: DMA to an unmapped page, PHB4 PHB#30 (48 in the dump), lines 2-84');
    expect(out).toContain('Kernel dump, lines 40-50');
  });

  it('writes a scenario of the first event that can be repeated, or of the one that is asked for', () => {
    const freezes = join(LOGS, '204-rtas-ipr-reset-5.15rc1-6-freezes.txt');
    const { status, out } = run(freezes, { scenario: true });
    expect(status).toBe(0);
    expect(out).toMatch(/^# Written by phbsim explain --scenario from lines 4 to 49 of 204-rtas/);
    expect(readScenario('again.yaml', out).name).toBe('204-rtas-ipr-reset-5-15rc1-6-freezes-event-1');
    expect(run(freezes, { scenario: true, event: 2 }).out).toContain('votes: { mmio_enabled: need reset }');
  });

  it('says why there is no scenario', () => {
    const freezes = join(LOGS, '204-rtas-ipr-reset-5.15rc1-6-freezes.txt');
    expect(run(freezes, { scenario: true, event: 3 })).toMatchObject({ status: 1, out: '' });
    expect(run(freezes, { scenario: true, event: 3 }).err).toMatch(/no scenario of event 3: the log does not tell/);
    expect(run(freezes, { scenario: true, event: 4 }).err).toContain('there is no event 4: the log has 3');
    expect(run(file('quiet.txt', 'nothing\n'), { scenario: true }).err).toContain('no event in it');
    const command = explainCommand()
      .exitOverride()
      .configureOutput({ writeErr: () => {} });
    expect(() => command.parse(['x', '--scenario', '--event', '0'], { from: 'user' })).toThrow(/number of an event/);
    expect(() => command.parse(['x', '--scenario', '--json'], { from: 'user' })).toThrow(/cannot be used with/);
    expect(run(freezes, { event: 2 }).err).toContain('give --scenario too');
  });

  it('gives the same facts as JSON', () => {
    const { out } = run(NVME, { json: true });
    const { events } = JSON.parse(out) as { events: Record<string, unknown>[] };
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      chip: 'phb4',
      phb: 48,
      severity: 'pe-frozen',
      cause: { type: 'dma-iommu-fault', certainty: 'certain', direction: 'read', address: null, requester: null },
      faultedPe: 0x1fa,
      reportedPe: 0x1fb,
      frozenPes: [0x1fa, 0x1fb],
      firstErrorChain: ['LEM[56]', 'PHB_ERR[22]', 'RXE_TCE[2]'],
      recovery: { outcome: 'recovered', failures: 1, limit: 5 },
      pest: [
        {
          first: 0x1fa,
          role: 'faulted',
          pestA: '8300b03800000000',
          record: { type: 'DMA read response', lemBit: 56, address: null },
        },
        { first: 0x1fb, role: 'noticed', sameAs: 0x1fa },
      ],
    });
  });

  it('writes every kind of address of a record, as text and as JSON', () => {
    const frozen = 1n << 63n;
    const data = {
      fields: { lemFir: 1n << 28n },
      pestA: [0x8000802300000000n, 0x8480002300000000n, 0xa880002300000000n, 0x8100802300001234n],
      pestB: [frozen | 0x203974c00000n, frozen | 0x3fe080000000n, frozen | 0x0e000010n, frozen],
    };
    const log = file('addresses.txt', formatPhb3DiagData(data, 3).join('\n'));
    const { out } = run(log);
    for (const text of [
      'PCI address 0x0000203974c00000',
      'MMIO address 0x00003fe080000000',
      'config 0e:00.0 register 0x010',
      'MSI data 0x1234',
    ]) {
      expect(out).toContain(text);
    }
    const { events } = JSON.parse(run(log, { json: true }).out) as {
      events: { pest: { record: { address: unknown } }[] }[];
    };
    expect(events[0]!.pest.map((pe) => pe.record.address)).toEqual([
      { kind: 'dma', address: '0000203974c00000', window: 'none' },
      { kind: 'mmio', address: '00003fe080000000', window: null },
      { kind: 'config', function: '0e:00.0', register: 16 },
      null,
    ]);
  });

  it('counts the runs of PEs it does not show', () => {
    const words = Array.from({ length: 100 }, (_, pe) => (1n << 63n) | BigInt(pe << 16));
    const log = file(
      'many.txt',
      formatPhb3DiagData({ fields: { brdgCtl: 2n }, pestA: words, pestB: words }, 3).join('\n'),
    );
    expect(run(log).out).toContain('... and 76 more runs of PEs');
  });

  it('answers a log without a dump with status 0', () => {
    const { status, out } = run(file('clean.txt', 'all is well\n'));
    expect(status).toBe(0);
    expect(out).toContain('No register dump in this log (1 line read), and no EEH message.');
    expect(JSON.parse(run(file('clean.txt', 'fine\n'), { json: true }).out)).toMatchObject({
      events: [],
      remarks: [],
    });
  });

  it.each([
    ['missing.txt', undefined, 'no such file'],
    ['.', undefined, 'is a directory'],
    ['empty.txt', '', 'empty'],
    ['blank.txt', ' \n\n', 'empty'],
    ['binary.bin', new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 0, 1, 2]), 'binary data'],
    ['noise.bin', Uint8Array.from({ length: 4096 }, (_, i) => (i % 31) + 1), 'binary data'],
    ['bad.gz', new Uint8Array([0x1f, 0x8b, 8, 0, 1, 2, 3]), 'damaged'],
  ])('refuses %s with status 1 and says why', (name, content, why) => {
    const path = content === undefined ? join(folder, name) : file(name, content);
    const { status, out, err } = run(path);
    expect([status, out]).toEqual([1, '']);
    expect(err).toContain('phbsim explain: ');
    expect(err).toContain(why);
  });

  it('calls standard input by its name', () => {
    const texts: string[] = [];
    const streams = { readFile: () => new Uint8Array(), out: () => {}, err: (text: string) => texts.push(text) };
    expect(runExplain('-', {}, streams)).toBe(1);
    expect(texts).toEqual(['phbsim explain: standard input: empty: nothing to explain, capture the log again']);
  });

  it('reads gzip, UTF-16 and raw diag-data as well', () => {
    const log = readFileSync(NVME);
    expect(run(file('log.gz', gzipSync(log))).out).toContain('PE 1fa');
    const wide = Buffer.from(`\ufeff${log.toString('utf8')}`, 'utf16le');
    expect(run(file('wide.txt', wide)).out).toContain('PE 1fa');
    expect(run(file('wide-be.txt', Buffer.from(wide).swap16())).out).toContain('PE 1fa');
    const frozen = 1n << 63n;
    const pestA = [0n, 0x8400b03a01000000n, 0x8400b03a01000000n, 5n];
    const raw = encodePhb3DiagData({
      fields: {
        lemFir: 1n << 5n,
        linkStatus: 0xa0830008n,
        dma0ErrorStatus: 1n << 14n,
        dma0FirstErrorStatus: 1n << 14n,
      },
      pestA,
      pestB: [0n, frozen, frozen, 0n],
    });
    const { out } = run(file('diag.bin', raw));
    expect(out).toContain('1. PE FROZEN: DMA to an unmapped page, PHB3\n');
    expect(out).toContain('Binary diag-data');
    expect(out).toContain('hit a page that its IOMMU table does not map');
    expect(out).toMatch(/001-002 .*FAULTED/);
    expect(out).toMatch(/003 .*leftover, not frozen/);
  });

  it('names devices from the output of lspci -nn, and refuses one that is binary', () => {
    const lspci = file('lspci.txt', '0030:0d:00.0 Non-Volatile memory controller [0108]: Samsung SM981 [144d:a808]\n');
    const { out } = run(NVME, { json: true, lspci });
    expect(out).toContain('"name": "Samsung SM981"');
    const binary = file('lspci.bin', new Uint8Array([0, 1, 2, 3]));
    expect(run(NVME, { lspci: binary })).toMatchObject({
      status: 1,
      err: expect.stringContaining('lspci -nn') as string,
    });
  });

  it('writes a page of HTML', () => {
    expect(run(NVME, { html: true }).out).toMatch(/^<!doctype html>[\s\S]*broken at the table/);
  });

  describe('with a file of its own', () => {
    /** Runs the command as a user does, and returns what it wrote. */
    function command(...args: string[]): { out: string; err: string } {
      const texts = { out: '', err: '' };
      const keep = (stream: 'out' | 'err') => (text: string) => {
        texts[stream] += text;
        return true;
      };
      const before = process.exitCode;
      const { write: out } = process.stdout;
      const { write: err } = process.stderr;
      process.stdout.write = keep('out') as typeof process.stdout.write;
      process.stderr.write = keep('err') as typeof process.stderr.write;
      try {
        explainCommand().parse(args, { from: 'user' });
      } finally {
        process.stdout.write = out;
        process.stderr.write = err;
        process.exitCode = before;
      }
      return texts;
    }

    const quiet = 'Dec 20 21:11:41 host systemd[1]: Started Session 4711 of user root.\n'.repeat(30_000);

    it('reads a small log, a large one and a large packed one alike', () => {
      const log = readFileSync(NVME, 'utf8');
      const large = file('large.txt', `${quiet}${log}`);
      expect(command(NVME).out).toContain('1 event in 84 lines');
      expect(command(large).out).toContain('lines 30002-30084');
      expect(command(file('large.gz', gzipSync(`${quiet}${log}`))).out).toContain('lines 30002-30084');
    });

    it('refuses large rubbish and a missing file', () => {
      const rubbish = file(
        'large.bin',
        Uint8Array.from({ length: 600_000 }, (_, i) => (i * 7) & 0xff),
      );
      expect(command(rubbish).err).toContain('binary data');
      expect(command(join(folder, 'nowhere')).err).toContain('no such file');
    });
  });

  it('is a command with one file and --json, and sets the exit status', () => {
    const command = explainCommand();
    expect(command.name()).toBe('explain');
    expect(command.helpInformation()).toMatch(/<file>[\s\S]*--json/);
    const before = process.exitCode;
    const written: string[] = [];
    const { write } = process.stderr;
    process.stderr.write = ((text: string) => written.push(text) > 0) as typeof process.stderr.write;
    try {
      command.parse([join(folder, 'missing.txt')], { from: 'user' });
      expect(process.exitCode).toBe(1);
      expect(written.join('')).toContain('no such file');
    } finally {
      process.stderr.write = write;
      process.exitCode = before;
    }
  });
});
