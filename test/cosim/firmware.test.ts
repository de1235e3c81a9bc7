import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CosimMachine, type CosimMachineOptions, DEFAULT_COSIM_MACHINE } from '../../src/cosim/cosim-machine.js';
import { QtestSession } from '../../src/cosim/qtest-protocol.js';
import { PHB3_LAYOUT } from '../../src/diag/phb3/layout.js';
import type { Phb3 } from '../../src/ioda2/phb3.js';
import { OPAL_CALLS } from '../../src/opal/opal-abi.js';
import { OpalStatus } from '../../src/opal/opal-api.js';
import { Priority } from '../../src/sim/priority.js';
import { us } from '../../src/sim/time.js';
import { settled } from './support.js';

const ONE_PHB: CosimMachineOptions = { ...DEFAULT_COSIM_MACHINE, slots: ['nic'] };
const BUFFER = 0x100000;
const OK = `OK ${OpalStatus.SUCCESS}`;
const PARAMETER = `OK ${OpalStatus.PARAMETER}`;
const UNSUPPORTED = `OK ${OpalStatus.UNSUPPORTED}`;
const ROOT_PORT_SLOT = 1n << 63n;

function machine(options: CosimMachineOptions = ONE_PHB) {
  const cosim = new CosimMachine(options);
  const qtest = new QtestSession(cosim, () => {});
  const ask = (line: string): string => settled(qtest.execute(line));
  const read = (address: number, bytes: number): string => ask(`read ${address} ${bytes}`).slice(5);
  return { cosim, qtest, ask, read };
}

/** Its firmware has booted. */
const booted = () => machine({ ...ONE_PHB, firmware: 'skiboot' });

describe('firmware', () => {
  it('is asked for before it has initialised the PHBs, and says what to do', () => {
    const { ask } = machine();
    expect(ask('opal OPAL_PCI_POLL 0')).toBe(
      'ERR firmware has not initialised the PHBs: say "opal boot" first, or "firmware: skiboot" in the machine file',
    );
    expect(ask('opal 62 0')).toMatch(/^ERR firmware has not initialised/);
  });

  it('boots once, in virtual time: opens the register page and trains the link', () => {
    const { cosim, ask } = machine();
    expect(ask('readq 0x3fffe40000800')).toBe('OK 0xffffffffffffffff');
    expect(ask('opal boot')).toBe(OK);
    expect(ask('readq 0x3fffe40000800')).toBe('OK 0x000000a300000005');
    expect(cosim.phbs[0]!.link.isUp).toBe(true);
    expect(cosim.clockNs).toBeGreaterThan(100e6);
    expect(ask('opal boot')).toBe('ERR firmware has booted already');
    expect(ask('opal boot 1')).toBe('ERR opal boot takes no arguments');
  });

  it('has booted before the first command where the machine says so', () => {
    const { cosim, ask } = booted();
    expect(cosim.clockNs).toBeGreaterThan(100e6);
    expect(ask('opal 80 62')).toBe('OK 1');
  });

  it('puts its tables at the end of a memory that has nothing where they usually are, and refuses one without room', () => {
    const small = machine({ slots: ['nic', 'empty', 'empty'], memory: { sizeBytes: 2 ** 23 } });
    expect(small.ask('opal boot')).toBe(OK);
    const none = machine({ slots: ['nic'], memory: { sizeBytes: 2 ** 20 } });
    expect(none.ask('opal boot')).toBe(
      'ERR firmware needs 2 MiB of memory for its tables, and the machine has 1 MiB: give it more',
    );
    expect(none.ask('readq 0')).toMatch(/^OK/);
  });

  it('left in the middle of its boot goes on with the clock, and takes no calls until then', () => {
    const { cosim, qtest, ask } = machine();
    const ticker = cosim.sim.handler('ticker', () => cosim.sim.schedule(us(100), Priority.DEVICE, ticker));
    cosim.sim.schedule(us(100), Priority.DEVICE, ticker);
    const work = qtest.execute('opal boot');
    if (typeof work === 'string') throw new Error(work);
    work.next();
    expect(ask('opal 62 0')).toMatch(/^ERR firmware is still booting/);
    expect(ask('clock_step 10000000000')).toMatch(/^OK/);
    expect(ask('opal 80 62')).toBe('OK 1');
  });
});

describe('a call', () => {
  it('is named by token, in decimal or hex, or by name', () => {
    const { ask } = booted();
    for (const name of ['0', '0x0', 'OPAL_TEST']) expect(ask(`opal ${name} 1`)).toBe(`OK ${0xfeed_f00d}`);
    expect(ask('opal OPAL_NOTHING 1')).toMatch(/^ERR 'OPAL_NOTHING' is no OPAL call/);
    expect(ask('opal toString')).toMatch(/^ERR 'toString' is no OPAL call/);
  });

  it('that firmware does not have is a bad parameter, as the real one answers', () => {
    const { ask } = booted();
    for (const token of [24, 52, 181, 4_000_000_000]) {
      expect(ask(`opal ${token} 1 2 3`)).toBe(PARAMETER);
      expect(ask(`opal OPAL_CHECK_TOKEN ${token}`)).toBe('OK 0');
    }
    for (const { token } of OPAL_CALLS) expect(ask(`opal OPAL_CHECK_TOKEN ${token}`)).toBe('OK 1');
  });

  it('wants every register that it has, and no other', () => {
    const { ask } = booted();
    expect(ask('opal OPAL_PCI_EEH_FREEZE_CLEAR 0 1')).toBe(
      'ERR OPAL_PCI_EEH_FREEZE_CLEAR takes 3 arguments, not 2: phb:u64 pe:u64 action:u64',
    );
    expect(ask('opal OPAL_PCI_POLL 0 0')).toMatch(/^ERR OPAL_PCI_POLL takes 1 arguments, not 2/);
    expect(ask('opal OPAL_PCI_POLL x')).toBe("ERR id 'x' is no number");
  });

  it('refuses a pointer that leads nowhere, before anything else', () => {
    const { ask } = booted();
    const presence = (pointer: string): string => ask(`opal OPAL_PCI_GET_PRESENCE_STATE 0 ${pointer}`);
    expect(presence('0x100000')).toBe(OK);
    expect(presence('0xc000000000100000')).toBe(OK);
    for (const pointer of ['0', '0x80000000', '0x8000000000100000', '0x100000000000000', '-1']) {
      expect(presence(pointer)).toBe(PARAMETER);
    }
    expect(ask('opal OPAL_POLL_EVENTS 0')).toBe(OK);
    expect(ask('opal OPAL_POLL_EVENTS 0x7ffffff9')).toBe(PARAMETER);
  });

  it('to a bridge that is not there is a bad parameter, also where none could do it', () => {
    const { ask } = booted();
    for (const { name, arguments: declared } of OPAL_CALLS.filter((each) => each.arguments[0]?.name === 'phb')) {
      const rest = declared.slice(1).map(() => BUFFER);
      const rc = ask(`opal ${name} 7 ${rest.join(' ')}`);
      const constant = ['OPAL_PCI_SET_PHB_TABLE_MEMORY', 'OPAL_PCI_GET_XIVE_REISSUE', 'OPAL_PCI_SET_XIVE_REISSUE'];
      expect([name, rc]).toEqual([name, constant.includes(name) ? UNSUPPORTED : PARAMETER]);
    }
  });

  it('that no PHB3 supports says so', () => {
    const { ask } = booted();
    const zeros = (count: number): string => new Array<number>(count).fill(0).join(' ');
    for (const [name, count] of [
      ['OPAL_PCI_SET_MVE', 2],
      ['OPAL_PCI_SET_MVE_ENABLE', 2],
      ['OPAL_PCI_TCE_KILL', 5],
      ['OPAL_PCI_SET_PHB_TCE_MEMORY', 2],
      ['OPAL_PCI_SET_PHB_CAPI_MODE', 2],
      ['OPAL_PHB_SET_OPTION', 2],
    ] as const) {
      expect([name, ask(`opal ${name} 0 ${zeros(count)}`)]).toEqual([name, UNSUPPORTED]);
    }
    expect(ask(`opal OPAL_PCI_SET_HUB_TCE_MEMORY ${zeros(3)}`)).toBe(PARAMETER);
    expect(ask(`opal OPAL_PCI_GET_HUB_DIAG_DATA 0 ${BUFFER} 128`)).toBe(PARAMETER);
    expect(ask(`opal OPAL_GET_MSG ${BUFFER} 72`)).toBe(`OK ${OpalStatus.RESOURCE}`);
    expect(ask(`opal OPAL_GET_MSG ${BUFFER} 71`)).toBe(PARAMETER);
    expect(ask(`opal OPAL_CHECK_ASYNC_COMPLETION ${BUFFER} 72 1`)).toBe(`OK ${OpalStatus.BUSY}`);
  });

  it('never fails, whatever its registers hold', () => {
    const { ask } = booted();
    const register = fc.oneof(
      fc.constantFrom(0n, 1n, 2n, 255n, 256n, 0xffffn, BigInt(BUFFER), ROOT_PORT_SLOT, 2n ** 64n - 1n),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    );
    const call = fc
      .constantFrom(...OPAL_CALLS)
      .chain(({ name, arguments: { length } }) =>
        fc.array(register, { minLength: length, maxLength: length }).map((words) => `opal ${name} ${words.join(' ')}`),
      );
    fc.assert(
      fc.property(call, (line) => {
        expect(ask(line)).toMatch(/^OK -?\d+$/);
      }),
      { seed: 7, numRuns: 1500 },
    );
  });
});

describe('the results of a call', () => {
  it('lie in memory big-endian, as wide as the ABI says: freeze state, error and severity', () => {
    const { ask, read } = booted();
    ask(`memset ${BUFFER} 64 0xaa`);
    expect(ask(`opal OPAL_PCI_EEH_FREEZE_STATUS2 0 1 ${BUFFER} ${BUFFER + 2} ${BUFFER + 4} ${BUFFER + 8}`)).toBe(OK);
    expect(read(BUFFER, 16)).toBe('00aa0000aaaaaaaaaaaaaaaaaaaaaaaa');
    expect(ask('opal OPAL_PCI_EEH_FREEZE_SET 0 1 3')).toBe(OK);
    expect(ask(`opal OPAL_PCI_EEH_FREEZE_STATUS2 0 1 ${BUFFER} ${BUFFER + 2} ${BUFFER + 4} 0`)).toBe(OK);
    expect(read(BUFFER, 8)).toBe('03aa00000004aaaa');
    expect(ask(`opal OPAL_PCI_NEXT_ERROR 0 ${BUFFER} ${BUFFER + 8} ${BUFFER + 10}`)).toBe(OK);
    expect(read(BUFFER, 12)).toBe('000000000000000100030004');
    expect(ask('opal OPAL_PCI_EEH_FREEZE_CLEAR 0 1 0xffffffff00000001')).toBe(OK);
    expect(ask(`opal OPAL_PCI_EEH_FREEZE_STATUS 0 1 ${BUFFER} ${BUFFER + 2} 0`)).toBe(OK);
    expect(read(BUFFER, 1)).toBe('02');
  });

  it('are the configuration as the processor sees it, and ones where the read fails', () => {
    const { ask, read } = booted();
    expect(ask(`opal OPAL_PCI_CONFIG_READ_WORD 0 0 0 ${BUFFER}`)).toBe(OK);
    expect(read(BUFFER, 4)).toBe('03dc1014');
    expect(ask(`opal OPAL_PCI_CONFIG_READ_HALF_WORD 0 0 0 ${BUFFER}`)).toBe(OK);
    expect(ask(`opal OPAL_PCI_CONFIG_READ_BYTE 0 0 3 ${BUFFER + 2}`)).toBe(OK);
    expect(read(BUFFER, 4)).toBe('10140314');
    expect(ask(`opal OPAL_PCI_CONFIG_READ_WORD 0 8 0 ${BUFFER}`)).toBe(`OK ${OpalStatus.HARDWARE}`);
    expect(read(BUFFER, 4)).toBe('ffffffff');
    expect(ask('opal OPAL_PCI_CONFIG_WRITE_BYTE 0 0x100 0x3c 0x1ff')).toBe(OK);
    expect(ask('opal OPAL_PCI_CONFIG_WRITE_HALF_WORD 0 0x100 4 0x146')).toBe(OK);
    expect(ask('opal OPAL_PCI_CONFIG_WRITE_WORD 0 0x100 0x10 0xffffffff')).toBe(OK);
    expect(ask(`opal OPAL_PCI_CONFIG_READ_BYTE 0 0x100 0x3c ${BUFFER}`)).toBe(OK);
    expect(read(BUFFER, 1)).toBe('ff');
  });

  it('are the vectors and messages of interrupts', () => {
    const { ask, read } = booted();
    expect(ask('opal OPAL_SET_XIVE 0x812 0x20 5')).toBe(OK);
    expect(ask(`opal OPAL_GET_XIVE 0x812 ${BUFFER} ${BUFFER + 2}`)).toBe(OK);
    expect(read(BUFFER, 3)).toBe('002005');
    expect(ask(`opal OPAL_GET_XIVE 1 ${BUFFER} ${BUFFER + 2}`)).toBe(PARAMETER);
    expect(ask('opal OPAL_PCI_SET_XIVE_PE 0 1 0x12')).toBe(OK);
    expect(ask(`opal OPAL_GET_MSI_32 0 1 0x32 1 ${BUFFER} ${BUFFER + 4}`)).toBe(OK);
    expect(read(BUFFER, 8)).toBe('ffff020000000012');
    expect(ask(`opal OPAL_GET_MSI_64 0 1 0x32 1 ${BUFFER} ${BUFFER + 8}`)).toBe(OK);
    expect(read(BUFFER, 12)).toBe('100000000000020000000012');
    expect(ask(`opal OPAL_GET_MSI_64 0 1 0x32 2 ${BUFFER} ${BUFFER + 8}`)).toBe(PARAMETER);
    expect(ask('opal OPAL_PCI_MSI_EOI 0 0x812')).toBe(OK);
    expect(ask(`opal OPAL_HANDLE_INTERRUPT 0xfff ${BUFFER}`)).toBe(OK);
    expect(read(BUFFER, 8)).toBe('0000000000000200');
    expect(ask(`opal OPAL_HANDLE_INTERRUPT 0x800 ${BUFFER + 8}`)).toBe(PARAMETER);
    expect(read(BUFFER + 8, 8)).toBe('0000000000000200');
    expect(ask(`opal OPAL_POLL_EVENTS ${BUFFER + 16}`)).toBe(OK);
    expect(read(BUFFER + 16, 8)).toBe('0000000000000200');
  });

  it('are the diagnostic data, if the buffer is long enough and in memory', () => {
    const { ask, read } = booted();
    const { totalBytes } = PHB3_LAYOUT;
    expect(ask(`opal OPAL_PCI_GET_PHB_DIAG_DATA2 0 ${BUFFER} ${totalBytes}`)).toBe(OK);
    expect(read(BUFFER, 12)).toBe('000000010000000200001128');
    expect(ask(`opal OPAL_PCI_GET_PHB_DIAG_DATA2 0 ${BUFFER} ${totalBytes - 1}`)).toBe(PARAMETER);
    expect(ask(`opal OPAL_PCI_GET_PHB_DIAG_DATA2 0 ${2 ** 31 - 64} ${totalBytes}`)).toBe(PARAMETER);
  });

  it('are presence and power of slots', () => {
    const { ask, read } = booted();
    expect(ask(`opal OPAL_PCI_GET_PRESENCE_STATE 0 ${BUFFER}`)).toBe(OK);
    expect(read(BUFFER, 1)).toBe('01');
    expect(ask(`opal OPAL_PCI_GET_POWER_STATE 0 ${BUFFER}`)).toBe(UNSUPPORTED);
    expect(ask(`opal OPAL_PCI_GET_POWER_STATE 99 ${BUFFER}`)).toBe(PARAMETER);
    expect(ask(`opal OPAL_PCI_SET_POWER_STATE 1 0 ${BUFFER}`)).toBe(UNSUPPORTED);
    expect(ask(`opal OPAL_PCI_SET_POWER_STATE 1 99 ${BUFFER}`)).toBe(PARAMETER);
    ask(`writeb ${BUFFER} 4`);
    expect(ask(`opal OPAL_PCI_SET_POWER_STATE 1 0 ${BUFFER}`)).toBe(PARAMETER);
  });
});

describe('what a client does with calls', () => {
  it('resets a slot: the reset says how long to wait, and polls follow the clock', () => {
    const { cosim, ask } = booted();
    expect(ask('opal OPAL_PCI_RESET 0 4 1')).toBe('OK 1000');
    expect(ask('opal OPAL_PCI_POLL 0')).toMatch(/^OK (999|1000)$/);
    const waits: string[] = [];
    for (let wait = 'OK 1000'; wait !== OK; waits.push(wait)) {
      ask(`clock_step ${Number(wait.slice(3)) * 1_000_000}`);
      wait = ask('opal OPAL_PCI_POLL 0');
    }
    expect(waits).toEqual(['OK 1000', 'OK 100', 'OK 100', OK]);
    expect(cosim.phbs[0]!.link.isUp).toBe(true);
    expect(ask('opal OPAL_PCI_POLL 0')).toBe(`OK ${OpalStatus.HARDWARE}`);
    expect(ask(`opal OPAL_PCI_RESET ${ROOT_PORT_SLOT} 1 1`)).toBe(UNSUPPORTED);
    expect(ask('opal OPAL_PCI_REINIT 0 1000 0x100')).toBe(OK);
    expect(ask('opal OPAL_PCI_REINIT 0 1 0x100')).toBe(PARAMETER);
  });

  it('sets a PE up and sees the chip follow', () => {
    const { cosim, ask } = booted();
    for (const call of [
      'OPAL_PCI_SET_PE 0 5 0x100 7 1 1 1',
      'OPAL_PCI_SET_PELTV 0 5 5 9',
      'OPAL_PCI_MAP_PE_MMIO_WINDOW 0 5 1 0 3',
      'OPAL_PCI_MAP_PE_DMA_WINDOW 0 5 10 1 0x200000 0x1000 0x1000',
      'OPAL_PCI_MAP_PE_DMA_WINDOW_REAL 0 5 11 0x800000000000000 0x40000000',
      'OPAL_PCI_SET_PHB_MEM_WINDOW 0 2 0 0x3d00000000000 0 0x100000000',
      'OPAL_PCI_PHB_MMIO_ENABLE 0 2 0 1',
    ]) {
      expect([call, ask(`opal ${call}`)]).toEqual([call, OK]);
    }
    const phb = cosim.phbs[0] as Phb3;
    expect(phb.peekTable('M32DT', 3)).toBe(5n << 48n);
    expect(phb.peekTable('TVT', 10)).not.toBe(0n);
    expect(phb.peekTable('TVT', 11)).not.toBe(0n);
    expect(phb.peekTable('M64BT', 0) >> 63n).toBe(1n);
    expect(ask('opal OPAL_PCI_ERR_INJECT 0 5 0 12 0 0')).toBe(OK);
    expect(ask('opal OPAL_PCI_ERR_INJECT 0 5 2 12 0 0')).toBe(PARAMETER);
    expect(ask('opal OPAL_PCI_RESET 0 3 1')).toBe(OK);
  });
});
