import { describe, expect, it } from 'vitest';
import { aerCapability } from '../../src/pcie/aer-capability.js';
import { completion } from '../../src/pcie/completion.js';
import { type BarSpec, deviceHeader } from '../../src/pcie/config-header.js';
import { ConfigSpace } from '../../src/pcie/config-space.js';
import { ErrorReporter } from '../../src/pcie/error-reporter.js';
import { ioRead, memoryRead, memoryWrite, message, type Tlp } from '../../src/pcie/tlp.js';
import { BARS, Box, CE_STATUS, COMMAND, DEVCTL, DEVSTA, layout, ready, UE_STATUS } from './box.js';
import { BUS1, Rig } from './rig.js';

const UE_MASK = 0x108;
const UE_SEVERITY = 0x10c;
const CE_MASK = 0x114;
const CONTROL = 0x118;
const HEADER = 0x11c;
const STATUS = 0x06;
const ALL_REPORTS = 0x202f;
const AT = 0x8000_0000;

const store = (length = 4): Tlp => memoryWrite(0, { hi: 0, lo: AT }, new Uint8Array(length).fill(7));

function bench(...args: Parameters<typeof ready>) {
  const b = ready(...args);
  b.r.cfgWrite(BUS1, DEVCTL, 2, ALL_REPORTS);
  const send = (tlp: Tlp) => {
    b.r.port.send(tlp);
    b.r.run(10_000);
  };
  const header = () => [0, 4, 8, 12].map((offset) => b.r.config(BUS1, HEADER + offset));
  return { ...b, send, header };
}

describe('a device that receives', () => {
  it('a malformed packet drops it, logs its header and calls it fatal', () => {
    const { r, box, send, header } = bench();
    send({ ...store(8), header: { firstByteEnables: 0 } });
    expect(r.messages).toEqual([0x33]);
    expect(box.storage[0]).toBe(0);
    expect(r.config(BUS1, UE_STATUS)).toBe(0x4_0000);
    expect(r.config(BUS1, CONTROL) & 0x1f).toBe(18);
    expect(header()).toEqual([0x4000_0002, 0x0000_00f0, AT, 0]);
    expect(r.config(BUS1, DEVSTA, 2) & 0xf).toBe(0x4);
  });

  it('a malformed read answers nothing', () => {
    const { r } = bench();
    expect(r.load(AT + 0xffc, 8)).toBeUndefined();
    expect(r.config(BUS1, UE_STATUS)).toBe(0x4_0000);
  });

  it('a payload beyond its limit calls it malformed, as large as the limit not', () => {
    const { r, box, send } = bench();
    send(store(64));
    r.cfgWrite(BUS1, DEVCTL, 2, 0x200f);
    send(store(128));
    expect([r.messages, box.storage[127]]).toEqual([[], 7]);
    send(memoryWrite(0, { hi: 0, lo: AT }, new Uint8Array(129)));
    expect(r.messages).toEqual([0x33]);
    expect(box.storage[127]).toBe(7);
  });

  it('a damaged digest drops the packet only while it checks', () => {
    const { r, box, send } = bench();
    const bad: Tlp = { ...store(), digest: true, digestDamaged: true };
    send(bad);
    expect([r.messages, box.storage[0]]).toEqual([[], 7]);
    r.cfgWrite(BUS1, CONTROL, 4, 0x100);
    box.storage.fill(0);
    send(bad);
    expect([r.messages, box.storage[0]]).toEqual([[0x31], 0]);
    expect(r.config(BUS1, UE_STATUS)).toBe(0x8_0000);
    r.cfgWrite(BUS1, UE_SEVERITY, 4, 0x8_0000);
    send(bad);
    expect(r.messages).toEqual([0x31, 0x33]);
  });

  it('a sound digest does nothing', () => {
    const { r, box, send } = bench();
    r.cfgWrite(BUS1, CONTROL, 4, 0x140);
    send({ ...store(), digest: true });
    expect([r.messages, box.storage[0]]).toEqual([[], 7]);
  });

  it('poisoned data notes a parity error, also with parity response off', () => {
    const { r, send } = bench();
    send({ ...store(), poisoned: true });
    expect(r.messages).toEqual([0x31]);
    expect(r.config(BUS1, STATUS, 2) & 0x8100).toBe(0x8000);
  });

  it('a poisoned configuration write keeps its register and refuses it, which is advisory', () => {
    const { r } = bench();
    r.cfgWrite(BUS1, CE_MASK, 4, 0);
    const answer = r.ask((tag) => ({
      ...memoryWrite(0, { hi: 0, lo: 0 }, Uint8Array.of(0, 0)),
      kind: 'CfgWr0',
      tag,
      targetId: BUS1,
      register: COMMAND,
      poisoned: true,
    }));
    expect(answer?.status).toBe('UR');
    expect(r.config(BUS1, COMMAND, 2)).toBe(0x0006);
    expect([r.config(BUS1, UE_STATUS), r.messages]).toEqual([0x1000, [0x30]]);
  });

  it('a message it does not know calls it unsupported, one it may ignore not', () => {
    const { r, send } = bench();
    for (const code of [0x19, 0x50, 0x7f]) send(message(0, code));
    expect(r.config(BUS1, UE_STATUS)).toBe(0);
    send(message(0, 0x7e));
    expect([r.config(BUS1, UE_STATUS), r.messages]).toEqual([0x10_0000, [0x31]]);
  });

  it('a completion nobody asked for calls it unexpected, which is advisory', () => {
    const { r, send } = bench();
    r.cfgWrite(BUS1, CE_MASK, 4, 0);
    send(completion(memoryRead({ requesterId: BUS1, tag: 9 }, { hi: 0, lo: 0 }, 4), 0, 'UR'));
    send(completion(memoryRead({ requesterId: 0x777, tag: 9 }, { hi: 0, lo: 0 }, 4), 0, 'UR'));
    expect(r.messages).toEqual([0x30, 0x30]);
    expect(r.config(BUS1, UE_STATUS)).toBe(0x1_0000);
    expect(r.config(BUS1, DEVSTA, 2) & 0xf).toBe(0x1);
  });

  it('an error of its link records and reports it as correctable', () => {
    const { r, box } = bench();
    r.link.down.damageNextPackets(1);
    r.link.up.damageNextPackets(1);
    r.load(AT);
    r.run(1e6);
    expect(r.config(BUS1, CE_STATUS) & 0x40).toBe(0x40);
    expect(r.messages).toContain(0x30);
    expect(box.rid).toBe(BUS1);
  });
});

describe('error records', () => {
  it('of masked errors show in the status alone', () => {
    const { r, box, header, send } = bench();
    r.cfgWrite(BUS1, UE_MASK, 4, 0x10_0000);
    send(memoryWrite(0, { hi: 0, lo: 0x9000_0000 }, new Uint8Array(4)));
    expect(r.messages).toEqual([]);
    expect(r.config(BUS1, UE_STATUS)).toBe(0x10_0000);
    expect([r.config(BUS1, CONTROL) & 0x1f, header()]).toEqual([0, [0, 0, 0, 0]]);
    expect(r.config(BUS1, DEVSTA, 2) & 0xa).toBe(0xa);
    box.raiseUncorrectable('POISONED_TLP', { ...store(), poisoned: true });
    expect([r.config(BUS1, CONTROL) & 0x1f, header()[0]]).toEqual([12, 0x4000_4001]);
  });

  it('keep the first header until its status bit is cleared', () => {
    const { r, box, header } = bench();
    box.raiseUncorrectable('POISONED_TLP', store());
    box.raiseUncorrectable('MALFORMED_TLP', store(8));
    expect([r.config(BUS1, CONTROL) & 0x1f, header()[0]]).toEqual([12, 0x4000_0001]);
    r.cfgWrite(BUS1, UE_STATUS, 4, 0x4_0000);
    box.raiseUncorrectable('MALFORMED_TLP', store(8));
    expect([r.config(BUS1, CONTROL) & 0x1f, header()[0]]).toEqual([12, 0x4000_0001]);
    r.cfgWrite(BUS1, UE_STATUS, 4, 0x1000);
    box.raiseUncorrectable('ECRC', store(8));
    expect([r.config(BUS1, CONTROL) & 0x1f, header()[0]]).toEqual([19, 0x4000_0002]);
    expect(r.config(BUS1, UE_STATUS)).toBe(0xc_0000);
  });

  it('follow one another where multiple headers are recorded', () => {
    const several = { ...layout(), ...aerCapability({ at: 0x100, next: 0 }, ['multiple-headers']) };
    const { r, box, header } = bench({ layout: several });
    r.cfgWrite(BUS1, CONTROL, 4, 0x400);
    for (const length of [4, 8, 12]) box.raiseUncorrectable('POISONED_TLP', store(length));
    box.raiseUncorrectable('MALFORMED_TLP', store(16));
    const seen = [4, 8, 12, 16].map((length) => {
      const shown = [r.config(BUS1, CONTROL) & 0x1f, header()[0]];
      r.cfgWrite(BUS1, UE_STATUS, 4, length === 16 ? 0x4_0000 : 0x1000);
      return shown;
    });
    expect(seen).toEqual([
      [12, 0x4000_0001],
      [12, 0x4000_0002],
      [12, 0x4000_0003],
      [18, 0x4000_0004],
    ]);
    expect(r.config(BUS1, UE_STATUS)).toBe(0);
    for (let i = 0; i < 20; i++) box.raiseUncorrectable('POISONED_TLP', store());
    for (let i = 0; i < 7; i++) r.cfgWrite(BUS1, UE_STATUS, 4, 0x1000);
    expect(r.config(BUS1, UE_STATUS)).toBe(0x1000);
    r.cfgWrite(BUS1, UE_STATUS, 4, 0x1000);
    expect(r.config(BUS1, UE_STATUS)).toBe(0);
    box.raiseUncorrectable('POISONED_TLP', store());
    box.raiseUncorrectable('POISONED_TLP', store());
    r.cfgWrite(BUS1, CONTROL, 4, 0);
    r.cfgWrite(BUS1, UE_STATUS, 4, 0x1000);
    expect(r.config(BUS1, UE_STATUS)).toBe(0);
  });

  it('of advisory errors stop at the mask, then show both kinds, and need the reports on', () => {
    const { r, header } = bench();
    r.load(0x9000_0000);
    expect([r.config(BUS1, CE_STATUS), r.config(BUS1, UE_STATUS), r.messages]).toEqual([0x2000, 0, []]);
    expect(r.config(BUS1, DEVSTA, 2) & 0xf).toBe(0x9);
    r.cfgWrite(BUS1, CE_MASK, 4, 0);
    r.load(0x9000_0000);
    expect([r.config(BUS1, UE_STATUS), header()[2], r.messages]).toEqual([0x10_0000, 0x9000_0000, [0x30]]);
    r.cfgWrite(BUS1, DEVCTL, 2, 0x2027);
    r.load(0x9000_0000);
    r.cfgWrite(BUS1, DEVCTL, 2, 0x202e);
    r.load(0x9000_0000);
    expect(r.messages).toEqual([0x30]);
  });

  it('are reported by the SERR enable, too, which shows as signalled', () => {
    const { r, send } = bench();
    r.cfgWrite(BUS1, DEVCTL, 2, 0x2020);
    r.cfgWrite(BUS1, COMMAND, 2, 0x0106);
    send(memoryWrite(0, { hi: 0, lo: 0x9000_0000 }, new Uint8Array(4)));
    expect(r.messages).toEqual([0x31]);
    expect(r.config(BUS1, STATUS, 2) & 0x4000).toBe(0x4000);
  });

  it('without AER have the severities of the specification, and advisory errors no message', () => {
    const noAer = Object.fromEntries(Object.entries(layout()).filter(([, register]) => register.at < 0x100));
    const config = new ConfigSpace('plain', noAer);
    const reporter = new ErrorReporter(config);
    config.write(DEVCTL, 2, ALL_REPORTS);
    expect(reporter.uncorrectable('MALFORMED_TLP')).toBe('ERR_FATAL');
    expect(reporter.uncorrectable('POISONED_TLP')).toBe('ERR_NONFATAL');
    expect(reporter.advisory('UNSUPPORTED_REQUEST')).toBeUndefined();
    expect(reporter.correctable('BAD_TLP')).toBe('ERR_COR');
    expect(config.read(DEVSTA, 2)).toBe(0xf);
  });
});

describe('a device that sends', () => {
  it('adds a digest to everything while it generates them, 4 bytes each', () => {
    const { r, box } = bench();
    const sent: (boolean | undefined)[] = [];
    r.link.down.observe((tlp) => sent.push(tlp.digest));
    const bytes = () => {
      const before = r.link.down.sentBytes;
      box.strayWrite(0x1000n, 4);
      r.run(5000);
      return r.link.down.sentBytes - before;
    };
    const plain = bytes();
    r.cfgWrite(BUS1, CONTROL, 4, 0x40);
    sent.length = 0;
    expect(bytes()).toBe(plain + 4);
    r.load(AT);
    box.sendErrorMessage('ERR_COR');
    expect(sent).toEqual([true, true, true]);
  });

  it('packets with planned defects sends as many of them as asked, of that class alone', () => {
    const { r, box } = bench();
    box.damageNextPackets('write', 'poisoned', 1);
    box.damageNextPackets('completion', 'damaged-digest', 1);
    box.damageNextPackets('message', 'traffic-class', 1);
    box.damageNextPackets('read', 'crosses-4k', 1);
    box.damageNextPackets('read', 'undefined-type', 0);
    const sent: Tlp[] = [];
    r.link.down.observe((tlp) => sent.push(tlp));
    r.cfgWrite(BUS1, COMMAND, 2, 0x0046);
    box.strayWrite(0x1000n, 4);
    box.strayWrite(0x1000n, 4);
    box.sendErrorMessage('ERR_COR');
    box.strayRead(0x1000n, 4);
    r.run(5000);
    expect(sent[0]).toMatchObject({ kind: 'Cpl', digest: true, digestDamaged: true });
    expect(sent.slice(1, 3).map((tlp) => tlp.poisoned)).toEqual([true, undefined]);
    expect(sent[3]).toMatchObject({ kind: 'Msg', trafficClass: 7 });
    expect(sent[4]).toMatchObject({ kind: 'MRd', addressLo: 0x1ffc, lengthBytes: 8 });
    // Parity response is on: the poisoned write it sent is on record.
    expect(r.config(BUS1, STATUS, 2) & 0x0100).toBe(0x0100);
  });

  it('poisoned answers when told to', () => {
    const { r, box } = bench();
    box.answerNextRequests('memory', 'poisoned', 1);
    box.answerNextRequests('configuration', 'poisoned', 1);
    expect(r.cfgRead(BUS1, 0)).toMatchObject({ kind: 'CplD', poisoned: true });
    expect(r.load(AT)).toMatchObject({ kind: 'CplD', status: 'SC', poisoned: true });
    expect(r.load(AT)?.poisoned).toBeUndefined();
  });
});

describe('decoding', () => {
  const ioBars: readonly BarSpec[] = [
    { index: 0, sizeBytes: 0x1000, kind: 'memory32' },
    { index: 1, sizeBytes: 0x1000, kind: 'memory32' },
    { index: 2, sizeBytes: 0x20, kind: 'io' },
  ];
  const identity = { vendorId: 0x1014, deviceId: 2, classCode: 0xff_0000, capabilityPointer: 0x40 };
  class RomBox extends Box {
    protected override readRom(offset: number, lengthBytes: number) {
      return new Uint8Array(lengthBytes).fill(0xa0 + (offset & 0xf));
    }
  }
  function decoder() {
    const r = new Rig();
    const box = new RomBox(r.sim, {
      bars: ioBars,
      layout: { ...layout(), ...deviceHeader(identity, ioBars, 0x1_0000) },
    });
    box.plugInto(r.link);
    r.powerOn();
    return { r, box };
  }

  it('of I/O space needs its own enable, and I/O requests are answered', () => {
    const { r, box } = decoder();
    r.cfgWrite(BUS1, 0x18, 4, 0xffff_ffff);
    expect(r.config(BUS1, 0x18)).toBe(0xffff_ffe1);
    r.cfgWrite(BUS1, 0x18, 4, 0x3000);
    const io = (port: number) => r.ask((tag) => ioRead({ requesterId: 0, tag }, port, 2));
    r.cfgWrite(BUS1, COMMAND, 2, 0x0002);
    expect(io(0x3002)?.status).toBe('UR');
    r.cfgWrite(BUS1, COMMAND, 2, 0x0001);
    box.storage.set([0x34, 0x12], 0x1002);
    expect([...io(0x3002)!.data!]).toEqual([0x34, 0x12]);
    const write = r.ask((tag) => ({ ...memoryWrite(0, { hi: 0, lo: 0x3004 }, Uint8Array.of(9)), kind: 'IOWr', tag }));
    expect([write?.kind, write?.status, box.storage[0x1004]]).toEqual(['Cpl', 'SC', 9]);
    const bad = r.ask((tag) => ({
      ...memoryWrite(0, { hi: 0, lo: 0x3004 }, Uint8Array.of(8)),
      kind: 'IOWr',
      tag,
      poisoned: true,
    }));
    expect([bad?.status, box.storage[0x1004]]).toEqual(['UR', 9]);
    expect(io(0x3020)?.status).toBe('UR');
    box.refuses = true;
    expect(io(0x3002)?.status).toBe('CA');
  });

  it('of overlapping BARs goes to the one declared first', () => {
    const { r, box } = decoder();
    r.cfgWrite(BUS1, 0x10, 4, AT);
    r.cfgWrite(BUS1, 0x14, 4, AT);
    r.cfgWrite(BUS1, COMMAND, 2, 0x0002);
    r.store(AT, 5, 1);
    r.run(5000);
    expect([box.storage[0], box.storage[0x800]]).toEqual([5, 0]);
  });

  it('of the expansion ROM needs memory enable and its own, sizes by ones, and ignores stores', () => {
    const { r } = decoder();
    r.cfgWrite(BUS1, 0x30, 4, 0xffff_fffe);
    expect(r.config(BUS1, 0x30)).toBe(0xffff_0000);
    r.cfgWrite(BUS1, 0x30, 4, 0x7000_0000);
    r.cfgWrite(BUS1, COMMAND, 2, 0x0002);
    expect(r.load(0x7000_0004)?.status).toBe('UR');
    r.cfgWrite(BUS1, 0x30, 4, 0x7000_0001);
    expect(r.register(0x7000_0004)).toBe(0xa4a4_a4a4);
    r.store(0x7000_0004, 0);
    expect(r.load(0x7001_0000)?.status).toBe('UR');
    expect(r.config(BUS1, UE_STATUS)).toBe(0);
    r.cfgWrite(BUS1, COMMAND, 2, 0x0000);
    expect(r.load(0x7000_0004)?.status).toBe('UR');
  });

  it('of a ROM of impossible size is refused when declared', () => {
    expect(() => deviceHeader(identity, BARS, 0x3000)).toThrow('power of two');
    expect(() => deviceHeader(identity, BARS, 0x400)).toThrow('2 KiB to 16 MiB');
  });
});
