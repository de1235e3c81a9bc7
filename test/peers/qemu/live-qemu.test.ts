import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { KEEPER, QemuProcess, qemuVersion } from './live-qemu.js';

const PATIENCE_MS = 10_000;
const LOOK_MS = 20;

/** Starts a program that never ends, the way QEMU is started, tells its number, and waits. */
const CLIENT = `
const [keeper, folder] = process.argv.slice(1);
const child = require('node:child_process').spawn(
  '/bin/sh', ['-c', keeper, 'keeper', folder, '/bin/sh', '-c', 'echo $$; exec sleep 1000'],
  { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
child.stdout.once('data', (chunk) => process.stdout.write(chunk));
setInterval(() => {}, 1000);
`;

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function becomes(condition: () => boolean): Promise<boolean> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; ) {
    if (condition()) return true;
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
  return false;
}

it.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)('QEMU does not outlive a client that ends by %s', async (signal) => {
  const folder = mkdtempSync(join(tmpdir(), 'phbsim-keeper-'));
  writeFileSync(join(folder, 'a file'), '');
  const client = spawn(process.execPath, ['-e', CLIENT, KEEPER, folder], { stdio: ['ignore', 'pipe', 'ignore'] });
  const pid = await new Promise<number>((done) =>
    client.stdout.once('data', (chunk: Buffer) => done(Number(chunk.toString()))),
  );
  expect(pid).toBeGreaterThan(1);
  expect(runs(pid)).toBe(true);
  client.kill(signal);
  expect(await becomes(() => !runs(pid))).toBe(true);
  expect(await becomes(() => !existsSync(folder))).toBe(true);
});

it.skipIf(qemuVersion() === undefined)('leaves no folder and no process when it is stopped', async () => {
  const qemu = await QemuProcess.start('stopped');
  const { folder, keeper } = qemu;
  expect([existsSync(join(folder, 'qtest.sock')), runs(keeper)]).toEqual([true, true]);
  await qemu.stop();
  expect([existsSync(folder), runs(keeper)]).toEqual([false, false]);
});
