import { describe, expect, it } from 'vitest';
import { msiCapability } from '../../src/pcie/capabilities.js';
import { type BarSpec, deviceHeader } from '../../src/pcie/config-header.js';
import type { ConfigLayout } from '../../src/pcie/config-space.js';
import { type BarRead, type BarWrite, Endpoint, type EndpointLayout } from '../../src/pcie/endpoint.js';
import { msiXCapability } from '../../src/pcie/msi-x.js';
import { MessageCode, memoryWrite } from '../../src/pcie/tlp.js';
import type { Simulator } from '../../src/sim/simulator.js';
import { BUS1, Rig } from './rig.js';

const BAR = 2;
const BASE = 0x8000_0000;
const TABLE = 0x1000;
const PENDING = 0x3000;
const VECTORS = 70;
const CONTROL = 0x42;
const ENABLE = 0x8000;
const FUNCTION_MASK = 0x4000;
const MSI = 0x60;
const ADDRESS = 0xfff0_0000;
const BARS: readonly BarSpec[] = [{ index: BAR, sizeBytes: 0x4000, kind: 'memory32' }];

function layout(msiMessages: 1 | 32): EndpointLayout {
  const identity = { vendorId: 1, deviceId: 2, classCode: 0, interruptPin: 2, capabilityPointer: 0x40 } as const;
  const place = { table: { bar: BAR, at: TABLE }, pending: { bar: BAR, at: PENDING } } as const;
  const all: ConfigLayout = {
    ...deviceHeader(identity, BARS),
    ...msiXCapability({ at: 0x40, next: MSI, vectors: VECTORS, ...place }),
    ...msiCapability({ at: MSI, next: 0 }, msiMessages),
  };
  return all as EndpointLayout;
}

/** A device that is nothing but interrupts: reads outside the MSI-X structures give zeros. */
class Bell extends Endpoint {
  constructor(sim: Simulator, msiMessages: 1 | 32) {
    super(sim, 'bell', { layout: layout(msiMessages), bars: BARS });
  }
  protected override readBar(bar: number, offset: number, lengthBytes: number): BarRead {
    return this.interrupts.msiX!.read(bar, offset, lengthBytes) ?? new Uint8Array(lengthBytes);
  }
  protected override writeBar(bar: number, offset: number, data: Uint8Array): BarWrite {
    return this.interrupts.msiX!.write(bar, offset, data) ?? 'done';
  }
}

function bench(msiMessages: 1 | 32 = 32) {
  const r = new Rig();
  const bell = new Bell(r.sim, msiMessages);
  bell.plugInto(r.link);
  r.powerOn();
  const place = () => {
    r.cfgWrite(BUS1, 0x18, 4, BASE);
    r.cfgWrite(BUS1, 0x04, 2, 0x0006);
  };
  place();
  const entry = (vector: number, word: number) => BASE + TABLE + 16 * vector + 4 * word;
  const control = (value: number) => r.cfgWrite(BUS1, CONTROL, 2, value);
  const mask = (vector: number, masked: 0 | 1) => r.store(entry(vector, 3), masked);
  const program = (vector: number, data: number) => {
    r.store(entry(vector, 0), ADDRESS + 4 * vector);
    r.store(entry(vector, 1), 0x1234);
    r.store(entry(vector, 2), data);
    mask(vector, 0);
    r.run(1000);
  };
  const raise = (vector: number) => {
    bell.interrupts.raise(vector);
    r.run(1000);
  };
  const pending = (word: number) => r.register(BASE + PENDING + 4 * word);
  const messages = () => r.writes.map((tlp) => [tlp.addressHi, tlp.addressLo, ...tlp.data!]);
  return { r, bell, place, entry, control, mask, program, raise, pending, messages };
}

describe('the MSI-X capability', () => {
  it('tells how many vectors there are and where they stand', () => {
    const { r } = bench();
    expect(r.config(BUS1, 0x40)).toBe((((VECTORS - 1) << 16) | (MSI << 8) | 0x11) >>> 0);
    expect([r.config(BUS1, 0x44), r.config(BUS1, 0x48)]).toEqual([TABLE | BAR, PENDING | BAR]);
    r.cfgWrite(BUS1, 0x40, 4, 0xffff_ffff);
    r.cfgWrite(BUS1, 0x44, 4, 0);
    expect([r.config(BUS1, CONTROL, 2), r.config(BUS1, 0x44)]).toEqual([0xc000 | (VECTORS - 1), TABLE | BAR]);
  });
});

describe('the table of vectors', () => {
  it('begins with every vector masked, and keeps what is written but for reserved bits', () => {
    const { r, entry } = bench();
    for (const vector of [0, 33, VECTORS - 1]) {
      expect([0, 1, 2, 3].map((word) => r.register(entry(vector, word)))).toEqual([0, 0, 0, 1]);
      for (let word = 0; word < 4; word++) r.store(entry(vector, word), 0xffff_ffff);
      expect([0, 1, 2, 3].map((word) => r.register(entry(vector, word)))).toEqual([
        ...[0xffff_fffc, 0xffff_ffff, 0xffff_ffff, 1],
      ]);
    }
  });

  it('takes 4 or 8 bytes, aligned, and nothing else', () => {
    const { r, entry } = bench();
    r.port.send(memoryWrite(0, { hi: 0, lo: entry(3, 0) }, Uint8Array.of(4, 3, 2, 1, 8, 7, 6, 5)));
    const both = r.load(entry(3, 0), 8)!;
    expect([both.status, Array.from(both.data!)]).toEqual(['SC', [4, 3, 2, 1, 8, 7, 6, 5]]);
    expect(r.load(entry(3, 0), 2)?.status).toBe('CA');
    expect(r.load(entry(3, 1), 8)?.status).toBe('CA');
    expect(r.load(entry(3, 0), 16)?.status).toBe('CA');
    r.store(entry(3, 0), 0xff, 1);
    r.store(BASE + PENDING, 0xff, 2);
    expect([r.register(entry(3, 0)), r.register(BASE + PENDING)]).toEqual([0x0102_0304, 0]);
  });

  it('ends with the last vector', () => {
    const { r, entry } = bench();
    r.store(entry(VECTORS, 0), 0x10);
    expect(r.register(entry(VECTORS, 0))).toBe(0);
  });
});

describe('a vector', () => {
  it('sends its own address and all 32 bits of its data', () => {
    const { control, program, raise, messages } = bench();
    control(ENABLE);
    program(0, 0x8000_0001);
    program(69, 0x0000_0045);
    raise(69);
    raise(0);
    raise(0);
    const second = [0x1234, ADDRESS, 0x01, 0, 0, 0x80];
    expect(messages()).toEqual([[0x1234, ADDRESS + 4 * 69, 0x45, 0, 0, 0], second, second]);
  });

  it('pends once while it is masked, and is sent when it no longer is', () => {
    const { r, control, program, raise, mask, pending, messages } = bench();
    control(ENABLE);
    program(40, 7);
    mask(40, 1);
    r.run(1000);
    raise(40);
    raise(40);
    expect([messages(), pending(1), pending(0)]).toEqual([[], 1 << 8, 0]);
    r.store(BASE + PENDING + 4, 0);
    expect(pending(1)).toBe(1 << 8);
    mask(40, 0);
    expect([pending(1), messages().length]).toEqual([0, 1]);
    mask(40, 0);
    r.run(1000);
    expect(messages()).toHaveLength(1);
  });

  it('pends while the function is masked, each in its place', () => {
    const { control, program, raise, pending, messages } = bench();
    control(ENABLE | FUNCTION_MASK);
    for (const vector of [2, 31, 64]) program(vector, vector);
    for (const vector of [64, 31, 2]) raise(vector);
    expect([pending(0), pending(1), pending(2)]).toEqual([0x8000_0004, 0, 1]);
    expect(messages()).toEqual([]);
    control(ENABLE);
    expect([pending(0), pending(2)]).toEqual([0, 0]);
    expect(messages().map(([, , data]) => data)).toEqual([2, 31, 64]);
  });

  it('pends no more when its cause is withdrawn', () => {
    const { r, bell, control, program, raise, mask, pending, messages } = bench();
    control(ENABLE);
    program(5, 5);
    mask(5, 1);
    r.run(1000);
    raise(5);
    bell.interrupts.msiX!.withdraw(5);
    expect(pending(0)).toBe(0);
    mask(5, 0);
    r.run(1000);
    expect(messages()).toEqual([]);
  });

  it('that the table does not have raises nothing', () => {
    const { control, raise, pending, messages } = bench();
    control(ENABLE | FUNCTION_MASK);
    raise(VECTORS);
    expect([pending(0), pending(1), pending(2)]).toEqual([0, 0, 0]);
    control(ENABLE);
    expect(messages()).toEqual([]);
  });

  it('needs the bus master bit: without it the message is lost', () => {
    const { r, control, program, raise, messages } = bench();
    control(ENABLE);
    program(1, 1);
    r.cfgWrite(BUS1, 0x04, 2, 0x0002);
    raise(1);
    r.cfgWrite(BUS1, 0x04, 2, 0x0006);
    r.run(1000);
    expect(messages()).toEqual([]);
  });
});

describe('of the three ways to interrupt', () => {
  it('MSI-X goes before MSI, and MSI before the pin', () => {
    const { r, bell, control, program, raise, messages } = bench();
    raise(0);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTB]);
    r.cfgWrite(BUS1, MSI + 4, 4, 0xffe0_0000);
    r.cfgWrite(BUS1, MSI + 0x0c, 2, 0x0100);
    r.cfgWrite(BUS1, MSI + 2, 2, 0x0001);
    r.run(1000);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTB, MessageCode.DEASSERT_INTB]);
    raise(3);
    expect(messages()).toEqual([[0, 0xffe0_0000, 0x00, 0x01, 0, 0]]);
    control(ENABLE);
    program(3, 0x33);
    raise(3);
    expect(messages().at(-1)).toEqual([0x1234, ADDRESS + 12, 0x33, 0, 0, 0]);
    expect(bell.interrupts.msiXEnabled).toBe(true);
    control(0);
    raise(3);
    expect(messages().at(-1)).toEqual([0, 0xffe0_0000, 0x00, 0x01, 0, 0]);
    r.cfgWrite(BUS1, MSI + 2, 2, 0);
    r.run(1000);
    expect(r.messages.at(-1)).toBe(MessageCode.ASSERT_INTB);
  });

  it('MSI puts the vector into the low bits of its data, as many as are granted and as there are', () => {
    const { r, raise, messages } = bench();
    const enable = (granted: number) => r.cfgWrite(BUS1, MSI + 2, 2, (granted << 4) | 1);
    r.cfgWrite(BUS1, MSI + 0x0c, 2, 0xabdf);
    const data = (vector: number) => {
      raise(vector);
      return messages().at(-1)!.slice(2, 4);
    };
    enable(3);
    expect([data(0), data(6), data(9)]).toEqual([
      [0xd8, 0xab],
      [0xde, 0xab],
      [0xd9, 0xab],
    ]);
    enable(5);
    expect(data(21)).toEqual([0xd5, 0xab]);
    enable(7);
    expect(data(33)).toEqual([0xc1, 0xab]);
  });

  it('MSI with one message knows one vector', () => {
    const { r, raise, messages } = bench(1);
    r.cfgWrite(BUS1, MSI + 0x0c, 2, 0x0042);
    r.cfgWrite(BUS1, MSI + 2, 2, 0x0051);
    raise(5);
    expect(messages().at(-1)!.slice(2, 4)).toEqual([0x42, 0]);
  });

  it('MSI-X that is turned on takes the pin down', () => {
    const { r, control, raise } = bench();
    raise(0);
    control(ENABLE);
    r.run(1000);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTB, MessageCode.DEASSERT_INTB]);
  });
});

it('a reset masks every vector and forgets what was pending', () => {
  const { r, place, entry, control, program, raise, pending, messages } = bench();
  control(ENABLE | FUNCTION_MASK);
  program(1, 1);
  raise(1);
  r.link.setPerst('asserted');
  r.run(1e6);
  r.link.setPerst('deasserted');
  r.run(300e6);
  place();
  expect(r.config(BUS1, CONTROL, 2)).toBe(VECTORS - 1);
  expect([0, 1, 2, 3].map((word) => r.register(entry(1, word)))).toEqual([0, 0, 0, 1]);
  expect([pending(0), messages()]).toEqual([0, []]);
});
