import { describe, expect, it } from 'vitest';
import { Edu } from '../../src/pcie/edu.js';
import { Nvme } from '../../src/pcie/nvme.js';
import { peerCard } from '../../src/pcie/peer-cards.js';
import { PEER_IMAGES, PeerDevice, type PeerName } from '../../src/pcie/peer-devices.js';
import { BUS1, Rig } from './rig.js';

function peer(name: PeerName): Rig {
  const r = new Rig();
  peerCard(r.sim, name, name).plugInto(r.link);
  return r.powerOn();
}

/** [offset, size, value] as the recorded firmware and Linux boots read them. */
const RECORDED: Record<PeerName, [number, number, number][]> = {
  nvme: [
    [0x00, 4, 0x0010_1b36],
    [0x08, 4, 0x0108_0202],
    [0x2c, 4, 0x1100_1af4],
    [0x34, 1, 0x40],
    [0x40, 2, 0x8011],
    [0x42, 2, 0x0040],
    [0x44, 4, 0x0000_2000],
    [0x60, 2, 0x0001],
    [0x62, 2, 0x0003],
    [0x64, 2, 0x0008],
    [0x80, 4, 0x0002_6010],
    [0x84, 4, 0x1000_8000],
    [0x8c, 4, 0x0000_0411],
    [0x92, 2, 0x0011],
    [0xa4, 4, 0x0030_0000],
    [0xb0, 2, 0x0000],
  ],
  e1000e: [
    [0x00, 4, 0x10d3_8086],
    [0x08, 4, 0x0200_0000],
    [0x18, 4, 0x0000_0001],
    [0x2c, 4, 0x0000_8086],
    [0xa0, 4, 0x0004_0011],
    [0xa4, 4, 0x0000_0003],
    [0xc8, 4, 0x0022_d001],
    [0xd0, 4, 0x0080_e005],
    [0xe0, 4, 0x0001_a010],
    [0xf0, 4, 0x0011_0000],
    [0xf4, 4, 0x0000_0000],
  ],
  edu: [
    [0x00, 4, 0x11e8_1234],
    [0x08, 4, 0x00ff_0010],
    [0x34, 1, 0x40],
    [0x3d, 1, 0x01],
    [0x40, 4, 0x0080_0005],
  ],
};

/** [offset, size, written, read back]. */
const WRITTEN: Record<PeerName, [number, number, number, number][]> = {
  nvme: [
    [0x04, 2, 0x0140, 0x0100],
    [0x10, 4, 0xffff_ffff, 0xffff_c004],
    [0x14, 4, 0xffff_ffff, 0xffff_ffff],
    [0x18, 4, 0x0000_0140, 0],
    [0x42, 2, 0xc000, 0xc040],
    [0x88, 2, 0x000e, 0x0000],
    [0xa8, 2, 0xffff, 0x8000],
  ],
  e1000e: [
    [0x10, 4, 0xffff_ffff, 0xfffe_0000],
    [0x18, 4, 0xffff_ffff, 0xffff_ffe1],
    [0x18, 4, 0x0000_0141, 0x0000_0141],
    [0x1c, 4, 0xffff_ffff, 0xffff_c000],
    [0x20, 4, 0xffff_ffff, 0],
    [0x30, 4, 0xffff_f800, 0xfffc_0000],
    [0xd2, 2, 0xffff, 0x0081],
  ],
  edu: [
    [0x10, 4, 0xffff_ffff, 0xfff0_0000],
    [0x04, 2, 0x0506, 0x0506],
  ],
};

describe.each(['nvme', 'e1000e', 'edu'] as const)('the recorded %s', (name) => {
  it('answers as it did in the recordings', () => {
    const r = peer(name);
    for (const [offset, size, value] of RECORDED[name]) {
      expect([offset, r.config(BUS1, offset, size)]).toEqual([offset, value]);
    }
  });

  it('keeps of a write what it kept there', () => {
    const r = peer(name);
    for (const [offset, size, value, back] of WRITTEN[name]) {
      r.cfgWrite(BUS1, offset, size, value);
      expect([offset, r.config(BUS1, offset, size)]).toEqual([offset, back]);
    }
  });

  it('answers ones beyond conventional configuration space, successfully', () => {
    const r = peer(name);
    expect(r.cfgRead(BUS1, 0x100)?.status).toBe('SC');
    expect(r.config(BUS1, 0x100)).toBe(0xffff_ffff);
    expect(r.config(BUS1, 0xffc, 2)).toBe(0xffff);
  });
});

it('there is a device behind two of the images', () => {
  const { sim } = new Rig();
  const [nvme, e1000e, edu] = (['nvme', 'e1000e', 'edu'] as const).map((name) => peerCard(sim, name, name));
  expect([nvme, e1000e, edu].map((card) => card instanceof PeerDevice)).toEqual([true, true, true]);
  expect([nvme instanceof Nvme, edu instanceof Edu]).toEqual([true, true]);
});

it('a device without PCI Express capability reads with the smallest requests', () => {
  const r = new Rig();
  const edu = new PeerDevice(r.sim, 'edu', PEER_IMAGES.edu);
  edu.plugInto(r.link);
  r.powerOn();
  r.cfgWrite(BUS1, 0x04, 2, 0x0506);
  edu.strayRead(0x1000n, 256);
  edu.raiseUncorrectable('MALFORMED_TLP');
  r.run(10_000);
  expect(r.reads.map((tlp) => tlp.lengthBytes)).toEqual([128, 128]);
  expect(edu.strayReads[0]?.status).toBe('SC');
  expect([edu.maxPayloadBytes, edu.maxReadRequestBytes]).toEqual([128, 128]);
});
