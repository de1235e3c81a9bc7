import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { TextStreams } from '../../src/cli/host-streams.js';
import { runServe, type ServeOptions, serveCommand } from '../../src/cli/serve.js';
import { parseListenAddress } from '../../src/cosim/listen-address.js';
import { Scratch, TestClient } from '../cosim/support.js';

const scratch = new Scratch();
afterAll(() => scratch.remove());

const BINARY = scratch.path('binary.yaml');
writeFileSync(
  BINARY,
  Uint8Array.from({ length: 4096 }, (_, i) => (i * 37) & 0xff),
);
const ENDLESS = scratch.path('endless.yaml');
writeFileSync(ENDLESS, ' '.repeat(100_000));
const CRAMPED = scratch.path('cramped.yaml');
writeFileSync(CRAMPED, '{ memory: 1 MiB, firmware: skiboot }');

class Captured implements TextStreams {
  stdout = '';
  stderr = '';
  readFile = (path: string): Uint8Array => readFileSync(path);
  out = (text: string): void => {
    this.stdout += `${text}\n`;
  };
  err = (text: string): void => {
    this.stderr += `${text}\n`;
  };
}

/** Those of this process, on Linux. A descriptor may go between the listing and the look at it. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)];
    } catch {
      return [];
    }
  });
}

/** Runs a service for the time of `work`. */
async function serving(options: ServeOptions, work: (client: TestClient) => Promise<void>): Promise<Captured> {
  const streams = new Captured();
  let end = (_reason: string): void => {};
  let begun = (): void => {};
  const listening = new Promise<void>((done) => {
    begun = done;
  });
  const status = runServe(options, streams, () => {
    begun();
    return new Promise<string>((done) => {
      end = done;
    });
  });
  await Promise.race([listening, status.then((code) => Promise.reject(new Error(`${code}: ${streams.stderr}`)))]);
  await new Promise((done) => setImmediate(done));
  const client = await TestClient.to(parseListenAddress(/^qtest on (.*)$/m.exec(streams.stdout)![1]!));
  await work(client);
  end('enough');
  expect(await status).toBe(0);
  await client.closed();
  return streams;
}

describe('phbsim serve', () => {
  it('says where it listens and what the machine is, and serves until stopped', async () => {
    const path = scratch.path('a.sock');
    const streams = await serving({ qtest: `unix:${path}` }, async (client) => {
      expect(await client.ask('endianness')).toBe('OK big');
    });
    expect(streams.stdout).toBe(`qtest on unix:${path}\n`);
    expect(streams.stderr).toContain('PHB0 edu, PHB1 empty, PHB2 empty; 2 GiB of memory at 0x0. Stop with Ctrl-C.');
    expect(streams.stderr).toContain('phbsim serve: enough, closed');
    expect(existsSync(path)).toBe(false);
  });

  it('builds the machine of a file and names the port that the system chose', async () => {
    const file = scratch.path('machine.yaml');
    writeFileSync(file, 'phbs: 1\nmemory: 1 MiB\nslots: { 0: nic }\n');
    const streams = await serving({ qtest: 'tcp:127.0.0.1:0', machine: file }, async (client) => {
      expect(await client.ask('readl 0x100000')).toBe('OK 0x00000000ffffffff');
      expect(await client.ask('readl 0xffffc')).toBe('OK 0x0000000000000000');
    });
    expect(streams.stdout).toMatch(/^qtest on tcp:127\.0\.0\.1:[1-9]\d*\n$/);
    expect(streams.stderr).toContain('PHB0 nic; 1 MiB of memory at 0x0.');
  });

  it('starts with firmware that has booted, where the machine file says so', async () => {
    const file = scratch.path('booted.yaml');
    writeFileSync(file, 'phbs: 1\nslots: { 0: nic }\nfirmware: skiboot\n');
    const streams = await serving({ qtest: `unix:${scratch.path('fw.sock')}`, machine: file }, async (client) => {
      expect(await client.ask('opal OPAL_PCI_CONFIG_READ_WORD 0 0 0 0x1000')).toBe('OK 0');
      expect(await client.ask('readl 0x1000')).toBe('OK 0x0000000003dc1014');
    });
    expect(streams.stderr).toContain('of memory at 0x0; firmware has booted. Stop with Ctrl-C.');
  });

  it('shares memory through a file', async () => {
    const ram = scratch.path('ram');
    const options = { qtest: `unix:${scratch.path('b.sock')}`, memoryFile: `${ram},base=0x1000,size=64KiB` };
    const streams = await serving(options, async (client) => {
      expect(await client.ask('writeq 0x1008 0x1122334455667788')).toBe('OK');
      expect(readFileSync(ram).subarray(8, 16).toString('hex')).toBe('1122334455667788');
    });
    if (existsSync('/proc/self/fd')) expect(openFiles()).not.toContain(ram);
    expect(streams.stderr).toContain(`64 KiB of memory at 0x1000 shared through ${ram}`);
  });

  it.each<[string, ServeOptions, string]>([
    ['a foreign address', { qtest: 'tcp:0.0.0.0:1' }, 'only loopback is served'],
    ['a missing machine file', { qtest: 'unix:x', machine: 'missing.yaml' }, 'missing.yaml: no such file'],
    [
      'a machine file that is none',
      { qtest: 'unix:x', machine: 'biome.json' },
      'biome.json:2:3  the machine has no "$schema"',
    ],
    ['a directory for a machine file', { qtest: 'unix:x', machine: 'src' }, 'src: is a directory'],
    ['binary for a machine file', { qtest: 'unix:x', machine: BINARY }, 'binary data, no machine: give YAML or JSON'],
    [
      'a machine file without an end',
      { qtest: 'unix:x', machine: ENDLESS },
      '100000 bytes, and a machine is a few lines',
    ],
    ['firmware without room', { qtest: 'unix:x', machine: CRAMPED }, 'firmware needs 2 MiB of memory for its tables'],
    ['a memory file without size', { qtest: 'unix:x', memoryFile: '/nowhere/ram' }, 'lacks size='],
    ['a memory file that cannot be', { qtest: 'unix:x', memoryFile: '/nowhere/ram,size=64K' }, 'ENOENT'],
    ['a place without a folder', { qtest: 'unix:/nowhere/x.sock' }, 'cannot listen on /nowhere/x.sock'],
  ])('refuses %s with exit status 2', async (_, options, message) => {
    const streams = new Captured();
    expect(await runServe(options, streams)).toBe(2);
    expect(streams.stderr).toContain('phbsim serve: ');
    expect(streams.stderr).toContain(message);
    expect(streams.stdout).toBe('');
  });

  it('ends in order on the first signal', async () => {
    const path = scratch.path('c.sock');
    const streams = new Captured();
    const before = process.listenerCount('SIGTERM');
    const status = runServe({ qtest: `unix:${path}` }, streams);
    while (streams.stdout === '') await new Promise((done) => setTimeout(done, 2));
    const client = await TestClient.to(parseListenAddress(`unix:${path}`));
    process.emit('SIGTERM', 'SIGTERM');
    expect(await status).toBe(0);
    await client.closed();
    expect(streams.stderr).toContain('SIGTERM, closed');
    expect(process.listenerCount('SIGTERM')).toBe(before);
    expect(existsSync(path)).toBe(false);
  });

  it('is a command with its address required and examples in its help', async () => {
    let text = '';
    const command = serveCommand()
      .exitOverride()
      .configureOutput({ writeOut: (out) => (text += out), writeErr: (out) => (text += out) });
    command.outputHelp();
    expect(text).toContain('phbsim serve --qtest unix:/tmp/phb.sock');
    expect(text).toContain('Virtual time moves only by clock_step');
    await expect(command.parseAsync(['node', 'serve'])).rejects.toThrow("required option '--qtest <address>'");
    const before = process.exitCode;
    const written = process.stderr.write;
    process.stderr.write = () => true;
    await command.parseAsync(['node', 'serve', '--qtest', 'nonsense']);
    process.stderr.write = written;
    expect(process.exitCode).toBe(2);
    process.exitCode = before;
  });
});
