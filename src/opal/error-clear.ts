/**
 * Clears every latched error of a bridge, but no freeze: one sequence, written for P7IOC and taken over for PHB3. Goes to
 * the chip directly, without the checks of configuration accesses.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_ER_err_clear; skiboot hw/phb3.c: phb3_err_ER_clear.
 * Facts: ioda1-p7ioc 7.11, ioda2-phb3 7.12.1.
 */
import { ALL_ONES } from '../hw/bits.js';
import type { HostPort } from '../hw/host-port.js';
import { TRAP_NAMES } from '../ioda/bit-lists.js';
import { type TrapRegisterName, trapRegisterName } from '../ioda/trap-registers.js';
import { DEVCTL_FIELDS } from '../pcie/capabilities.js';
import type { Process } from '../sim/process.js';
import type { FirmwareProfile } from './firmware-profile.js';
import { swapped } from './pci-config.js';
import { ALL_DEVICE_ERRORS, REPORT_ALL_ERRORS } from './pci-registers.js';

const UTL_STATUS = ['UTL_SYS_BUS_AGENT_STATUS', 'UTL_PCIE_PORT_STATUS', 'UTL_RC_STATUS'] as const;

type ErrorRegister =
  | 'PHB_CONFIG_ADDRESS'
  | 'PHB_LEM_FIR_ACCUM'
  | 'PHB_LEM_FIR_AND_MASK'
  | 'PHB_LEM_WOF'
  | (typeof UTL_STATUS)[number]
  | TrapRegisterName;

/** A bridge, as far as its error registers go. */
export interface ErrorRegisters {
  readonly port: HostPort;
  readonly profile: FirmwareProfile;
  readonly access: {
    read(register: ErrorRegister): Process<bigint>;
    write(register: ErrorRegister, value: bigint): Process<void>;
    addressOf(register: 'PHB_CONFIG_DATA'): number;
  };
  /** CONFIG_ADDRESS of an offset in the root port. */
  rootPortAddress(offset: number): bigint;
}

/** Offsets the sequence has fixed, with the intended contents in the byte order of the data register. */
const IO_BASE = 0x1c;
const DEVICE_CONTROL = 0x50;
const UE_STATUS = 0x104;
const CE_STATUS = 0x110;
const ROOT_STATUS = 0x130;
/** Command and status were meant; this is the power management capability, where the store does nothing. */
const MISPLACED_COMMAND = 0x40;
const COMMAND = 0x04;
const ONES = 0xffff_ffff;
const KEPT_CONTROL = DEVCTL_FIELDS.MAX_PAYLOAD | DEVCTL_FIELDS.MAX_READ_REQUEST;

export function* clearLatchedErrors(bridge: ErrorRegisters): Process<void> {
  const { access } = bridge;
  const fir = yield* access.read('PHB_LEM_FIR_ACCUM');
  yield* clearRootPort(bridge);
  for (const register of UTL_STATUS) yield* access.write(register, yield* access.read(register));
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

function* clearRootPort(bridge: ErrorRegisters): Process<void> {
  if (bridge.profile.errorClearSecondaryStatus === 'corrected') yield* clearStatusHalf(bridge, IO_BASE);
  else yield* store(bridge, IO_BASE, 0x1000_0000);
  const control = yield* load(bridge, DEVICE_CONTROL);
  // The status half is write-1-to-clear: what was read must not go back.
  const cleared = (control & KEPT_CONTROL) | REPORT_ALL_ERRORS | (ALL_DEVICE_ERRORS << 16);
  yield* writeData(bridge, swapped(cleared, 4));
  yield* store(bridge, UE_STATUS, ONES);
  yield* store(bridge, CE_STATUS, ONES);
  yield* store(bridge, ROOT_STATUS, ONES);
  if (bridge.profile.errorClearCommandStatus === 'corrected') yield* clearStatusHalf(bridge, COMMAND);
  else yield* store(bridge, MISPLACED_COMMAND, 0x4701_00f8);
}

/** Writes ones to the upper half of a dword, a status register, and leaves the lower one as it is. */
function* clearStatusHalf(bridge: ErrorRegisters, offset: number): Process<void> {
  const dword = yield* load(bridge, offset);
  yield* writeData(bridge, swapped(((dword & 0xffff) | 0xffff_0000) >>> 0, 4));
}

function* load(bridge: ErrorRegisters, offset: number): Process<number> {
  yield* bridge.access.write('PHB_CONFIG_ADDRESS', bridge.rootPortAddress(offset));
  return swapped(Number(yield* bridge.port.load(bridge.access.addressOf('PHB_CONFIG_DATA'), 4)), 4);
}

function* store(bridge: ErrorRegisters, offset: number, bigEndian: number): Process<void> {
  yield* bridge.access.write('PHB_CONFIG_ADDRESS', bridge.rootPortAddress(offset));
  yield* writeData(bridge, bigEndian);
}

function* writeData(bridge: ErrorRegisters, bigEndian: number): Process<void> {
  yield* bridge.port.store(bridge.access.addressOf('PHB_CONFIG_DATA'), 4, BigInt(bigEndian));
}
