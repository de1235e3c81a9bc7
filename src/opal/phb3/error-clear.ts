/**
 * Clears every latched error of a PHB3, but no freeze. Goes to the chip directly, without the checks of configuration
 * accesses. Source: skiboot hw/phb3.c: phb3_err_ER_clear. Facts: ioda2-phb3 7.12.1.
 */
import { ALL_ONES } from '../../hw/bits.js';
import { TRAP_NAMES } from '../../ioda2/error-bits/bit-lists.js';
import { trapRegisterName } from '../../ioda2/registers/errors.js';
import { DEVCTL_FIELDS } from '../../pcie/capabilities.js';
import type { Process } from '../../sim/process.js';
import { ALL_DEVICE_ERRORS, REPORT_ALL_ERRORS } from '../pci-registers.js';
import { configAddress, swapped } from './config-cycle.js';
import type { Phb3 } from './phb3.js';
import { ROOT_PORT } from './root-complex.js';

/** Offsets the sequence has fixed, with the intended contents in the byte order of the data register. */
const IO_BASE = 0x1c;
const DEVICE_CONTROL = 0x50;
const UE_STATUS = 0x104;
const CE_STATUS = 0x110;
const ROOT_STATUS = 0x130;
/** Command and status were meant; this is the power management capability, where the store does nothing (from P7IOC). */
const MISPLACED_COMMAND = 0x40;
const COMMAND = 0x04;
const ONES = 0xffff_ffff;
const KEPT_CONTROL = DEVCTL_FIELDS.MAX_PAYLOAD | DEVCTL_FIELDS.MAX_READ_REQUEST;

export function* clearErrors(phb: Phb3): Process<void> {
  const { access } = phb;
  const fir = yield* access.read('PHB_LEM_FIR_ACCUM');
  yield* clearRootPort(phb);
  for (const register of ['UTL_SYS_BUS_AGENT_STATUS', 'UTL_PCIE_PORT_STATUS', 'UTL_RC_STATUS'] as const) {
    yield* access.write(register, yield* access.read(register));
  }
  for (const trap of TRAP_NAMES) {
    const status = trapRegisterName(trap, 'ERR_STATUS');
    yield* access.write(status, yield* access.read(status));
    yield* access.write(trapRegisterName(trap, 'ERR1_STATUS'), 0n);
    yield* access.write(trapRegisterName(trap, 'ERR_LOG_0'), 0n);
    yield* access.write(trapRegisterName(trap, 'ERR_LOG_1'), 0n);
  }
  yield* access.write('PHB_LEM_FIR_AND_MASK', ALL_ONES & ~fir);
  yield* access.write('PHB_LEM_WOF', 0n);
}

function* clearRootPort(phb: Phb3): Process<void> {
  if (phb.profile.errorClearSecondaryStatus === 'corrected') yield* clearStatusHalf(phb, IO_BASE);
  else yield* store(phb, IO_BASE, 0x1000_0000);
  yield* select(phb, DEVICE_CONTROL);
  const data = phb.access.addressOf('PHB_CONFIG_DATA');
  const control = swapped(Number(yield* phb.port.load(data, 4)), 4);
  // The status half is write-1-to-clear: what was read must not go back.
  const cleared = (control & KEPT_CONTROL) | REPORT_ALL_ERRORS | (ALL_DEVICE_ERRORS << 16);
  yield* phb.port.store(data, 4, BigInt(swapped(cleared, 4)));
  yield* store(phb, UE_STATUS, ONES);
  yield* store(phb, CE_STATUS, ONES);
  yield* store(phb, ROOT_STATUS, ONES);
  if (phb.profile.errorClearCommandStatus === 'corrected') yield* clearStatusHalf(phb, COMMAND);
  else yield* store(phb, MISPLACED_COMMAND, 0x4701_00f8);
}

/** Writes ones to the upper half of a dword, a status register, and leaves the lower one as it is. */
function* clearStatusHalf(phb: Phb3, offset: number): Process<void> {
  yield* select(phb, offset);
  const data = phb.access.addressOf('PHB_CONFIG_DATA');
  const dword = swapped(Number(yield* phb.port.load(data, 4)), 4);
  yield* phb.port.store(data, 4, BigInt(swapped(((dword & 0xffff) | 0xffff_0000) >>> 0, 4)));
}

function* select(phb: Phb3, offset: number): Process<void> {
  yield* phb.access.write('PHB_CONFIG_ADDRESS', configAddress({ bdfn: ROOT_PORT, offset }, 0));
}

function* store(phb: Phb3, offset: number, bigEndian: number): Process<void> {
  yield* select(phb, offset);
  yield* phb.port.store(phb.access.addressOf('PHB_CONFIG_DATA'), 4, BigInt(bigEndian));
}
