/**
 * Configuration-space images of three devices as QEMU 7.2 presents them behind its PHB3: nvme, e1000e and edu.
 * Facts measured in the recorded firmware and Linux boots (registers read there); what those do not read is from
 * QEMU 7.2 hw/nvme/ctrl.c, hw/net/e1000e.c, hw/misc/edu.c. By itself an image answers configuration requests, and nothing
 * else; nvme.ts and edu.ts put devices behind theirs.
 * Left out: QEMU stores writes to bytes that no register owns (0x4c of the nvme and others); here they read 0.
 */
import type { Simulator } from '../sim/simulator.js';
import {
  type CapabilityPlace,
  type MsiRegister,
  msiCapability,
  type PciExpressRegister,
  type PowerManagementRegister,
  pciExpressCapability,
  powerManagementCapability,
} from './capabilities.js';
import { type BarSpec, type DeviceRegister, deviceHeader } from './config-header.js';
import { amend, type ConfigLayout, type ConfigRegister } from './config-space.js';
import { Endpoint, type EndpointLayout } from './endpoint.js';
import type { EndpointTiming } from './endpoint-options.js';
import { msiXCapability } from './msi-x.js';

export interface PeerImage {
  readonly name: PeerName;
  readonly layout: EndpointLayout;
  readonly bars: readonly BarSpec[];
}
export type PeerName = 'nvme' | 'e1000e' | 'edu';

/** Conventional configuration space ends here; the recorder answers ones beyond. */
const CONVENTIONAL_BYTES = 0x100;
/** QEMU lets devices keep I/O, memory, bus master, SERR and INTx disable, but not parity. */
const COMMAND_WRITABLE = 0x0507;
const QEMU_COMMAND = { COMMAND: { writable: COMMAND_WRITABLE } } as const;

/** Gen1 x1 with L0s, device control fixed at 0, as QEMU's simple endpoints have it. */
function simplePcie(place: CapabilityPlace): ConfigLayout<PciExpressRegister> {
  const spec = { ...place, port: 'endpoint', maxSpeed: 1, maxWidth: 1, maxPayloadBytes: 128 } as const;
  return amend(pciExpressCapability(spec), {
    DEVCTL: { reset: 0, writable: 0 },
    LNKCAP: { reset: 0x0411 },
    LNKCTL: { writable: 0 },
    LNKSTA: { reset: 0 },
    DEVCAP2: { reset: 0 },
    DEVCTL2: { writable: 0 },
    LNKCAP2: { reset: 0 },
    LNKCTL2: { reset: 0, writable: 0 },
  });
}

/** With one message only the enable bit can be written. */
function singleMsi(place: CapabilityPlace): ConfigLayout<MsiRegister> {
  return amend(msiCapability(place, 1), { MSI_CONTROL: { writable: 0x0001 } });
}

const NVME_BARS: readonly BarSpec[] = [{ index: 0, sizeBytes: 0x4000, kind: 'memory64' }];
const NVME_MSIX = { table: { bar: 0, at: 0x2000 }, pending: { bar: 0, at: 0x3000 } } as const;

function nvme(): PeerImage {
  const identity = {
    vendorId: 0x1b36,
    deviceId: 0x0010,
    classCode: 0x01_0802,
    revision: 0x02,
    subsystemVendorId: 0x1af4,
    subsystemId: 0x1100,
    interruptPin: 1,
    capabilityPointer: 0x40,
  } as const;
  const pm: ConfigLayout<PowerManagementRegister> = amend(powerManagementCapability({ at: 0x60, next: 0 }), {
    PMC: { reset: 0x0003 },
    PMCSR: { writable: 0x0003, writeOneClears: 0 },
  });
  const pcie = amend(simplePcie({ at: 0x80, next: 0x60 }), {
    DEVCAP: { reset: 0x1000_8000 },
    DEVCAP2: { reset: 0x0030_0000 },
    DEVCTL2: { writable: 0x8000 },
  });
  const layout = {
    ...amend<DeviceRegister>(deviceHeader(identity, NVME_BARS), QEMU_COMMAND),
    ...msiXCapability({ at: 0x40, next: 0x80, vectors: 65, ...NVME_MSIX }),
    ...pm,
    ...pcie,
  };
  return { name: 'nvme', layout, bars: NVME_BARS };
}

const E1000E_BARS: readonly BarSpec[] = [
  { index: 0, sizeBytes: 0x2_0000, kind: 'memory32' },
  { index: 1, sizeBytes: 0x2_0000, kind: 'memory32' },
  { index: 2, sizeBytes: 0x20, kind: 'io' },
  { index: 3, sizeBytes: 0x4000, kind: 'memory32' },
];
const E1000E_MSIX = { table: { bar: 3, at: 0 }, pending: { bar: 3, at: 0x2000 } } as const;
const E1000E_ROM: Partial<ConfigRegister> = { writable: 0xfffc_0001, about: '256 KiB expansion ROM' };

function e1000e(): PeerImage {
  const identity = {
    vendorId: 0x8086,
    deviceId: 0x10d3,
    classCode: 0x02_0000,
    subsystemVendorId: 0x8086,
    subsystemId: 0x0000,
    interruptPin: 1,
    capabilityPointer: 0xc8,
  } as const;
  const pm: ConfigLayout<PowerManagementRegister> = amend(powerManagementCapability({ at: 0xc8, next: 0xd0 }), {
    PMC: { reset: 0x0022 },
    PMCSR: { reset: 0, writable: 0x1f03 },
  });
  const layout = {
    ...amend<DeviceRegister>(deviceHeader(identity, E1000E_BARS), { ...QEMU_COMMAND, ROM_BAR: E1000E_ROM }),
    ...msiXCapability({ at: 0xa0, next: 0, vectors: 5, ...E1000E_MSIX }),
    ...pm,
    ...singleMsi({ at: 0xd0, next: 0xe0 }),
    ...version1(simplePcie({ at: 0xe0, next: 0xa0 })),
  };
  return { name: 'e1000e', layout, bars: E1000E_BARS };
}

/** Version 1 of the capability ends after the link registers. */
type FirstPcieRegister = 'PCIE_CAP' | 'PCIE_FLAGS' | 'DEVCAP' | 'DEVCTL' | 'DEVSTA' | 'LNKCAP' | 'LNKCTL' | 'LNKSTA';
function version1(pcie: ConfigLayout<PciExpressRegister>): ConfigLayout<FirstPcieRegister> {
  const { PCIE_CAP, PCIE_FLAGS, DEVCAP, DEVCTL, DEVSTA, LNKCAP, LNKCTL, LNKSTA } = pcie;
  return { PCIE_CAP, PCIE_FLAGS: { ...PCIE_FLAGS, reset: 0x0001 }, DEVCAP, DEVCTL, DEVSTA, LNKCAP, LNKCTL, LNKSTA };
}

const EDU_BARS: readonly BarSpec[] = [{ index: 0, sizeBytes: 0x10_0000, kind: 'memory32' }];

function edu(): PeerImage {
  const identity = {
    vendorId: 0x1234,
    deviceId: 0x11e8,
    classCode: 0x00_ff00,
    revision: 0x10,
    subsystemVendorId: 0x1af4,
    subsystemId: 0x1100,
    interruptPin: 1,
    capabilityPointer: 0x40,
  } as const;
  const layout: ConfigLayout<DeviceRegister | MsiRegister> = {
    ...amend<DeviceRegister>(deviceHeader(identity, EDU_BARS), QEMU_COMMAND),
    ...singleMsi({ at: 0x40, next: 0 }),
  };
  return { name: 'edu', layout, bars: EDU_BARS };
}

export const PEER_IMAGES: Readonly<Record<PeerName, PeerImage>> = { nvme: nvme(), e1000e: e1000e(), edu: edu() };

/** A device made of an image. QEMU 7.2 answers ones beyond 256 bytes for devices behind this root port. */
export class PeerDevice extends Endpoint {
  constructor(sim: Simulator, name: string, image: PeerImage, timing: Partial<EndpointTiming> = {}) {
    super(sim, name, { layout: image.layout, bars: image.bars, maxSpeed: 1, maxWidth: 1, timing });
  }

  protected override readConfig(register: number, size: number): number {
    return register >= CONVENTIONAL_BYTES ? 2 ** (8 * size) - 1 : super.readConfig(register, size);
  }
}
