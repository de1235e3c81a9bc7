/** What the trace says of register accesses that are not carried out. */
import { describe, expect, it } from 'vitest';
import { PBCQ_SCOM_RANGES } from '../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../../src/ioda2/registers/phb.js';
import { BLOCK_REASON, type BlockReason, REGISTER_BLOCKED, UNKNOWN_REGISTER } from '../../src/ioda2/trace.js';
import { booted, Rig } from './rig.js';
import { records } from './trace-records.js';

const READ = 0;
const WRITE = 1;
const FORCED_FENCE = 0x0000_00f0_0000_0000n;
const CONFIG_DATA = PHB_REGISTERS.get('PHB_CONFIG_DATA').offset;

/** A load and a store, and the records of both. */
function blocked(rig: Rig, offset: number, size: 1 | 4 | 8): number[][] {
  const address = rig.machine.addressMap.phbBase(0) + offset;
  return records(rig, REGISTER_BLOCKED, () => {
    rig.host.load(address, size);
    rig.host.store(address, size, 0n);
  });
}

const bothWays = (reason: BlockReason, offset: number): number[][] => [
  [BLOCK_REASON[reason], offset, READ],
  [BLOCK_REASON[reason], offset, WRITE],
];

describe('the trace of a register access that is not carried out', () => {
  const rtt = PHB_REGISTERS.get('PHB_RTT_BAR').offset;

  it('names the fence', () => {
    const rig = booted();
    rig.setNest('NFIR_OR', FORCED_FENCE);
    expect(blocked(rig, rtt, 8)).toEqual(bothWays('fenced', rtt));
  });

  it('names the reset of the whole bridge, also through the door that survives a fence', () => {
    const rig = booted();
    rig.etuReset('held');
    expect(blocked(rig, rtt, 8)).toEqual(bothWays('held-in-reset', rtt));
    const byAsb = records(rig, REGISTER_BLOCKED, () => rig.asbRead('PHB_RTT_BAR'));
    expect(byAsb).toEqual([[BLOCK_REASON['held-in-reset'], rtt, READ]]);
  });

  it('names the reset of the core where the register belongs to it', () => {
    const rig = new Rig();
    const utl = PHB_REGISTERS.get('UTL_PCIE_PORT_IRQ_EN').offset;
    expect(blocked(rig, utl, 8)).toEqual(bothWays('core-reset', utl));
  });

  it('names the size: parts of a register, and a doubleword of configuration data', () => {
    const rig = booted();
    expect(blocked(rig, rtt, 4)).toEqual(bothWays('size', rtt));
    expect(blocked(rig, CONFIG_DATA, 8)).toEqual(bothWays('size', CONFIG_DATA));
  });

  it('is silent about those that are carried out', () => {
    const rig = booted();
    expect(blocked(rig, rtt, 8)).toEqual([]);
  });
});

describe('the trace of an offset without a register', () => {
  it('tells window, offset, direction and size', () => {
    const rig = booted();
    const address = rig.machine.addressMap.phbBase(0) + 0xcb8;
    const seen = records(rig, UNKNOWN_REGISTER, () => {
      rig.host.load(address, 8);
      rig.host.store(address, 8, 1n);
    });
    expect(seen).toEqual([
      [0, 0xcb8, READ, 8],
      [0, 0xcb8, WRITE, 8],
    ]);
  });

  it('tells the groups of SCOM registers apart, and from the register page', () => {
    const rig = booted();
    const hole = { nest: 0x3e, pci: 0x14 } as const;
    const groups = ['nest', 'pci'] as const;
    const seen = records(rig, UNKNOWN_REGISTER, () => {
      for (const group of groups) {
        const address = PBCQ_SCOM_RANGES[group].base + hole[group];
        expect(rig.host.scomRead(address)).toBe(0n);
        rig.host.scomWrite(address, 1n);
      }
    });
    const windows = new Set(seen.map(([window]) => window));
    expect([windows.size, windows.has(0), seen.map(([, offset, write]) => [offset, write])]).toEqual([
      2,
      false,
      groups.flatMap((group) => [
        [hole[group], READ],
        [hole[group], WRITE],
      ]),
    ]);
  });

  it('is silent about SCOM registers that exist', () => {
    const rig = booted();
    const { base } = PBCQ_SCOM_RANGES.nest;
    expect(records(rig, UNKNOWN_REGISTER, () => rig.host.scomRead(base))).toEqual([]);
  });
});
