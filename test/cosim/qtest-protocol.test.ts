import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type LineLevel,
  type LineListener,
  MAX_BLOCK_BYTES,
  MAX_FILL_BYTES,
  type Pins,
  QtestSession,
  type QtestTarget,
  type Work,
} from '../../src/cosim/qtest-protocol.js';
import { CommandError } from '../../src/cosim/qtest-words.js';
import type { AccessSize } from '../../src/hw/host-port.js';
import { settled } from './support.js';

const REPLY = /^(OK|OK [!-~]*|FAIL|FAIL [\t -~]+|ERR [ -~]+)$/;

/** Notes what it was asked, and answers what it was told to. */
class Notebook implements QtestTarget {
  readonly asked: unknown[][] = [];
  value = 0n;
  bytes = new Uint8Array();
  clockNs = 0;
  listeners: LineListener[] = [];

  load(address: number, size: AccessSize): bigint {
    this.asked.push(['load', address, size]);
    return this.value;
  }
  store(address: number, size: AccessSize, value: bigint): void {
    this.asked.push(['store', address, size, value]);
  }
  readBlock(address: number, length: number): Uint8Array {
    this.asked.push(['readBlock', address, length]);
    return this.bytes;
  }
  writeBlock(address: number, bytes: Uint8Array): void {
    this.asked.push(['writeBlock', address, [...bytes]]);
  }
  fill(address: number, length: number, byte: number): void {
    this.asked.push(['fill', address, length, byte]);
  }
  *advanceTo(timeNs: number): Work<void> {
    this.asked.push(['advanceTo', timeNs]);
    yield;
    this.clockNs = Math.max(this.clockNs, timeNs);
  }
  *advanceToNextEvent(): Work<void> {
    yield;
    this.clockNs += 7;
  }
  intercept(device: string, pins: Pins, listener: LineListener): (() => void) | undefined {
    this.asked.push(['intercept', device, pins]);
    if (device !== 'interrupts' && device !== 'others') return undefined;
    this.listeners.push(listener);
    return () => {
      this.listeners = this.listeners.filter((each) => each !== listener);
    };
  }
  setLine(device: string, line: number, level: LineLevel): 'done' | 'no device' | 'no line' {
    this.asked.push(['setLine', device, line, level]);
    if (device !== 'thread') return 'no device';
    return line === 0 ? 'done' : 'no line';
  }
  *callFirmware(call: string, words: readonly string[]): Work<bigint> {
    this.asked.push(['opal', call, ...words]);
    yield;
    if (call === 'nothing') throw new CommandError('no such call');
    return -1n;
  }
}

function conversation(): { target: Notebook; unasked: string[]; session: QtestSession; ask: (line: string) => string } {
  const target = new Notebook();
  const unasked: string[] = [];
  const session = new QtestSession(target, (line) => unasked.push(line));
  return { target, unasked, session, ask: (line) => settled(session.execute(line)) };
}

describe('single accesses', () => {
  it.each([
    ['b', 1],
    ['w', 2],
    ['l', 4],
    ['q', 8],
  ] as const)('of letter %s have %i bytes', (letter, size) => {
    const { target, ask } = conversation();
    target.value = 0x5an;
    expect(ask(`read${letter} 0x3fffe40000800`)).toBe('OK 0x000000000000005a');
    expect(ask(`write${letter} 4096 0xfedcba9876543210`)).toBe('OK');
    expect(target.asked).toEqual([
      ['load', 0x3_fffe_4000_0800, size],
      ['store', 4096, size, BigInt.asUintN(8 * size, 0xfedc_ba98_7654_3210n)],
    ]);
  });

  it('answer with all sixteen digits', () => {
    const { target, ask } = conversation();
    target.value = 0xffff_ffff_ffff_ffffn;
    expect(ask('readq 8')).toBe('OK 0xffffffffffffffff');
  });

  it.each([
    ['0x10', 16n],
    ['0X1F', 31n],
    ['017', 15n],
    ['0', 0n],
    ['99', 99n],
    ['+5', 5n],
    ['-1', 0xffff_ffff_ffff_ffffn],
    ['0xffffffffffffffff', 0xffff_ffff_ffff_ffffn],
  ])('take the number %s as C does', (word, value) => {
    const { target, ask } = conversation();
    expect(ask(`writeq 0 ${word}`)).toBe('OK');
    expect(target.asked[0]![3]).toBe(value);
  });

  it.each(['', '0x', '08', '1f', 'x', '0x1g', '1.5', '--1', '\u0001', '0x10000000000000000', '-18446744073709551616'])(
    'refuse "%s" as a number',
    (word) => {
      const { target, ask } = conversation();
      expect(ask(`writeq 0 ${word}`)).toMatch(/^ERR value/);
      expect(target.asked).toEqual([]);
    },
  );

  it('want every argument, and an address on the bus', () => {
    const { target, ask } = conversation();
    expect(ask('readq')).toBe('ERR address is missing');
    expect(ask('writeq 0')).toBe('ERR value is missing');
    expect(ask('readq 0x20000000000000')).toBe("ERR address '0x20000000000000' is beyond the bus");
    expect(ask('readq -1')).toBe("ERR address '-1' is beyond the bus");
    expect(ask('readq  8')).toBe("ERR address '' is no number");
    expect(target.asked).toEqual([]);
  });
});

describe('blocks', () => {
  it('are read as hex digits or base64 in order of address', () => {
    const { target, ask } = conversation();
    target.bytes = Uint8Array.of(0, 1, 0xab, 0xff).subarray(1);
    expect(ask('read 0x100 3')).toBe('OK 0x01abff');
    expect(ask('b64read 0x100 3')).toBe(`OK ${Buffer.from([1, 0xab, 0xff]).toString('base64')}`);
    expect(target.asked).toEqual([
      ['readBlock', 0x100, 3],
      ['readBlock', 0x100, 3],
    ]);
  });

  it.each([
    ['write 0x10 3 0x0aFf01', [0x0a, 0xff, 0x01]],
    ['write 0x10 4 0x0aff', [0x0a, 0xff, 0, 0]],
    ['write 0x10 1 0x0aff', [0x0a]],
    ['write 0x10 3 0x0aff0', [0x0a, 0xff, 0]],
    ['write 0x10 0 0x0aff', []],
    ['b64write 0x10 3 AQID', [1, 2, 3]],
    ['b64write 0x10 2 AQID', [1, 2]],
    ['b64write 0x10 9 AQID', [1, 2, 3]],
    // As QEMU reads them: the first two characters count for nothing, what is no digit is all ones.
    ['write 0x10 1 zz1g', [0xff]],
    ['write 0x10 3 aabbcc', [0xbb, 0xcc, 0]],
    ['write 0x10 1 0xzz', [0xff]],
    ['write 0x10 2 0xz12z', [0xf1, 0xff]],
    ['b64write 0x10 3 A$Q$I$D', [1, 2, 3]],
    ['b64write 0x10 9 AQIDBA', [1, 2, 3]],
    ['b64write 0x10 9 AQ==AQI=', [1, 1, 2]],
    ['b64write 0x10 9 AQ=DAQID', [1, 3, 1, 2, 3]],
    ['b64write 0x10 9 A$$$', []],
  ])('are written by %s', (line, bytes) => {
    const { target, ask } = conversation();
    expect(ask(line)).toBe('OK');
    expect(target.asked).toEqual([['writeBlock', 0x10, bytes]]);
  });

  it.each([
    ['write 0 1 0x', 'ERR invalid argument size'],
    ['b64write 0 1 AA', 'ERR invalid argument size'],
    ['write 0 1', 'ERR data is missing'],
    ['b64write 0 1', 'ERR data is missing'],
    ['write 0', 'ERR size is missing'],
    ['read 0 0', 'ERR size must not be 0'],
    [`read 0 ${MAX_BLOCK_BYTES + 1}`, 'ERR size '],
    [`b64read 0 0xffffffffffffffff`, 'ERR size '],
    [`memset 0 ${MAX_FILL_BYTES + 1} 0`, 'ERR size '],
    ['memset 0 1', 'ERR value is missing'],
  ])('are refused for %s', (line, reply) => {
    const { target, ask } = conversation();
    expect(ask(line).startsWith(reply)).toBe(true);
    expect(target.asked).toEqual([]);
  });

  it('are filled with the low byte of a value', () => {
    const { target, ask } = conversation();
    expect(ask('memset 0x20 0x30 0x1a5')).toBe('OK');
    expect(ask('memset 0x20 0 -1')).toBe('OK');
    expect(target.asked).toEqual([
      ['fill', 0x20, 0x30, 0xa5],
      ['fill', 0x20, 0, 0xff],
    ]);
  });

  it('come back as they were written, at every size', () => {
    const { target, ask } = conversation();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 3, maxLength: 64 }), fc.boolean(), (bytes, base64) => {
        target.asked.length = 0;
        const data = base64 ? Buffer.from(bytes).toString('base64') : `0x${Buffer.from(bytes).toString('hex')}`;
        const prefix = base64 ? 'b64' : '';
        expect(ask(`${prefix}write 0 ${bytes.length} ${data}`)).toBe('OK');
        expect(target.asked).toEqual([['writeBlock', 0, [...bytes]]]);
        target.bytes = bytes;
        expect(ask(`${prefix}read 0 ${bytes.length}`)).toBe(`OK ${data}`);
      }),
      { seed: 3, numRuns: 200 },
    );
  });
});

describe('the clock', () => {
  it('is stepped from where it stands and set to a time, and the reply tells it', () => {
    const { target, ask } = conversation();
    expect(ask('clock_step 1000')).toBe('OK 1000');
    expect(ask('clock_step 0x10')).toBe('OK 1016');
    expect(ask('clock_set 5000')).toBe('OK 5000');
    expect(ask('clock_set 10')).toBe('OK 5000');
    expect(ask('clock_step -100')).toBe('OK 5000');
    expect(ask('clock_step')).toBe('OK 5007');
    expect(target.asked.map(([, time]) => time)).toEqual([1000, 1016, 5000, 10, 4900]);
  });

  it.each(['clock_set', 'clock_step x', 'clock_step 0x8000000000000000', 'clock_set -0x8000000000000001'])(
    'does not move for %s',
    (line) => {
      const { target, ask } = conversation();
      expect(ask(line)).toMatch(/^ERR (time|step)/);
      expect(target.asked).toEqual([]);
    },
  );
});

describe('intercepted interrupts', () => {
  it('are told as they change', () => {
    const { target, unasked, ask } = conversation();
    expect(ask('irq_intercept_in interrupts')).toBe('OK');
    const [listener] = target.listeners;
    for (const level of ['lower', 'raise', 'raise', 'lower'] as const) listener!(2063, level);
    expect(unasked).toEqual(['IRQ raise 2063', 'IRQ lower 2063']);
  });

  it('are of one device for each client', () => {
    const { target, ask } = conversation();
    expect(ask('irq_intercept_out')).toBe('ERR device is missing');
    expect(ask('irq_intercept_out nothing')).toBe('FAIL Unknown device');
    expect(ask('irq_intercept_out interrupts')).toBe('OK');
    expect(ask('irq_intercept_in interrupts')).toBe('OK');
    expect(ask('irq_intercept_in others')).toBe('FAIL IRQ intercept already enabled');
    expect(target.listeners).toHaveLength(1);
  });

  it('are those that come to a device or those that leave it', () => {
    const { target, ask } = conversation();
    ask('irq_intercept_in interrupts');
    ask('irq_intercept_out interrupts');
    expect(target.asked).toEqual([
      ['intercept', 'interrupts', 'in'],
      ['intercept', 'interrupts', 'out'],
    ]);
  });

  it('end with the session', () => {
    const { target, session, ask } = conversation();
    session.close();
    ask('irq_intercept_in interrupts');
    session.close();
    expect(target.listeners).toEqual([]);
  });
});

describe('a line that comes to a device', () => {
  it('is driven high by any level but 0', () => {
    const { target, ask } = conversation();
    for (const level of ['1', '-1', '0']) expect(ask(`set_irq_in thread unnamed-gpio-in 0 ${level}`)).toBe('OK');
    expect(target.asked).toEqual([
      ['setLine', 'thread', 0, 'raise'],
      ['setLine', 'thread', 0, 'raise'],
      ['setLine', 'thread', 0, 'lower'],
    ]);
  });

  it.each([
    ['set_irq_in nothing unnamed-gpio-in 0 1', 'FAIL Unknown device'],
    ['set_irq_in thread unnamed-gpio-in 1 1', "ERR thread has no line 1 in 'unnamed-gpio-in'"],
    ['set_irq_in thread other 0 1', "ERR thread has no line 0 in 'other'"],
    ['set_irq_in thread unnamed-gpio-in 0', 'ERR set_irq_in takes'],
    ['set_irq_in thread unnamed-gpio-in x 1', "ERR line 'x' is no number"],
    ['set_irq_in thread unnamed-gpio-in 0 0x80000000', "ERR level '0x80000000' is wider than 32 bits"],
  ])('is not driven by %s', (line, reply) => {
    const { ask } = conversation();
    expect(ask(line)).toMatch(new RegExp(`^${reply.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`));
  });
});

describe('ports and modules', () => {
  it('are answered as by a machine that has none', () => {
    const { ask } = conversation();
    expect(['inb', 'inw', 'inl'].map((command) => ask(`${command} 0x80`))).toEqual([
      'OK 0x00ff',
      'OK 0xffff',
      'OK 0xffffffff',
    ]);
    for (const command of ['outb', 'outw', 'outl']) expect(ask(`${command} 0x80 1`)).toBe('OK');
    expect(ask('module_load a b')).toBe('FAIL');
    expect(ask('module_load a')).toMatch(/^ERR module_load takes/);
    expect(ask('inb')).toBe('ERR port is missing');
    expect(ask('inb 0x10000')).toBe("ERR port '0x10000' is beyond 0xffff");
    expect(ask('outb 0x80')).toBe('ERR value is missing');
  });
});

describe('a call of firmware', () => {
  it('is passed on with its words, and its code comes back as a signed number', () => {
    const { target, ask } = conversation();
    expect(ask('opal 23 0 0x1000')).toBe('OK -1');
    expect(target.asked).toEqual([['opal', '23', '0', '0x1000']]);
    expect(ask('opal nothing')).toBe('ERR no such call');
    expect(ask('opal')).toMatch(/^ERR the call is missing/);
  });
});

describe('a line', () => {
  it('with the question of byte order gets the one of the guest', () => {
    expect(conversation().ask('endianness')).toBe('OK big');
  });

  it('that is no command fails by name', () => {
    const { ask } = conversation();
    expect(ask('')).toBe('ERR the line is empty');
    expect(ask(' readq 0')).toBe("FAIL Unknown command ''");
    expect(ask('rtas 1')).toBe("FAIL Unknown command 'rtas'");
    expect(ask('readq\t0x10')).toBe("FAIL Unknown command 'readq\t0x10'");
    expect(ask('READQ 0')).toBe("FAIL Unknown command 'READQ'");
    expect(ask('\u0000\u00ff\u001b[2J')).toBe("FAIL Unknown command '???[2J'");
    expect(ask('a'.repeat(1024))).toBe(`FAIL Unknown command '${'a'.repeat(1024)}'`);
    expect(ask('a'.repeat(100_000))).toBe(`FAIL Unknown command '${'a'.repeat(1024)}...'`);
    for (const inherited of ['constructor', 'toString', '__proto__']) expect(ask(inherited)).toMatch(/^FAIL Unknown/);
  });

  it('never throws and gets one reply of a known form, whatever it is', () => {
    const { target, ask } = conversation();
    const command = fc.constantFrom(
      ...['readb', 'readq', 'writew', 'writeq', 'read', 'write', 'memset', 'b64read', 'b64write', 'clock_step'],
      ...['clock_set', 'irq_intercept_in', 'irq_intercept_out', 'endianness', 'opal'],
    );
    const word = fc.oneof(
      fc.constantFrom('0', '1', '8', '0x10', '-1', '0x3fffe40000800', '0xffffffffffffffffff', '', 'AQID', 'interrupts'),
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
    );
    const line = fc.oneof(
      fc.tuple(command, fc.array(word, { maxLength: 5 })).map(([first, rest]) => [first, ...rest].join(' ')),
      fc.string({ unit: 'binary' }),
    );
    target.bytes = Uint8Array.of(1);
    fc.assert(
      fc.property(line, (text) => {
        expect(ask(text)).toMatch(REPLY);
      }),
      { seed: 1, numRuns: 3000 },
    );
  });
});

describe('an error below the protocol', () => {
  it('is a failure of the command, on one line', () => {
    const { target, ask } = conversation();
    target.load = () => {
      throw new Error('unanswered\n  at 5.000 000 ms\u0007');
    };
    expect(ask('readq 8')).toBe('FAIL unanswered at 5.000 000 ms?');
    target.load = () => {
      throw new CommandError('not so');
    };
    expect(ask('readq 8')).toBe('ERR not so');
    target.load = () => {
      throw 'odd';
    };
    expect(ask('readq 8')).toBe('FAIL odd');
    target.advanceTo = function* () {
      yield;
      throw new Error('stuck');
    };
    expect(ask('clock_step 8')).toBe('FAIL stuck');
  });
});
