/** The commands on a POWER7: a run of a file of the other chip, and a shell in its kernel. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Streams } from '../../src/cli/host-streams.js';
import { type KernelCommandOptions, runKernel } from '../../src/cli/kernel.js';
import { type RunOptions, runRun } from '../../src/cli/run.js';

const SCENARIO = `
name: short
about: a freeze
machine: { slots: { 1: { device: nic, driver: recovering } } }
faults: [{ at: 1 ms, kind: dma-write-unmapped, device: slot1 }]
expect: [{ freeze: slot1, cause: tce-page-fault, within: 10 us }]
`;

/** The same on a POWER7 without a fault. */
const QUIET = SCENARIO.replace('slots:', 'chip: p7ioc, slots:')
  .replace(/faults: .*/, 'faults: []')
  .replace(/expect: .*/, 'expect: [{ untouched: slot1 }]');
const FILES: Readonly<Record<string, string>> = {
  'short.yaml': SCENARIO,
  'quiet.yaml': QUIET,
  'sixth.yaml': SCENARIO.replace('driver: recovering', 'driver: recovering, phb: 5'),
  'broken.yaml': SCENARIO.replace('dma-write-unmapped', 'dma-write-somewhere-else'),
};

function streamsTo(texts: { out: string; err: string }): Streams {
  return {
    readFile: (name) => (name in FILES ? new TextEncoder().encode(FILES[name]) : readFileSync(name)),
    writeFile: () => {},
    out: (text) => {
      texts.out += `${text}\n`;
    },
    err: (text) => {
      texts.err += `${text}\n`;
    },
    interactive: false,
  };
}

function run(path: string, options: RunOptions): { status: number; out: string; err: string } {
  const texts = { out: '', err: '' };
  return { status: runRun([path], options, streamsTo(texts)), ...texts };
}

function kernel(path: string, options: KernelCommandOptions): { status: number; out: string } {
  const texts = { out: '', err: '' };
  return { status: runKernel(path, [], options, streamsTo(texts)), out: texts.out };
}

describe('phbsim run --chip', () => {
  it('runs a file on the other chip, and says how to do so again', () => {
    const { status, out } = run('short.yaml', { chip: 'p7ioc' });
    expect(status).toBe(0);
    expect(out).toContain('POWER7 with a P7IOC, 1 of its PHBs wired');
    expect(out).toContain('again: phbsim run short.yaml --chip p7ioc --seed short');
    expect(run('short.yaml', {}).out).toContain('POWER8 with 1 PHB3;');
  });

  it('says which fault the chip cannot have, and which PHB, with status 2', () => {
    const hub = run('scenarios/p7ioc-dead-hub.yaml', { chip: 'phb3' });
    expect(hub.status).toBe(2);
    expect(hub.err).toMatch(
      /^scenarios\/p7ioc-dead-hub\.yaml:\d+:\d+ {2}hub-error does not fit a machine with phb3: it takes p7ioc/,
    );
    expect(hub.err).toContain('p7ioc-dead-hub.yaml fits p7ioc: run it without --chip phb3, or change it\n');
    const sixth = run('scenarios/p7ioc-page-fault-on-one-of-six-bridges.yaml', { chip: 'phb3' });
    expect(sixth.status).toBe(2);
    expect(sixth.err).toMatch(/six-bridges\.yaml:\d+:\d+ {2}phb must be a whole number from 0 to 2, not "5"/);
    expect(sixth.err).toContain('fits p7ioc: run it without --chip phb3');
  });

  it('takes what only the chip of the command line can have, whatever the file names', () => {
    expect(run('sixth.yaml', {}).err).toMatch(/^sixth\.yaml:4:.*from 0 to 2/);
    expect(run('sixth.yaml', {}).err).not.toContain('--chip');
    expect(run('sixth.yaml', { chip: 'p7ioc' })).toMatchObject({ status: 0, err: '' });
  });

  it('blames no chip for what is wrong on either', () => {
    const { status, err } = run('broken.yaml', { chip: 'p7ioc' });
    expect([status, err.includes('unknown fault kind')]).toEqual([2, true]);
    expect(err).not.toContain('--chip');
  });
});

describe('phbsim kernel on a POWER7', () => {
  it('has the files and the log of the kernel as it treats these bridges', () => {
    const commands = ['cat /proc/powerpc/eeh', 'lspci -n', 'dmesg'];
    const { status, out } = kernel('scenarios/p7ioc-fenced-bridge.yaml', { command: commands });
    expect(status).toBe(0);
    expect(out).toMatch(/0000:00:00\.0 0604: 1014:03b9/);
    expect(out).toContain('DMA weight 10 (10), assigned (0) 8 DMA32 segments');
  });

  it('takes a file of the other chip, and says what does not fit', () => {
    const { status, out } = kernel('short.yaml', { chip: 'p7ioc', command: ['dmesg'] });
    expect(status).toBe(0);
    expect(out).toContain('DMA weight 10 (10), assigned (0) 8 DMA32 segments');
    const texts = { out: '', err: '' };
    const unfit = runKernel('scenarios/p7ioc-dead-hub.yaml', ['dmesg'], { chip: 'phb3' }, streamsTo(texts));
    expect(unfit).toBe(2);
    expect(texts.err).toMatch(/^scenarios\/p7ioc-dead-hub\.yaml:\d+:\d+ {2}hub-error does not fit a machine with phb3/);
    expect(texts.err).toContain('run it without --chip phb3');
  });

  it('goes through the test of the kernel', () => {
    const { status, out } = kernel('quiet.yaml', { procedure: 'selftest' });
    expect([status, out.includes('0000:01:00.0')]).toEqual([0, true]);
  });
});
