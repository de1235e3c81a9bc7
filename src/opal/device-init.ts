/**
 * What firmware sets up in every device it finds, on any bridge.
 * Source: skiboot core/pci.c: pci_device_init, pci_configure_mps, pci_disable_completion_timeout.
 */
import { DEVCTL_FIELDS } from '../pcie/capabilities.js';
import type { Process } from '../sim/process.js';
import { OpalStatus, ReinitScope } from './opal-api.js';
import { readConfig, updateConfig, writeConfig } from './pci-config.js';
import { findDevice, type PciDevice } from './pci-device.js';
import type { PciHost } from './pci-host.js';
import {
  AER,
  ALL_DEVICE_ERRORS,
  DEVCAP2_TIMEOUT_DISABLE,
  DEVCTL_MAX_PAYLOAD_SHIFT,
  DEVCTL2_TIMEOUT_DISABLE,
  EXPRESS,
  EXPRESS_VERSION,
} from './pci-registers.js';

const ALL_ONES_32 = 0xffff_ffff;

export function* initCommon(phb: PciHost, device: PciDevice): Process<void> {
  yield* configurePayload(phb, device);
  yield* disableCompletionTimeout(phb, device);
}

/** Largest payload: what every device takes. Nothing to do before the scan has seen them all. */
export function* configurePayload(phb: PciHost, device: PciDevice): Process<void> {
  const { bdfn, express, aer } = device;
  if (phb.maxPayload === undefined || express === undefined) return;
  const payload = Math.min(phb.maxPayload, device.maxPayload);
  yield* updateConfig(
    phb,
    { bdfn, offset: express + EXPRESS.DEVCTL, size: 2 },
    {
      clear: DEVCTL_FIELDS.MAX_PAYLOAD,
      set: payload << DEVCTL_MAX_PAYLOAD_SHIFT,
    },
  );
  // Packets of the old size may have been refused meanwhile.
  if (aer !== undefined) {
    yield* writeConfig(phb, { bdfn, offset: aer + AER.UE_STATUS, size: 4 }, ALL_ONES_32);
    yield* writeConfig(phb, { bdfn, offset: aer + AER.CE_STATUS, size: 4 }, ALL_ONES_32);
  }
  yield* writeConfig(phb, { bdfn, offset: express + EXPRESS.DEVSTA, size: 2 }, ALL_DEVICE_ERRORS);
}

/** A bridge that counts the cycles its own checks refuse. */
type CountingHost = PciHost & { readonly refusedCycles: number };

/** OPAL_PCI_REINIT: sets a device up again as the scan did. */
export function* reinitDevice(phb: CountingHost, scope: number, data: number): Process<number> {
  if (scope !== ReinitScope.PCI_DEV) return OpalStatus.PARAMETER;
  const device = findDevice(phb.devices, data & 0xffff);
  if (device === undefined) return OpalStatus.PARAMETER;
  const refusedBefore = phb.refusedCycles;
  yield* phb.initDevice(device);
  const refused = phb.refusedCycles > refusedBefore;
  return refused && phb.profile.reinitResult === 'corrected' ? OpalStatus.HARDWARE : OpalStatus.SUCCESS;
}

function* disableCompletionTimeout(phb: PciHost, { bdfn, express }: PciDevice): Process<void> {
  if (express === undefined) return;
  if (!(yield* hasSecondPart(phb, bdfn, express))) return;
  const capabilities = yield* readConfig(phb, bdfn, express + EXPRESS.DEVCAP2, 4);
  if ((capabilities & DEVCAP2_TIMEOUT_DISABLE) === 0) return;
  yield* updateConfig(phb, { bdfn, offset: express + EXPRESS.DEVCTL2, size: 4 }, { set: DEVCTL2_TIMEOUT_DISABLE });
}

function* hasSecondPart(phb: PciHost, bdfn: number, express: number): Process<boolean> {
  if (phb.generation === '6.2') return true;
  const flags = yield* readConfig(phb, bdfn, express + EXPRESS.PCIE_FLAGS, 2);
  return (flags & EXPRESS_VERSION) >= 2;
}
