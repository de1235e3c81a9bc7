/** A POWER7 with a P7IOC, driven from outside as a POWER8 is. */
import { describe, expect, it } from 'vitest';
import { CosimMachine, type CosimMachineOptions } from '../../src/cosim/cosim-machine.js';
import { readMachineFile } from '../../src/cosim/machine-file.js';
import { QtestSession } from '../../src/cosim/qtest-protocol.js';
import { P7IOC_LAYOUT } from '../../src/diag/p7ioc/layout.js';
import { OpalStatus } from '../../src/opal/opal-api.js';
import { settled } from './support.js';

const HUB = 0x3ef_0000_0000;
const ASB_VERSION = HUB + 0x800;
const AIB_VERSION = HUB + 0x8_0000 + 0x800;
const BUFFER = 0x10_0000;
const OK = `OK ${OpalStatus.SUCCESS}`;

function machine(text: string) {
  const options: CosimMachineOptions = readMachineFile('machine.yaml', text);
  const told: string[] = [];
  const cosim = new CosimMachine(options);
  const qtest = new QtestSession(cosim, (line) => told.push(line));
  const ask = (line: string): string => settled(qtest.execute(line));
  return { cosim, ask, told };
}

const TWO_CARDS = '{ chip: p7ioc, phbs: 2, slots: { 0: nic, 1: edu }, memory: 1 GiB }';

describe('a machine file', () => {
  it('may ask for a POWER7, with up to six PHBs', () => {
    expect(readMachineFile('m.yaml', 'chip: p7ioc')).toMatchObject({
      chip: 'p7ioc',
      slots: ['edu', 'empty', 'empty', 'empty', 'empty', 'empty'],
    });
    expect(() => readMachineFile('m.yaml', '{ chip: p7ioc, phbs: 7 }')).toThrow('from 1 to 6');
    expect(() => readMachineFile('m.yaml', 'chip: p7ioc1')).toThrow('did you mean p7ioc?');
  });
});

describe('a POWER7 machine over qtest', () => {
  it('has the hub at its GX window, where the side path to a PHB answers before firmware has run and the fast one does not', () => {
    const { ask } = machine(TWO_CARDS);
    expect(ask(`readq ${ASB_VERSION}`)).toBe('OK 0x000000a200000002');
    expect(ask(`readq ${AIB_VERSION}`)).toBe('OK 0xffffffffffffffff');
    expect(ask('readq 0x3fffe40000800')).toBe('OK 0xffffffffffffffff');
  });

  it('boots firmware on demand: hub, bridges and links', () => {
    const { cosim, ask } = machine(TWO_CARDS);
    expect(ask('opal boot')).toBe(OK);
    expect(ask(`readq ${AIB_VERSION}`)).toBe('OK 0x000000a200000002');
    expect(cosim.phbs.map(({ link }) => link.isUp)).toEqual([true, true]);
    expect(ask(`opal OPAL_PCI_CONFIG_READ_WORD 0 0 0 ${BUFFER}`)).toBe(OK);
    expect(ask(`readl ${BUFFER}`)).toBe('OK 0x0000000003b91014');
  });

  it('freezes a PE, tells of it by an interrupt of the bridge, and gives its diagnostic data by calls', () => {
    const { ask, told } = machine(`{ chip: p7ioc, phbs: 1, slots: { 0: nic }, memory: 1 GiB, firmware: skiboot }`);
    expect(ask('irq_intercept_in interrupts')).toBe('OK');
    expect(ask('opal OPAL_PCI_EEH_FREEZE_SET 0 3 3')).toBe(OK);
    expect(ask(`opal OPAL_PCI_EEH_FREEZE_STATUS 0 3 ${BUFFER} ${BUFFER + 8} 0`)).toBe(OK);
    expect(ask(`read ${BUFFER} 1`)).toBe('OK 0x03');
    expect(ask(`opal OPAL_PCI_GET_PHB_DIAG_DATA2 0 ${BUFFER} ${P7IOC_LAYOUT.totalBytes}`)).toBe(OK);
    expect(ask(`readl ${BUFFER + 8}`)).toBe(`OK 0x${P7IOC_LAYOUT.totalBytes.toString(16).padStart(16, '0')}`);
    expect(ask('opal OPAL_PCI_EEH_FREEZE_CLEAR 0 3 3')).toBe(OK);
    expect(told.filter((line) => line.startsWith('IRQ'))).toEqual([]);
    // The error that an operating system's test files set: the bridge is fenced, and the hub interrupts.
    expect(ask(`opal OPAL_SET_XIVE 0x2100 0 5`)).toBe(OK);
    expect(ask(`writeq ${HUB + 0xd10} 0x8000000000000000`)).toBe('OK');
    expect(ask('clock_step 1000')).toMatch(/^OK/);
    expect(ask(`readq ${HUB + 0x3e_c010}`)).toBe('OK 0x0003000000000000');
    expect(ask(`opal OPAL_PCI_EEH_FREEZE_STATUS 0 3 ${BUFFER} ${BUFFER + 8} 0`)).toBe(OK);
    expect(ask(`readw ${BUFFER + 8}`)).toBe('OK 0x0000000000000002');
  });
});
