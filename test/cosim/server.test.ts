import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_LINE_BYTES } from '../../src/cosim/client.js';
import { CosimMachine, DEFAULT_COSIM_MACHINE } from '../../src/cosim/cosim-machine.js';
import { parseListenAddress } from '../../src/cosim/listen-address.js';
import { ListenError, MAX_CLIENTS, QtestServer } from '../../src/cosim/server.js';
import { Priority } from '../../src/sim/priority.js';
import { FORCE_INTERRUPT_2064, OPEN_PHB0, TestServers, writePhb0 } from './support.js';

const VERSION = 'OK 0x000000a300000005';
const TOO_LONG = `ERR line longer than ${MAX_LINE_BYTES} bytes`;
const MIB = 2 ** 20;

let servers: TestServers;
beforeEach(() => {
  servers = new TestServers();
});
afterEach(() => servers.close());

describe('a session', () => {
  it.each(['unix', 'tcp'])('over %s opens PHB0 and trains its link by the clock alone', async (kind) => {
    const server = await servers.start(undefined, kind === 'tcp' ? 'tcp:127.0.0.1:0' : undefined);
    const client = await servers.client(server);
    expect(await client.ask('endianness')).toBe('OK big');
    expect(await client.ask('readq 0x3fffe40000800')).toBe('OK 0xffffffffffffffff');
    expect(await client.ask(OPEN_PHB0)).toBe('OK');
    expect(await client.ask('readq 0x3fffe40000800')).toBe(VERSION);
    expect(await client.ask('writeq 0x3fffe40000808 0xf000000000000000')).toBe('OK');
    expect(await client.ask('readq 0x3fffe40001900')).toMatch(/^OK/);
    expect(await client.ask('clock_step')).not.toBe('OK 0');
    expect(await client.ask('clock_set 400000000')).toBe('OK 400000000');
  });

  it('is one machine for two clients, each with its own replies', async () => {
    const server = await servers.start();
    const [a, b] = [await servers.client(server), await servers.client(server)];
    expect(await a.ask('writeq 0x1000 1')).toBe('OK');
    expect(await b.ask('readq 0x1000')).toBe('OK 0x0000000000000001');
    expect(await b.ask('clock_step 50')).toBe('OK 50');
    expect(await a.ask('clock_step 50')).toBe('OK 100');
    await Promise.all(
      [a, b].map(async (client, which) => {
        for (let i = 0; i < 200; i++) {
          await client.ask(`writeq ${0x2000 + 8 * which} ${i}`);
          expect(await client.ask(`readl ${0x2004 + 8 * which}`)).toBe(`OK 0x${i.toString(16).padStart(16, '0')}`);
        }
      }),
    );
  });

  it('may send many commands at once and gets the replies in order', async () => {
    const client = await servers.client(await servers.start());
    const count = 5000;
    client.send(Array.from({ length: count }, (_, i) => `writel 0 ${i}\nreadl 0\r\n`).join(''));
    const replies = await client.lines(2 * count);
    expect(replies.filter((_, i) => i % 2 === 1)).toEqual(
      Array.from({ length: count }, (_, i) => `OK 0x${i.toString(16).padStart(16, '0')}`),
    );
  });

  it('takes a command that comes byte by byte', async () => {
    const client = await servers.client(await servers.start());
    for (const byte of 'endianness\n') {
      client.send(byte);
      await new Promise((done) => setImmediate(done));
    }
    expect(await client.line()).toBe('OK big');
  });

  it('gets all replies after it has said its last word', async () => {
    const client = await servers.client(await servers.start());
    client.socket.end('endianness\nclock_step 5\n');
    expect(await client.lines(3)).toEqual(['OK big', 'OK 5', undefined]);
  });

  it('moves blocks of half a mebibyte either way', async () => {
    const client = await servers.client(await servers.start());
    const bytes = 2 ** 19;
    const digits = 'a5'.repeat(bytes);
    expect(await client.ask(`write 0x10000 ${bytes} 0x${digits}`)).toBe('OK');
    expect(await client.ask(`read 0x10000 ${bytes}`)).toBe(`OK 0x${digits}`);
  });

  it('hears of interrupts, its own before the reply and those that another client causes', async () => {
    const server = await servers.start();
    const [listener, other] = [await servers.client(server), await servers.client(server)];
    expect(await listener.ask('irq_intercept_in interrupts')).toBe('OK');
    for (const command of FORCE_INTERRUPT_2064) expect(await other.ask(command)).toMatch(/^OK/);
    expect(await listener.lines(2)).toEqual(['IRQ raise 2064', 'IRQ lower 2064']);
    listener.send(`writeq 0x100110 0x0000200500000000\n${writePhb0('PHB_FFI_REQUEST', 0x110n)}\nclock_step 1000000\n`);
    expect(await listener.lines(5)).toEqual(['OK', 'IRQ raise 2065', 'IRQ lower 2065', 'OK', 'OK 2000000']);
  });
});

describe('a client that misbehaves', () => {
  it('gets an ERR for a line of 10 MB, once, and may go on', async () => {
    const server = await servers.start();
    const [client, other] = [await servers.client(server), await servers.client(server)];
    client.send(`${'x'.repeat(10 * MIB)}\nendianness\n`);
    expect(await other.ask('endianness')).toBe('OK big');
    expect(await client.lines(2)).toEqual([TOO_LONG, 'OK big']);
  });

  it('gets an ERR for 10 MB without an end of line, and harms nobody by going away', async () => {
    const server = await servers.start();
    const [client, other] = [await servers.client(server), await servers.client(server)];
    for (let i = 0; i < 10; i++) client.send(Buffer.alloc(MIB));
    expect(await client.line()).toBe(TOO_LONG);
    client.socket.destroy();
    expect(await other.ask('endianness')).toBe('OK big');
  });

  it('gets a reply for each line of binary', async () => {
    const server = await servers.start();
    const client = await servers.client(server);
    const junk = Uint8Array.from({ length: 65536 }, (_, i) => (i * 197 + (i >> 8) * 31) & 0xff);
    client.send(junk);
    client.send('\nendianness\n');
    const count = junk.filter((byte) => byte === 10).length + 1;
    const replies = await client.lines(count + 1);
    expect(
      replies.slice(0, count).every((reply) => /^(FAIL Unknown command '|ERR the line is empty)/.test(reply!)),
    ).toBe(true);
    expect(replies.at(-1)).toBe('OK big');
  });

  it('has no effect with half a command', async () => {
    const server = await servers.start();
    const [client, other] = [await servers.client(server), await servers.client(server)];
    client.socket.end('writeq 0x1000 5\nwriteq 0x1000 7');
    expect(await client.lines(3)).toEqual(['OK', 'ERR the last line has no end and was not run', undefined]);
    expect(await other.ask('readq 0x1000')).toBe('OK 0x0000000000000005');
  });

  it('that floods and never reads is held, and the others go on', async () => {
    const machine = new CosimMachine();
    let blocks = 0;
    const readBlock = machine.readBlock.bind(machine);
    machine.readBlock = (address, length) => {
      blocks++;
      return readBlock(address, length);
    };
    const server = new QtestServer(machine, parseListenAddress(`unix:${servers.scratch.path('flood.sock')}`));
    await server.listen();
    const [flood, other] = [await servers.client(server), await servers.client(server)];
    flood.socket.pause();
    flood.send('read 0x10000 524288\n'.repeat(300_000));
    for (let i = 0; i < 1000; i++) expect(await other.ask('endianness')).toBe('OK big');
    // A reply or two lie in buffers; the rest of the commands were not even read.
    expect(blocks).toBeGreaterThan(0);
    expect(blocks).toBeLessThan(10);
    expect(flood.socket.writableLength).toBeGreaterThan(MIB);
    flood.socket.destroy();
    expect(await other.ask('endianness')).toBe('OK big');
    await server.close();
  });

  it('that reads late gets every reply all the same', async () => {
    const client = await servers.client(await servers.start());
    client.socket.pause();
    client.send('read 0x10000 524288\n'.repeat(8));
    await new Promise((done) => setTimeout(done, 50));
    client.socket.resume();
    expect((await client.lines(8)).map((line) => line?.length)).toEqual(new Array(8).fill(5 + 2 * 524288));
    expect(await client.ask('endianness')).toBe('OK big');
  });

  it('that floods and reads shares the turns with others', async () => {
    const server = await servers.start();
    const [flood, other] = [await servers.client(server), await servers.client(server)];
    let replies = 0;
    flood.socket.on('data', (chunk: Buffer) => {
      replies += chunk.filter((byte) => byte === 10).length;
    });
    const count = 100_000;
    flood.send('readq 0x3fffe40000800\n'.repeat(count));
    for (let i = 0; i < 3; i++) expect(await other.ask('endianness')).toBe('OK big');
    expect(replies).toBeLessThan(count);
    while (replies < count) await new Promise((done) => setTimeout(done, 5));
  });

  it('that breaks off in the middle of a long command takes the rest of it along', async () => {
    const machine = new CosimMachine({ ...DEFAULT_COSIM_MACHINE, slots: ['empty'] });
    const ticker = machine.sim.handler('ticker', () => machine.sim.schedule(1, Priority.DEVICE, ticker));
    machine.sim.schedule(1, Priority.DEVICE, ticker);
    const server = new QtestServer(machine, parseListenAddress(`unix:${servers.scratch.path('long.sock')}`));
    await server.listen();
    const [client, other] = [await servers.client(server), await servers.client(server)];
    client.send('clock_step 1000000000000\n');
    while (machine.clockNs === 0) await new Promise((done) => setImmediate(done));
    const answered = other.ask('endianness');
    client.socket.destroy();
    expect(await answered).toBe('OK big');
    expect(machine.clockNs).toBeLessThan(1e12);
    const half = await servers.client(server);
    half.socket.end('clock_set 1000000000000\n');
    expect(await half.lines(2)).toEqual(['FAIL given up: it takes long, and the input has ended', undefined]);
    await server.close();
  });

  it('keeps a long command whole: nobody else is served in between', async () => {
    const machine = new CosimMachine({ ...DEFAULT_COSIM_MACHINE, slots: ['empty'] });
    const ticker = machine.sim.handler('ticker', () => machine.sim.schedule(1, Priority.DEVICE, ticker));
    machine.sim.schedule(1, Priority.DEVICE, ticker);
    const server = new QtestServer(machine, parseListenAddress(`unix:${servers.scratch.path('whole.sock')}`));
    await server.listen();
    const [client, other] = [await servers.client(server), await servers.client(server)];
    const stepped = client.ask('clock_step 200000');
    while (machine.clockNs === 0) await new Promise((done) => setImmediate(done));
    expect(await other.ask('clock_step 0')).toBe('OK 200000');
    expect(await stepped).toBe('OK 200000');
    await server.close();
  });

  it('that speaks HTTP is sent away before its body is read as commands', async () => {
    const server = await servers.start(undefined, 'tcp:127.0.0.1:0');
    const [client, other] = [await servers.client(server), await servers.client(server)];
    client.send('POST / HTTP/1.1\r\nHost: x\r\n\r\nwriteq 0x1000 5\n');
    expect(await client.lines(2)).toEqual(['ERR this port speaks the qtest protocol, not HTTP', undefined]);
    expect(await other.ask('readq 0x1000')).toBe('OK 0x0000000000000000');
    const start = performance.now();
    client.socket.end(Buffer.alloc(MIB));
    while (server.clientCount > 1) await new Promise((done) => setTimeout(done, 2));
    expect(performance.now() - start).toBeLessThan(1000);
  });

  it('that listens to interrupts and never reads is cut off', async () => {
    const machine = new CosimMachine();
    const server = new QtestServer(machine, parseListenAddress(`unix:${servers.scratch.path('irq.sock')}`));
    await server.listen();
    const client = await servers.client(server);
    expect(await client.ask('irq_intercept_in interrupts')).toBe('OK');
    client.socket.pause();
    for (let i = 0; i < 600_000 && server.clientCount > 0; i++) {
      machine.interrupts.present(1, 0, 5);
      if (i % 10_000 === 0) await new Promise((done) => setImmediate(done));
    }
    await new Promise((done) => setImmediate(done));
    expect(server.clientCount).toBe(0);
    await server.close();
  });

  it('beyond the number of clients is told so', async () => {
    const server = await servers.start();
    const clients = [];
    for (let i = 0; i < MAX_CLIENTS; i++) clients.push(await servers.client(server));
    const late = await servers.client(server);
    expect(await late.lines(2)).toEqual([`ERR ${MAX_CLIENTS} clients are connected, and that is the most`, undefined]);
    expect(await clients.at(-1)!.ask('endianness')).toBe('OK big');
  });
});

describe('thousands of connections', () => {
  it('that come and go with half a command leave nothing behind', { timeout: 30_000 }, async () => {
    const server = await servers.start(undefined, 'tcp:127.0.0.1:0');
    const client = await servers.client(server);
    for (let wave = 0; wave < 40; wave++) {
      const crowd = await Promise.all(Array.from({ length: 50 }, () => servers.client(server)));
      for (const [index, each] of crowd.entries()) {
        each.send(index % 2 === 0 ? 'writeq 0x1000 5' : Uint8Array.of(0, 255, 10, 0));
        each.socket.destroy();
      }
      expect(await client.ask('readq 0x1000')).toBe('OK 0x0000000000000000');
    }
    while (server.clientCount > 1) await new Promise((done) => setTimeout(done, 2));
    expect(await (await servers.client(server)).ask('endianness')).toBe('OK big');
  });

  it('at the same time are refused or dropped, and those that were there go on', { timeout: 30_000 }, async () => {
    const server = await servers.start();
    const client = await servers.client(server);
    const { path } = server.address as { path: string };
    const crowd = Array.from({ length: 1500 }, () => connect({ path }).on('error', () => {}));
    for (let i = 0; i < 200; i++) expect(await client.ask('endianness')).toBe('OK big');
    expect(server.clientCount).toBeLessThanOrEqual(2 * MAX_CLIENTS);
    for (const socket of crowd) socket.destroy();
    while (server.clientCount > 1) await new Promise((done) => setTimeout(done, 5));
    expect(await (await servers.client(server)).ask('endianness')).toBe('OK big');
  });
});

describe('memory while a client floods', () => {
  it('stays bounded, whatever it sends', { timeout: 30_000 }, async () => {
    const server = await servers.start();
    const [flood, other] = [await servers.client(server), await servers.client(server)];
    flood.socket.resume();
    const before = process.memoryUsage().arrayBuffers;
    const piece = Buffer.alloc(MIB, 'x');
    let most = 0;
    for (let i = 0; i < 400; i++) {
      if (!flood.socket.write(piece)) await once(flood.socket, 'drain');
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(await flood.line()).toBe(TOO_LONG);
    // Most of it is garbage that waits for its collection.
    expect(most).toBeLessThan(160 * MIB);
    expect(await other.ask('endianness')).toBe('OK big');
  });
});

describe('the place where it listens', () => {
  const open: Server[] = [];
  afterEach(() => {
    for (const server of open.splice(0)) server.close();
  });

  it('is for its owner only, and gone after the end', async () => {
    const server = await servers.start();
    const path = servers.scratch.path('qtest.sock');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const client = await servers.client(server);
    await server.close();
    await client.closed();
    expect(existsSync(path)).toBe(false);
    await servers.start();
    expect(existsSync(path)).toBe(true);
  });

  it('is taken over from a server that was killed', async () => {
    const path = servers.scratch.path('qtest.sock');
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    expect(statSync(path).isSocket()).toBe(true);
    const client = await servers.client(await servers.start());
    expect(await client.ask('endianness')).toBe('OK big');
  });

  it('is not taken from a server that lives, nor from a file that is none of ours', async () => {
    await servers.start();
    await expect(servers.start()).rejects.toThrow('another server listens there');
    const file = servers.scratch.path('precious');
    writeFileSync(file, 'x');
    await expect(servers.start(undefined, `unix:${file}`)).rejects.toThrow('a file that is no socket is in the way');
    expect(existsSync(file)).toBe(true);
  });

  it('must exist and be free', async () => {
    const nowhere = `unix:${servers.scratch.path('no/such/folder.sock')}`;
    await expect(servers.start(undefined, nowhere)).rejects.toThrow(ListenError);
    await expect(servers.start(undefined, nowhere)).rejects.toThrow(/cannot listen on .*: /);
    const taken = await servers.start(undefined, 'tcp:127.0.0.1:0');
    const { port } = taken.address as { port: number };
    await expect(servers.start(undefined, `tcp:127.0.0.1:${port}`)).rejects.toThrow('the port is taken');
  });

  it('is left alone where nobody can tell whether a server lives', async () => {
    const path = servers.scratch.path('datagram');
    mkdirSync(path);
    await expect(servers.start(undefined, `unix:${path}`)).rejects.toThrow('a file that is no socket');
    const full = createServer();
    open.push(full);
    const live = servers.scratch.path('live.sock');
    await new Promise<void>((done) => full.listen(live, done));
    await expect(servers.start(undefined, `unix:${live}`)).rejects.toThrow('another server listens there');
  });
});
