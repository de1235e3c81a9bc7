/**
 * What drivers do in their error callbacks that they should not: wait, touch a device that does not answer, leave it with
 * addresses that are no longer theirs. Each is a mistake that drivers in the field were seen to make, or could (M).
 */
import { COMMAND_FIELDS } from '../../pcie/config-header.js';
import { NIC_CONTROL, NIC_REGISTER_BAR, NIC_REGISTERS, type NicRegister } from '../../pcie/nic-registers.js';
import { delay, type Process, Signal, wait } from '../../sim/process.js';
import type { TimeNs } from '../../sim/time.js';
import type { PciDevice } from '../pci/device.js';
import { HEADER } from '../pci/regs.js';
import type { Deed } from './scripted-driver.js';
import type { DriverServices } from './services.js';

/** Waits, for ever if no time is given, with the device locked and the thread of recovery in its hands. */
export function hang(durationNs?: TimeNs): Deed {
  return function* (device, services) {
    if (durationNs === undefined) yield* wait(new Signal(services.sim, `${device.name} never answers`));
    else yield* delay(durationNs);
  };
}

/** Loads from a register, over and over: of a frozen device all ones, each counted as an ignored read. */
export function load(count: number, place: { readonly bar: number; readonly offset: number } = FIRST_REGISTER): Deed {
  return function* (device, services) {
    for (let i = 0; i < count; i++) yield* services.read32(device, place.bar, place.offset, [frameOf(device)]);
  };
}

const FIRST_REGISTER = { bar: 0, offset: 0 };

/** Loads from a device that does not decode its addresses: nobody answers, and the PE freezes. */
export function loadWithDecodingOff(place = FIRST_REGISTER): Deed {
  return function* (device, services) {
    const { at } = HEADER.COMMAND;
    const command = yield* services.readConfig(device, at, 2);
    yield* services.writeConfig(device, at, 2, command & ~COMMAND_FIELDS.MEMORY);
    yield* services.read32(device, place.bar, place.offset, [frameOf(device)]);
    yield* services.writeConfig(device, at, 2, command);
  };
}

/** Of the network card: leaves it a receive ring whose mapping is gone. The next frame makes it read there. */
export function staleRing(): Deed {
  return function* (device, services) {
    const ring = yield* services.allocate(device, RING_BYTES, 'both');
    yield* services.free(device, ring);
    const store = (register: NicRegister, value: number): Process<void> =>
      services.write32(device, NIC_REGISTER_BAR, NIC_REGISTERS[register].at, value);
    yield* store('CONTROL', NIC_CONTROL.RESET);
    yield* store('RX_RING_LO', ring.dmaAddress % 2 ** 32);
    yield* store('RX_RING_HI', Math.floor(ring.dmaAddress / 2 ** 32));
    yield* store('RX_RING_SIZE', 2);
    yield* store('RX_TAIL', 1);
    yield* store('CONTROL', NIC_CONTROL.RECEIVE);
  };
}

const RING_BYTES = 4096;

/** The first times only: after that the driver has learned. */
export function firstTimes(times: number, deed: Deed): Deed {
  let left = times;
  return function* (device: PciDevice, services: DriverServices) {
    if (left <= 0) return;
    left--;
    yield* deed(device, services);
  };
}

const frameOf = (device: PciDevice): string => {
  const name = device.driver?.name ?? 'pci';
  return `${name}_error_handler+0x2c/0x90 [${name}]`;
};
