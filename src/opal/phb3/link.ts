/**
 * What firmware does around a planned loss of the link, so that the reset does not report itself as an error.
 * Source: skiboot hw/phb3.c: phb3_prepare_link_change, phb3_get_link_state, phb3_get_presence_state.
 * Facts: ioda2-phb3 7.10.2, 7.10.3.
 */
import { CORRECTABLE, UNCORRECTABLE } from '../../pcie/aer-capability.js';
import type { Process } from '../../sim/process.js';
import { OpalStatus, Presence } from '../opal-api.js';
import type { SlotStateResult } from '../opal-results.js';
import { AER, EXPRESS, LNKSTA_WIDTH_SHIFT } from '../pci-registers.js';
import { ROOT_PORT } from '../root-port.js';
import { phbBits } from './access.js';
import { readConfig, updateConfig, writeConfig } from './config.js';
import { PORT_IRQS, PORT_STATUS_ACKNOWLEDGE } from './init-values.js';
import type { Phb3 } from './phb3.js';

/** `phb`: the PHB's own slot. `surprise`: the root port's slot, where a card may leave at any time, so link loss stays masked. */
export type LinkOwner = 'phb' | 'surprise';

const LINK_WIDTH = 0x3f;
const ABSENT = phbBits('PHB_HOTPLUG_OVERRIDE', 'PRESENCE_A') | phbBits('PHB_HOTPLUG_OVERRIDE', 'PRESENCE_B');
const LINK_ACTIVE = phbBits('PHB_PCIE_DLP_TRAIN_CTL', 'LINK_ACTIVE');
const ELECTRICAL = phbBits('PHB_PCIE_DLP_TRAIN_CTL', 'INBAND_PRESENCE') | LINK_ACTIVE;

const aerRegister = (phb: Phb3, register: keyof typeof AER) =>
  ({ bdfn: ROOT_PORT, offset: (phb.rootCapabilities?.aer ?? 0) + AER[register], size: 4 }) as const;

export function* prepareLinkDown(phb: Phb3, owner: LinkOwner): Process<void> {
  phb.hasLink = false;
  if (owner === 'phb') {
    yield* phb.access.write('UTL_PCIE_PORT_IRQ_EN', PORT_IRQS['link-down']);
    yield* updateConfig(phb, aerRegister(phb, 'UE_MASK'), { set: UNCORRECTABLE.SURPRISE_DOWN });
  }
  yield* updateConfig(phb, aerRegister(phb, 'CE_MASK'), { set: CORRECTABLE.RECEIVER });
  phb.configBlocked = true;
}

export function* prepareLinkUp(phb: Phb3, owner: LinkOwner): Process<void> {
  phb.hasLink = true;
  yield* writeConfig(phb, aerRegister(phb, 'CE_STATUS'), CORRECTABLE.RECEIVER);
  yield* updateConfig(phb, aerRegister(phb, 'CE_MASK'), { clear: CORRECTABLE.RECEIVER });
  yield* phb.access.write('UTL_PCIE_PORT_STATUS', PORT_STATUS_ACKNOWLEDGE);
  if (owner === 'phb') {
    yield* phb.access.write('UTL_PCIE_PORT_IRQ_EN', PORT_IRQS['link-up']);
    yield* updateConfig(phb, aerRegister(phb, 'UE_MASK'), { clear: UNCORRECTABLE.SURPRISE_DOWN });
  }
  phb.configBlocked = false;
}

export function* linkActive(phb: Phb3): Process<boolean> {
  return ((yield* phb.access.read('PHB_PCIE_DLP_TRAIN_CTL')) & LINK_ACTIVE) !== 0n;
}

/** A receiver is seen on the lanes, or the link is there already. */
export function* electricalPresence(phb: Phb3): Process<boolean> {
  return ((yield* phb.access.read('PHB_PCIE_DLP_TRAIN_CTL')) & ELECTRICAL) !== 0n;
}

/** Width of the link, 0 without one. */
export function* linkWidth(phb: Phb3): Process<number> {
  if (!(yield* linkActive(phb))) return 0;
  const status = yield* readConfig(phb, ROOT_PORT, (phb.rootCapabilities?.express ?? 0) + EXPRESS.LNKSTA, 2);
  return (status >> LNKSTA_WIDTH_SHIFT) & LINK_WIDTH;
}

/** OPAL_PCI_GET_PRESENCE_STATE of the PHB's slot. The root port's slot status is not wired. */
export function* phbPresence(phb: Phb3): Process<SlotStateResult> {
  if (phb.broken) return { rc: OpalStatus.HARDWARE, state: Presence.EMPTY };
  const override = yield* phb.access.read('PHB_HOTPLUG_OVERRIDE');
  const state = (override & ABSENT) === ABSENT ? Presence.EMPTY : Presence.PRESENT;
  return { rc: OpalStatus.SUCCESS, state };
}
