import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'phbsim-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(script: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(ROOT, 'scripts', script), ...args], { cwd: ROOT, encoding: 'utf8' });
}

describe('npm run bench', () => {
  it('measures a suite and writes its median and unit', () => {
    const file = join(folder, 'bench.json');
    const { status, stdout } = run('bench.mjs', '--only', 'register-write-read', '--json', file);
    expect(status).toBe(0);
    expect(stdout).toContain('register-write-read');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      'register-write-read': { median: expect.any(Number), unit: 'ns' },
    });
  });

  it('drives the server and QEMU with the same client, side by side', { timeout: 120_000 }, () => {
    const file = join(folder, 'qtest.json');
    const { status, stdout } = run('bench.mjs', '--only', 'qtest-socket-32', '--json', file);
    expect(status).toBe(0);
    const report = JSON.parse(readFileSync(file, 'utf8')) as Record<string, { median: number; unit: string }>;
    expect(report['qtest-socket-32']?.unit).toBe('accesses/s');
    expect(report['qtest-socket-32']?.median).toBeGreaterThan(1000);
    // Where people work QEMU may be missing, and the run says so; CI installs it.
    const compared = /QEMU: [\d,]+ accesses\/s; phbsim is ([\d.]+)x as fast/.exec(stdout);
    if (process.env['CI'] === undefined && compared === null) expect(stdout).toContain('QEMU: not installed');
    else expect(Number(compared?.[1])).toBeGreaterThanOrEqual(1);
  });

  it('refuses a suite that does not exist', () => {
    const { status, stderr } = run('bench.mjs', '--only', 'no-such-suite');
    expect(status).not.toBe(0);
    expect(stderr).toContain('no-such-suite');
  });
});

describe('npm run bench:peers', () => {
  it('runs the same PHOLD in every peer, with the same checksum', { timeout: 300_000 }, ({ skip }) => {
    const file = join(folder, 'peers.json');
    const { status, stdout } = run('bench-peers.mjs', '--events', '20000', '--rounds', '1', '--json', file);
    expect(status).toBe(0);
    const skipped = stdout.split('\n').filter((line) => line.startsWith('skipped'));
    const report = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, number>>;
    for (const size of ['phold-1024', 'phold-65536']) {
      for (const ratio of Object.values(report[size]!)) expect(ratio).toBeGreaterThan(0);
      expect(Object.keys(report[size]!)).toHaveLength(3 - skipped.length);
    }
    // Where people work a peer may be missing, and the run says which and how to get it; CI installs all three.
    if (skipped.length > 0 && process.env['CI'] === undefined) skip(skipped.join('; '));
    expect(skipped).toEqual([]);
  });

  it('refuses a number that is none', () => {
    const { status, stderr } = run('bench-peers.mjs', '--rounds', 'many');
    expect(status).toBe(1);
    expect(stderr).toContain('--rounds many: a whole number from 1 up');
  });
});
