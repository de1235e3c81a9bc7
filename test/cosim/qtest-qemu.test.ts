/**
 * The same lines to QEMU and to this server: replies must be the same bytes, and where QEMU aborts, ours is an ERR. What
 * differs on purpose stands in a table, with its reason and both replies.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_COSIM_MACHINE } from '../../src/cosim/cosim-machine.js';
import { THREAD_SERVER } from '../../src/cosim/interrupt-presenter.js';
import { HOW_TO_INSTALL, QemuProcess, qemuVersion } from '../peers/qemu/live-qemu.js';
import { FORCE_INTERRUPT_2064, OPEN_PHB0, TestClient, TestServers } from './support.js';

const version = qemuVersion();
const THREAD = '/machine/chip[0]/core[1]/thread[0]';
const ICP = 0x3_ffff_8000_0000 + 0x1000 * THREAD_SERVER;

/** Each line is answered by a line, the same on both sides. Memory from 0x100000 on is written before it is read. */
const SAME: readonly string[] = [
  ...['endianness', 'endianness foo bar', 'READQ 0', ' ', 'foo', 'foo bar', 'readq\t0x1000', ' readq 0'],
  'a'.repeat(1000),
  ...['outb 0x80 1', 'outw 0x80 1', 'outl 0xffff 0x1ffff', 'inb 0x80', 'inw 0x80', 'inl 0xfff0'],
  ...['module_load a b', 'module_load a b c', 'set_irq_in nothing unnamed-gpio-in 0 1'],
  ...['irq_intercept_in nothing', 'irq_intercept_in ', 'irq_intercept_out nothing'],
  // Single accesses: sizes, alignments, numbers as C reads them, words that nobody looks at.
  'writeq 0x100000 0x1122334455667788',
  'writeq 0x100008 -1',
  ...['readq 0x100000', 'readl 0x100003', 'readw 0x100001', 'readb 0x100007', 'readq 0x100001', 'readq 1048576'],
  ...[
    'readq 04000000',
    'readq +0x100000',
    'readq \t0x100000',
    'readq 0X100000',
    'readq 0x100000 junk',
    'readq 0x100000 ',
  ],
  ...['writeb 0x100000 0x1ff', 'writew 0x100002 -2', 'writel 0x100004 010 junk', 'readq 0x100000'],
  ...[
    'writeq 0x100018 0',
    'writeb 0x100010 0',
    'writeq 0x100011 0xffffffffffffffff',
    'readq 0x100010',
    'readq 0x100012',
  ],
  'writeq 0x100000 -18446744073709551615',
  'readq 0x100000',
  // Blocks.
  ...['write 0x100000 16 0x000102030405060708090a0b0c0d0e0f', 'read 0x100000 16', 'read 0x100001 0x3 9'],
  ...['b64read 0x100000 5', 'b64read 0x100000 0', 'b64read 0x100000 6', 'b64read 0x100000 4'],
  ...['write 0x100000 4 0xA1', 'read 0x100000 8', 'write 0x100000 2 0x0102030405', 'read 0x100000 8'],
  ...[
    'write 0x100000 4 0x010',
    'read 0x100000 8',
    'write 0x100000 0 0x01',
    'write 0x100000 4 0x',
    'write 0x100000 4 01',
  ],
  ...['write 0x100000 4 010203', 'read 0x100000 8', 'write 0x100000 4 0xzz1z', 'read 0x100000 8'],
  ...['write 0x100000 4 0xz123g4', 'read 0x100000 8', 'write 0x100000 2 0x0102 junk', 'read 0x100000 8'],
  ...['b64write 0x100000 3 AQID', 'read 0x100000 8', 'b64write 0x100000 2 BAUG', 'read 0x100000 8'],
  ...['b64write 0x100000 3 AQ', 'b64write 0x100000 3 A$Q$I$D', 'read 0x100000 8'],
  ...['b64write 0x100000 1 AQ==', 'read 0x100000 8', 'b64write 0x100000 3 AQIDBA', 'read 0x100000 8'],
  ...['b64write 0x100000 3 AQ==AQI=', 'read 0x100000 8', 'b64write 0x100000 5 AQ=DAQID', 'read 0x100000 8'],
  ...[
    'memset 0x100000 4 0xee',
    'memset 0x100004 4 -1',
    'memset 0x100000 0 0',
    'memset 0x100006 1 0x1a5',
    'read 0x100000 8',
  ],
  // Registers through every door: XSCOM, single accesses, blocks, parts of a word.
  OPEN_PHB0,
  ...['readq 0x3fc0020120428', 'readq 0x3fffe40000800', 'readl 0x3fffe40000804', 'read 0x3fffe40000800 8'],
  ...[
    'writeq 0x3fffe40000160 0x123456789abcdef0',
    'readq 0x3fffe40000160',
    'writeq 0x3fffe40000220 0x8009000000000000',
  ],
  ...['writeq 0x3fffe40000228 0x1', 'readq 0x3fffe40000220'],
  // The presentation controller, byte by byte and word by word.
  ...Array.from({ length: 32 }, (_, at) => ['b', 'w', 'l', 'q'].map((size) => `read${size} ${ICP + at}`)).flat(),
  ...[`writeq ${ICP + 0x10} 0x1122334455667788`, `readl ${ICP + 0x10}`, `readl ${ICP + 0x14}`, `read ${ICP} 32`],
  ...[`writew ${ICP + 0x10} 1`, `readl ${ICP + 0x10}`, `readl ${ICP + 0x104}`, `writel ${ICP} 1`, `readl ${ICP}`],
];

/** QEMU ends here, with an assertion that failed or out of memory. */
const ABORTS: readonly string[] = [
  ...['', 'readq', 'readq x', 'readq 0x', 'readq 08', 'readq  8', 'readq 0x10000000000000000', 'readq 8\t'],
  ...['writeq 0x1000', 'writeq 0x1000 z', 'read 0x1000', 'read 0x1000 0', 'read 0x1000 -1', 'b64read 0x1000'],
  ...['write 0x1000 4', 'write 0x1000 x 0x01', 'b64write 0x1000 3', 'memset 0x1000 4', 'memset 0x1000 z 0'],
  ...['inb', 'inl 0x10000', 'outb 0x80', 'outb x 0', 'module_load a', 'irq_intercept_in', 'set_irq_in nothing a 0'],
];

/** Each needs a QEMU of its own, and starting one takes a third of a second. */
const AT_ONCE = 4;

interface Difference {
  readonly line: string;
  readonly qemu: string;
  readonly ours: string;
  readonly because: string;
}

const NO_CLOCK = "Debian's QEMU has no qtest accelerator, so its clock is not the client's";
const DIFFERENT: readonly Difference[] = [
  { line: 'clock_step 5', qemu: "FAIL Unknown command 'clock_step'", ours: 'OK 5', because: NO_CLOCK },
  { line: 'clock_set 7', qemu: "FAIL Unknown command 'clock_set'", ours: 'OK 7', because: NO_CLOCK },
  {
    line: 'opal 0 0',
    qemu: "FAIL Unknown command 'opal'",
    ours: 'ERR firmware has not initialised the PHBs: say "opal boot" first, or "firmware: skiboot" in the machine file',
    because: 'calls of firmware are an extension',
  },
  {
    line: 'readl 0x100000000',
    qemu: 'OK 0x0000000000000000',
    ours: 'OK 0x00000000ffffffff',
    because: 'a load that nobody claims reads as ones on this bus',
  },
  {
    line: 'readq 0x20000000000000',
    qemu: 'OK 0x0000000000000000',
    ours: "ERR address '0x20000000000000' is beyond the bus",
    because: 'the bus has 50 address bits; QEMU answers for addresses that no processor can send',
  },
  {
    line: 'readl 0x3fc0020120428',
    qemu: 'OK 0x0000000000000000',
    ours: 'ERR 0x3fc0020120428 is in the XSCOM window, which takes aligned 64-bit accesses only',
    because: "the hardware's window answers nothing narrower",
  },
  {
    line: 'b64write 0x200000 5 AQID',
    qemu: 'OK',
    ours: 'OK',
    because: '(see the next line)',
  },
  {
    line: 'read 0x200000 5',
    qemu: 'OK 0x0102034400',
    ours: 'OK 0x0102030000',
    because: 'where the data are short, QEMU writes what stood in its buffer; here memory keeps what it had',
  },
  {
    line: '\u001b[2J',
    qemu: "FAIL Unknown command '\u001b[2J'",
    ours: "FAIL Unknown command '?[2J'",
    because: 'a reply holds no control characters, which would command a terminal',
  },
];

/** What a client does to take interrupts, with the places where time must pass on a machine whose clock is stepped. */
const PASS = 'clock_step 2000000';
const [, ...ROUTE] = FORCE_INTERRUPT_2064.slice(0, -2);
const FORCE = FORCE_INTERRUPT_2064.at(-2)!;
const POLL = `readl ${ICP}`;
const ACCEPT = `readl ${ICP + 4}`;
const VECTOR = 'readq 0x100100';
const INTERRUPTS: readonly string[] = [
  ...[OPEN_PHB0, ...ROUTE, `irq_intercept_in ${THREAD}`, `irq_intercept_in ${THREAD}`, 'irq_intercept_in phb[0]'],
  `irq_intercept_out ${THREAD}`,
  // Bounced while the thread lets nothing in, presented again later.
  ...[FORCE, PASS, VECTOR, POLL, `writeb ${ICP + 4} 0xff`, PASS, POLL, ACCEPT, POLL],
  // A second one while the first is in service sets Q and is not presented.
  ...[FORCE, PASS, VECTOR, POLL, `writel ${ICP + 4} 0xff000810`, PASS, POLL],
  // Software ends it in the vector, too; then the next is presented.
  ...['writew 0x100104 0', FORCE, PASS, VECTOR, ACCEPT, `writel ${ICP + 4} 0xff000810`, POLL],
  // Masked: Q only.
  ...['writeq 0x100100 0x000020ff00000000', FORCE, PASS, VECTOR, POLL],
  // A more favoured thread sends it back.
  ...['writeq 0x100100 0x0000200500000000', FORCE, PASS, POLL, `writeb ${ICP + 4} 4`, POLL, `writeb ${ICP + 4} 0xff`],
  ...[PASS, POLL, ACCEPT, `writel ${ICP + 4} 0xff000810`],
  // Between threads.
  ...[`writeb ${ICP + 12} 5`, ACCEPT, `writeb ${ICP + 12} 0xff`, `writel ${ICP + 4} 0xff000002`, POLL],
  ...[`set_irq_in ${THREAD} unnamed-gpio-in 0 1`, `set_irq_in ${THREAD} unnamed-gpio-in 0 1`],
  `set_irq_in ${THREAD} unnamed-gpio-in 0 0`,
];

async function replyTo(client: TestClient, line: string, unasked: string[]): Promise<string | undefined> {
  client.send(Buffer.from(`${line}\n`, 'latin1'));
  for (;;) {
    const reply = await client.line();
    if (reply === undefined || !reply.startsWith('IRQ ')) return reply;
    unasked.push(reply);
  }
}

/** A fresh QEMU with a client at its socket. */
class Qemu {
  readonly client: TestClient;

  private constructor(private readonly process: QemuProcess) {
    this.client = new TestClient(process.socket);
  }

  static async start(): Promise<Qemu> {
    return new Qemu(await QemuProcess.start('stopped'));
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}

it('has QEMU to be compared with, where the project is checked', ({ skip }) => {
  if (version === undefined) skip(HOW_TO_INSTALL);
  expect(version).toMatch(/^QEMU emulator version /);
});

describe.skipIf(version === undefined)('the protocol beside QEMU', () => {
  let servers: TestServers;
  let ours: TestClient;
  let qemu: Qemu;

  beforeAll(async () => {
    qemu = await Qemu.start();
  }, 30_000);
  afterAll(async () => {
    await qemu.stop();
  });
  beforeEach(async () => {
    servers = new TestServers();
    ours = await servers.client(await servers.start(DEFAULT_COSIM_MACHINE));
  });
  afterEach(() => servers.close());

  it(`gives the same bytes for ${SAME.length} lines, right and wrong ones`, async () => {
    const different: string[] = [];
    for (const line of SAME) {
      const [theirs, own] = [await replyTo(qemu.client, line, []), await replyTo(ours, line, [])];
      if (theirs !== own) different.push(`${line}: QEMU ${theirs}, ours ${own}`);
    }
    expect(different).toEqual([]);
  });

  it('differs where the table says so, and as it says', async () => {
    for (const { line, ...expected } of DIFFERENT) {
      const [theirs, own] = [await replyTo(qemu.client, line, []), await replyTo(ours, line, [])];
      expect({ line, qemu: theirs, ours: own }).toEqual({ line, qemu: expected.qemu, ours: expected.ours });
    }
  });

  it('drives delivery, end and rejection of interrupts alike, and the line to the thread', async () => {
    const [fresh, theirLines, ownLines] = [await Qemu.start(), [] as string[], [] as string[]];
    try {
      for (const line of INTERRUPTS) {
        const own = await replyTo(ours, line, ownLines);
        if (line === PASS) continue;
        expect([line, own]).toEqual([line, await replyTo(fresh.client, line, theirLines)]);
      }
      expect(ownLines).toEqual(theirLines);
      expect(ownLines.length).toBeGreaterThan(8);
    } finally {
      await fresh.stop();
    }
  });

  it('answers ERR and goes on where QEMU aborts', { timeout: 60_000 }, async () => {
    const aborted = async (line: string): Promise<readonly [string, string | undefined]> => {
      const victim = await Qemu.start();
      try {
        return [line, await replyTo(victim.client, line, [])];
      } finally {
        await victim.stop();
      }
    };
    for (let at = 0; at < ABORTS.length; at += AT_ONCE) {
      const lines = ABORTS.slice(at, at + AT_ONCE);
      expect(await Promise.all(lines.map(aborted))).toEqual(lines.map((line) => [line, undefined]));
    }
    for (const line of ABORTS) {
      expect([line, await replyTo(ours, line, [])]).toEqual([line, expect.stringMatching(/^ERR [ -~]+$/)]);
      expect(await replyTo(ours, 'endianness', [])).toBe('OK big');
    }
  });
});
