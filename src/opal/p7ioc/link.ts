/**
 * State of the link and of the slot of a PHB, and what firmware does around a planned loss of the link, so that the reset does
 * not report itself as an error. Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_get_presence_state, p7ioc_get_link_state,
 * p7ioc_get_power_state, p7ioc_set_power_state, p7ioc_prepare_link_change. Facts: ioda1-p7ioc 7.10, 7.12.
 */
import { PHB_REGISTERS } from '../../ioda1/registers/phb.js';
import { CORRECTABLE } from '../../pcie/aer-capability.js';
import { LNKSTA_FIELDS } from '../../pcie/capabilities.js';
import type { Process } from '../../sim/process.js';
import { word } from '../field-words.js';
import { Power } from '../opal-api.js';
import { AER, EXPRESS, LNKSTA_WIDTH_SHIFT } from '../pci-registers.js';
import { ROOT_PORT } from '../root-port.js';
import { phbBits } from './access.js';
import { configRead, updateConfig, writeConfig } from './config.js';
import { LEM_MASK, PORT_IRQS, PORT_STATUS_LINK_UP } from './init-values.js';
import type { P7iocPhb } from './phb.js';
import { clearPortErrors, maskPortErrors, unmaskPortErrors } from './phb-reset.js';

const LINK_ACTIVE = phbBits('PHB_PCIE_DLP_TRAIN_CTL', 'LINK_ACTIVE');
const RX_DISABLED = phbBits('PHB_PCIE_DLP_TRAIN_CTL', 'RX_DISABLED');
const TX_DISABLE = phbBits('PHB_PCIE_DLP_TRAIN_CTL', 'TX_DISABLE');
const PRESENCE = phbBits('PHB_PCIE_SLOTCTL2', 'PRESENCE');
const POWERED = phbBits('PHB_PCIE_SLOTCTL2', 'POWER');

// ---- link ---------------------------------------------------------------------------------------------------------------

export function* linkActive(phb: P7iocPhb): Process<boolean> {
  return ((yield* phb.access.read('PHB_PCIE_DLP_TRAIN_CTL')) & LINK_ACTIVE) !== 0n;
}

export function* receiverDisabled(phb: P7iocPhb): Process<boolean> {
  return ((yield* phb.access.read('PHB_PCIE_DLP_TRAIN_CTL')) & RX_DISABLED) !== 0n;
}

/** Stops the transmitter, and with it training, or lets it start. */
export function* setTransmitter(phb: P7iocPhb, state: 'on' | 'off'): Process<void> {
  yield* phb.access.update('PHB_PCIE_DLP_TRAIN_CTL', TX_DISABLE, state === 'off' ? TX_DISABLE : 0n);
}

/** Width of the link, 0 without one. */
export function* linkWidth(phb: P7iocPhb): Process<number> {
  if (!(yield* linkActive(phb))) return 0;
  const offset = (phb.rootCapabilities?.express ?? 0) + EXPRESS.LNKSTA;
  const { rc, value } = yield* configRead(phb, { bdfn: ROOT_PORT, offset, size: 2 });
  if (rc < 0) {
    phb.log(`Error ${rc} reading link status`);
    return 0;
  }
  return (value & LNKSTA_FIELDS.DLL_ACTIVE) === 0 ? 0 : (value & LNKSTA_FIELDS.WIDTH) >> LNKSTA_WIDTH_SHIFT;
}

// ---- slot ---------------------------------------------------------------------------------------------------------------

export function* cardPresent(phb: P7iocPhb): Process<boolean> {
  return ((yield* phb.access.read('PHB_PCIE_SLOTCTL2')) & PRESENCE) !== 0n;
}

export function* slotPowered(phb: P7iocPhb): Process<boolean> {
  return ((yield* phb.access.read('PHB_PCIE_SLOTCTL2')) & POWERED) !== 0n;
}

const override = (fields: Readonly<Record<string, number>>): bigint =>
  word(PHB_REGISTERS, 'PHB_HOTPLUG_OVERRIDE', fields);
const OVERRIDE_ALL = override({ POWER: 1, OVERRIDE_4: 1, OVERRIDE_5: 1 });
const SWITCHED_ON = override({ POWER: 1, OVERRIDE_5: 1 });
const SWITCHED_OFF = override({ OVERRIDE_4: 1, OVERRIDE_5: 1 });

/** Slot power follows the edge between the two stores; `others` are the bits of the register that stay. */
export function* switchPower(phb: P7iocPhb, power: number, others: bigint): Process<void> {
  const kept = others & ~OVERRIDE_ALL;
  const steps = power === Power.ON ? [kept, kept | SWITCHED_ON] : [kept | SWITCHED_ON, kept | SWITCHED_OFF];
  for (const step of steps) yield* phb.access.write('PHB_HOTPLUG_OVERRIDE', step);
}

/** Nothing if power is as ordered. Real firmware takes the slot's status for the content of the override register. */
export function* orderPower(phb: P7iocPhb, power: number): Process<void> {
  const status = yield* phb.access.read('PHB_PCIE_SLOTCTL2');
  if (((status & POWERED) !== 0n) === (power === Power.ON)) return;
  const isCorrected = phb.profile.powerOverride === 'corrected';
  yield* switchPower(phb, power, isCorrected ? yield* phb.access.read('PHB_HOTPLUG_OVERRIDE') : status);
}

// ---- around a loss of the link ------------------------------------------------------------------------------------------

const aerRegister = (phb: P7iocPhb, register: keyof typeof AER) =>
  ({ bdfn: ROOT_PORT, offset: (phb.rootCapabilities?.aer ?? 0) + AER[register], size: 4 }) as const;

export function* prepareLinkDown(phb: P7iocPhb): Process<void> {
  yield* phb.access.write('UTL_PCIE_PORT_IRQ_EN', PORT_IRQS['link-down']);
  yield* updateConfig(phb, aerRegister(phb, 'CE_MASK'), { set: CORRECTABLE.RECEIVER });
  yield* maskPortErrors(phb);
  yield* phb.access.write('PHB_LEM_ERROR_MASK', LEM_MASK['link-down']);
  yield* clearPortErrors(phb);
  phb.configBlocked = true;
}

export function* prepareLinkUp(phb: P7iocPhb): Process<void> {
  yield* phb.access.write('UTL_PCIE_PORT_STATUS', PORT_STATUS_LINK_UP);
  yield* phb.access.write('UTL_PCIE_PORT_IRQ_EN', PORT_IRQS['link-up']);
  yield* writeConfig(phb, aerRegister(phb, 'CE_STATUS'), CORRECTABLE.RECEIVER);
  yield* updateConfig(phb, aerRegister(phb, 'CE_MASK'), { clear: CORRECTABLE.RECEIVER });
  yield* clearPortErrors(phb);
  yield* phb.access.write('PHB_LEM_FIR_ACCUM', 0n);
  yield* unmaskPortErrors(phb);
  yield* phb.access.write('PHB_LEM_ERROR_MASK', LEM_MASK.running);
  phb.configBlocked = false;
}
