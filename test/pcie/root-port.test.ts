import { describe, expect, it } from 'vitest';
import { UNCORRECTABLE } from '../../src/pcie/aer-capability.js';
import { Nic } from '../../src/pcie/nic.js';
import { bdf, configRead, errorMessage, MessageCode, memoryWrite, message, type Tlp } from '../../src/pcie/tlp.js';
import { BUS1, Rig, rootLayout } from './rig.js';

/** Offsets a test reads as software does. */
const AT = {
  command: 0x04,
  status: 0x06,
  secondaryStatus: 0x1e,
  bridgeControl: 0x3e,
  deviceControl: 0x50,
  deviceStatus: 0x52,
  linkControl: 0x58,
  linkStatus: 0x5a,
  slotStatus: 0x62,
  rootControl: 0x64,
  deviceControl2: 0x70,
  linkControl2: 0x78,
  ueStatus: 0x104,
  ueMask: 0x108,
  ueSeverity: 0x10c,
  ceStatus: 0x110,
  ceMask: 0x114,
  aerControl: 0x118,
  headerLog: 0x11c,
  rootCommand: 0x12c,
  rootStatus: 0x130,
  source: 0x134,
} as const;

function rig(options: Parameters<typeof rootLayout>[0] = []) {
  const r = new Rig({ maxSpeed: 3, maxWidth: 8 }, rootLayout(options));
  const nic = new Nic(r.sim, 'nic');
  nic.plugInto(r.link);
  return { r, nic };
}

describe('a root port', () => {
  it('routes by its bus numbers', () => {
    const { r } = rig();
    expect(r.port.routeConfig(bdf(0, 0, 0))).toBe('self');
    expect(r.port.routeConfig(bdf(0, 1, 0))).toBe('none');
    expect(r.port.routeConfig(bdf(1, 0, 3))).toBe('type0');
    expect(r.port.routeConfig(bdf(1, 1, 0))).toBe('none');
    expect(r.port.routeConfig(bdf(2, 5, 0))).toBe('type1');
    expect(r.port.routeConfig(bdf(0x10, 0, 0))).toBe('none');
    r.port.config.write(AT.deviceControl2, 2, 0x20);
    expect(r.port.routeConfig(bdf(1, 1, 0))).toBe('type0');
    r.port.config.write(0x19, 1, 0);
    expect(r.port.routeConfig(bdf(0x05, 0, 0))).toBe('none');
  });

  it('shows speed, width, training and data link active as they are now', () => {
    const { r } = rig();
    const status = () => r.port.config.read(AT.linkStatus, 2);
    expect(status()).toBe(0x1000);
    r.link.setPerst('deasserted');
    r.run(120e6);
    expect(status()).toBe(0x1800);
    r.run(180e6);
    expect(status()).toBe(0x3083);
  });

  it('shows presence while a card is in', () => {
    const { r } = rig(['slot']);
    expect(r.port.config.read(AT.slotStatus, 2) & 0x0040).toBe(0x0040);
    r.link.surpriseRemove();
    expect(r.port.config.read(AT.slotStatus, 2) & 0x0048).toBe(0x0008);
  });

  it('latches that the slot and the data link changed, until software clears it', () => {
    const { r } = rig(['slot']);
    r.powerOn();
    expect(r.port.config.read(AT.slotStatus, 2)).toBe(0x0148);
    r.port.config.write(AT.slotStatus, 2, 0x0108);
    expect(r.port.config.read(AT.slotStatus, 2)).toBe(0x0040);
  });

  it('holds the secondary bus in hot reset while bridge control says so', () => {
    const { r } = rig();
    r.powerOn();
    r.cfgWrite(BUS1, 0x04, 2, 0x0006);
    r.port.config.write(AT.bridgeControl, 2, 0x0042);
    expect(r.link.state).toBe('hot-reset');
    r.run(100e6);
    r.port.config.write(AT.bridgeControl, 2, 0x0002);
    r.run(200e6);
    expect(r.link.isUp).toBe(true);
    expect(r.config(BUS1, 0x04, 2)).toBe(0);
  });

  it('disables and retrains its link, at the target speed', () => {
    const { r } = rig();
    r.powerOn();
    r.port.config.write(AT.linkControl2, 2, 0x0001);
    r.port.config.write(AT.linkControl, 2, 0x0020);
    expect(r.link.state).toBe('recovery');
    expect(r.port.config.read(AT.linkControl, 2)).toBe(0);
    r.run(2e6);
    expect(r.link.speed).toBe(1);
    r.port.config.write(AT.linkControl, 2, 0x0010);
    expect(r.link.state).toBe('disabled');
    r.port.config.write(AT.linkControl2, 2, 0x0007);
    r.port.config.write(AT.linkControl, 2, 0x0000);
    r.run(200e6);
    expect(r.link.speed).toBe(3);
  });

  it('tells the link which payload size is in use', () => {
    const { r } = rig();
    r.port.config.write(AT.deviceControl, 2, 0x0020);
    expect(r.link.maxPayloadBytes).toBe(256);
    r.port.config.write(AT.deviceControl, 2, 0x0000);
    expect(r.link.maxPayloadBytes).toBe(128);
  });

  it('sends memory requests only with memory enabled, and nothing while the link is down', () => {
    const { r } = rig();
    const write = { kind: 'MWr', requesterId: 0, tag: 0, addressHi: 0, addressLo: 0, lengthBytes: 0 } as const;
    expect(r.port.send(write)).toBe('link-down');
    r.powerOn();
    expect(r.port.send(write)).toBe('sent');
    r.port.config.write(AT.command, 2, 0x0004);
    expect(r.port.send(write)).toBe('memory-disabled');
    expect(r.port.send(message(0, 0x19))).toBe('sent');
  });

  it('refuses requests from below without bus master: reads get UR, writes vanish, AER tells', () => {
    const { r, nic } = rig();
    r.powerOn();
    r.cfgWrite(BUS1, 0x04, 2, 0x0006);
    r.port.config.write(AT.command, 2, 0x0002);
    nic.strayWrite(0x100n, 8);
    nic.strayRead(0x100n, 8);
    r.run(10_000);
    expect(r.writes).toHaveLength(0);
    expect(nic.strayReads[0]?.status).toBe('UR');
    expect(r.port.rejectedPackets).toBe(2);
    expect(r.port.config.read(AT.ueStatus, 4)).toBe(UNCORRECTABLE.UNSUPPORTED_REQUEST);
    expect(r.port.config.read(AT.headerLog, 4) >>> 24).toBe(0x40);
    expect(r.port.config.read(AT.headerLog + 4, 4) >>> 16).toBe(BUS1);
    expect(r.port.config.read(AT.headerLog + 8, 4)).toBe(0x100);
  });

  it('logs the header of a 64-bit write with four doublewords, poison bit and byte count', () => {
    const { r } = rig();
    r.port.raiseUncorrectable('POISONED_TLP', {
      ...memoryWrite(BUS1, { hi: 5, lo: 0x40 }, new Uint8Array(30)),
      poisoned: true,
    });
    const log = [0, 1, 2, 3].map((i) => r.port.config.read(AT.headerLog + 4 * i, 4));
    expect(log).toEqual([0x6000_4008, 0x0100_003f, 5, 0x40]);
  });

  it('logs the target of a configuration request and the code of a message', () => {
    const { r } = rig();
    const to = { target: bdf(2, 1, 0), register: 0x44, type: 1 } as const;
    r.port.raiseUncorrectable('UNSUPPORTED_REQUEST', configRead({ requesterId: 0, tag: 9 }, to, 4));
    expect(r.port.config.read(AT.headerLog, 4)).toBe(0x0500_0001);
    expect(r.port.config.read(AT.headerLog + 4, 4)).toBe(0x0000_090f);
    expect(r.port.config.read(AT.headerLog + 8, 4)).toBe(0x0208_0044);
    r.port.config.write(AT.ueStatus, 4, 0xffff_ffff);
    r.port.raiseUncorrectable('MALFORMED_TLP', errorMessage(BUS1, 'ERR_COR'));
    expect(r.port.config.read(AT.headerLog + 4, 4)).toBe(0x0100_0030);
  });

  it('notes failed completions in its secondary status', () => {
    const { r, nic } = rig();
    r.powerOn();
    nic.answerNextRequests('configuration', 'UR', 1);
    expect(r.cfgRead(BUS1, 0)?.status).toBe('UR');
    expect(r.port.config.read(AT.secondaryStatus, 2)).toBe(0x2000);
    nic.answerNextRequests('configuration', 'CA', 1);
    expect(r.cfgRead(BUS1, 0)?.status).toBe('CA');
    expect(r.port.config.read(AT.secondaryStatus, 2)).toBe(0x3000);
    r.port.config.write(AT.secondaryStatus, 2, 0x2000);
    expect(r.port.config.read(AT.secondaryStatus, 2)).toBe(0x1000);
  });

  it('takes interrupt pins back when the link below dies', () => {
    const { r, nic } = rig();
    r.powerOn();
    nic.transmit(message(BUS1, MessageCode.ASSERT_INTA));
    r.run(10_000);
    r.link.surpriseRemove();
    expect(r.messages).toEqual([MessageCode.ASSERT_INTA, MessageCode.DEASSERT_INTA]);
  });
});

describe('error reporting of a root port', () => {
  it('collects error messages: the first sender of each kind, then "multiple"', () => {
    const { r, nic } = rig();
    r.powerOn();
    const status = () => r.port.config.read(AT.rootStatus, 4);
    const send = (tlp: Tlp) => {
      nic.transmit(tlp);
      r.run(10_000);
    };
    send(errorMessage(0x100, 'ERR_COR'));
    expect(status()).toBe(0x01);
    send(errorMessage(0x108, 'ERR_COR'));
    expect(status()).toBe(0x03);
    send(errorMessage(0x110, 'ERR_NONFATAL'));
    expect(status()).toBe(0x27);
    send(errorMessage(0x118, 'ERR_FATAL'));
    expect(status()).toBe(0x6f);
    expect(r.port.config.read(AT.source, 4)).toBe(0x0110_0100);
    r.port.config.write(AT.rootStatus, 4, 0x7f);
    expect(status()).toBe(0);
    send(errorMessage(0x118, 'ERR_FATAL'));
    expect(status()).toBe(0x54);
    expect(r.messages).toEqual([0x30, 0x30, 0x31, 0x33, 0x33]);
  });

  it('forwards error messages only with SERR in bridge control, and to the chip only what root control or command let', () => {
    const { r, nic } = rig();
    r.powerOn();
    const send = (kind: 'ERR_COR' | 'ERR_NONFATAL' | 'ERR_FATAL') => {
      nic.transmit(errorMessage(BUS1, kind));
      r.run(10_000);
    };
    r.port.config.write(AT.bridgeControl, 2, 0);
    send('ERR_FATAL');
    expect([r.messages, r.port.config.read(AT.rootStatus, 4), r.port.rejectedPackets]).toEqual([[], 0, 1]);
    expect(r.port.config.read(AT.secondaryStatus, 2)).toBe(0x4000);
    r.port.config.write(AT.bridgeControl, 2, 2);
    r.port.config.write(AT.rootControl, 2, 0);
    send('ERR_FATAL');
    expect([r.messages, r.port.config.read(AT.rootStatus, 4)]).toEqual([[], 0x54]);
    r.port.config.write(AT.rootCommand, 4, 1);
    send('ERR_COR');
    send('ERR_NONFATAL');
    r.port.config.write(AT.rootControl, 2, 2);
    send('ERR_NONFATAL');
    expect(r.messages).toEqual([MessageCode.ERR_COR, MessageCode.ERR_NONFATAL]);
  });

  it('marks a signalled system error in its own status while SERR is on in its command', () => {
    const { r, nic } = rig();
    r.powerOn();
    nic.transmit(errorMessage(BUS1, 'ERR_NONFATAL'));
    r.run(10_000);
    expect(r.port.config.read(AT.status, 2) & 0x4000).toBe(0);
    r.port.config.write(AT.command, 2, 0x0106);
    nic.transmit(errorMessage(BUS1, 'ERR_COR'));
    r.run(10_000);
    expect(r.port.config.read(AT.status, 2) & 0x4000).toBe(0);
    nic.transmit(errorMessage(BUS1, 'ERR_NONFATAL'));
    r.run(10_000);
    expect(r.port.config.read(AT.status, 2) & 0x4000).toBe(0x4000);
  });

  it('sends its own errors inside as messages of its own number', () => {
    const { r } = rig();
    const seen: Tlp[] = [];
    r.port.attach({ receive: (tlp) => void seen.push(tlp) });
    r.port.config.write(AT.deviceControl, 2, 0x0027);
    r.port.raiseUncorrectable('MALFORMED_TLP');
    r.port.raiseAdvisory('POISONED_TLP');
    r.port.config.write(AT.ceMask, 4, 0);
    r.port.raiseAdvisory('COMPLETION_TIMEOUT');
    expect(seen.map(({ messageCode, requesterId }) => [messageCode, requesterId])).toEqual([
      [MessageCode.ERR_FATAL, 0],
      [MessageCode.ERR_COR, 0],
    ]);
  });

  it('drops what is malformed or has a bad end-to-end CRC, and lets poison pass to whoever it is for', () => {
    const { r, nic } = rig();
    r.powerOn();
    const write = (bytes: number, rest: Partial<Tlp>) => {
      nic.transmit({ ...memoryWrite(BUS1, { hi: 0, lo: 0x100 }, new Uint8Array(bytes)), ...rest });
      r.run(10_000);
    };
    write(512, {});
    write(4, { header: { formatAndType: 0x7f } });
    expect([r.writes.length, r.port.rejectedPackets, r.port.config.read(AT.ueStatus, 4)]).toEqual([0, 2, 0x4_0000]);
    write(4, { digest: true, digestDamaged: true });
    expect(r.writes).toHaveLength(1);
    r.port.config.write(AT.aerControl, 4, 0x100);
    write(4, { digest: true, digestDamaged: true });
    expect(r.writes).toHaveLength(1);
    expect(r.port.config.read(AT.ueStatus, 4)).toBe(0xc_0000);
    write(4, { poisoned: true });
    expect(r.writes).toHaveLength(2);
  });

  it('records what its own end of the link finds, not what the far end does', () => {
    const { r } = rig();
    r.powerOn();
    const status = () => r.port.config.read(AT.ceStatus, 4);
    r.link.report('bad-tlp', 'down');
    r.link.report('surprise-down', 'up');
    expect([status(), r.port.config.read(AT.ueStatus, 4)]).toEqual([0, 0]);
    r.link.report('bad-tlp', 'up');
    r.link.report('replay-num-rollover', 'up');
    expect(status()).toBe(0x140);
  });

  it('sets surprise down when the link falls, unless it is masked', () => {
    const { r } = rig();
    r.powerOn();
    r.port.config.write(AT.ueMask, 4, 0x20);
    r.link.setHotReset('asserted');
    expect(r.port.config.read(AT.ueStatus, 4)).toBe(0);
    r.link.setHotReset('released');
    r.run(300e6);
    r.port.config.write(AT.ueMask, 4, 0);
    r.link.surpriseRemove();
    expect(r.port.config.read(AT.ueStatus, 4)).toBe(0x20);
  });

  it('reports own errors to whoever listens, as the enables allow', () => {
    const { r } = rig();
    const events: (string | undefined)[] = [];
    r.port.onError((event) => events.push(`${event.error} ${event.message}`));
    r.port.raiseUncorrectable('MALFORMED_TLP');
    r.port.raiseCorrectable('RECEIVER');
    r.port.config.write(AT.deviceControl, 2, 0x0007);
    r.port.raiseUncorrectable('MALFORMED_TLP');
    r.port.raiseUncorrectable('COMPLETION_TIMEOUT');
    r.port.raiseUncorrectable('UNSUPPORTED_REQUEST');
    r.port.raiseCorrectable('RECEIVER');
    expect(events).toEqual([
      'MALFORMED_TLP undefined',
      'RECEIVER undefined',
      'MALFORMED_TLP ERR_FATAL',
      'COMPLETION_TIMEOUT ERR_NONFATAL',
      'UNSUPPORTED_REQUEST undefined',
      'RECEIVER ERR_COR',
    ]);
    expect(r.port.config.read(AT.deviceStatus, 2)).toBe(0x000f);
    expect(r.port.config.read(AT.rootStatus, 4)).toBe(0x7d);
  });

  it('says everything uncorrectable once SERR is on, and marks it in its status', () => {
    const { r } = rig();
    r.port.config.write(AT.command, 2, 0x0100);
    const events: (string | undefined)[] = [];
    r.port.onError((event) => events.push(event.message));
    r.port.raiseUncorrectable('UNSUPPORTED_REQUEST');
    r.port.config.write(AT.ueMask, 4, UNCORRECTABLE.POISONED_TLP);
    r.port.raiseUncorrectable('POISONED_TLP');
    r.port.config.write(AT.ceMask, 4, 1);
    r.port.raiseCorrectable('RECEIVER');
    expect(events).toEqual(['ERR_NONFATAL', undefined, undefined]);
    expect(r.port.config.read(0x06, 2) & 0x4000).toBe(0x4000);
    expect(r.port.config.read(AT.ceStatus, 4)).toBe(1);
  });

  it('keeps the first error pointer until the status is cleared', () => {
    const { r } = rig();
    r.port.raiseUncorrectable('MALFORMED_TLP');
    r.port.raiseUncorrectable('POISONED_TLP');
    expect(r.port.config.read(AT.aerControl, 4) & 0x1f).toBe(18);
    r.port.config.write(AT.ueStatus, 4, 0xffff_ffff);
    expect(r.port.config.read(AT.ueStatus, 4)).toBe(0);
    r.port.raiseUncorrectable('POISONED_TLP');
    expect(r.port.config.read(AT.aerControl, 4) & 0x1f).toBe(12);
  });

  it('forgets everything on a reset of the port, sticky errors only on a fundamental one', () => {
    const { r } = rig();
    r.powerOn();
    r.port.raiseUncorrectable('MALFORMED_TLP');
    r.port.config.write(AT.bridgeControl, 2, 0x0040);
    r.port.reset('hot');
    expect(r.link.state).toBe('detect');
    expect(r.port.config.read(AT.ueStatus, 4) & 0x4_0000).toBe(0x4_0000);
    r.port.reset('fundamental');
    expect(r.port.config.read(AT.ueStatus, 4)).toBe(0);
    expect(r.port.routeConfig(BUS1)).toBe('none');
  });

  it('knows when configuration retries are visible', () => {
    const { r } = rig();
    expect(r.port.crsVisible).toBe(false);
    r.port.config.write(0x64, 2, 0x0010);
    expect(r.port.crsVisible).toBe(true);
    expect(r.port.dllActive).toBe(false);
  });
});
