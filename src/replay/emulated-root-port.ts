/**
 * The root port of QEMU's powernv8: generic registers in another order than the chip's, a slot that takes cards while the
 * machine runs, one lane at 2.5 GT/s, and no report of the link's state.
 * Source: recorded configuration reads; qemu hw/pci-host/pnv_phb.c, hw/pci/pcie.c: pcie_cap_slot_init.
 */
import { type RootComplexRegister, rootComplexLayout } from '../ioda2/root-complex.js';
import { amend, type ConfigLayout } from '../pcie/config-space.js';

const SUBSYSTEM_AT = 0x40;
const EXPRESS_AT = 0x48;

type PowerRegister = 'PM_CAP' | 'PMC' | 'PMCSR' | 'PM_BRIDGE' | 'PM_DATA';
type SecondaryRegister = 'SECONDARY_PCIE_CAP' | 'LNKCTL3' | 'LANE_ERROR_STATUS';
type Kept = Exclude<RootComplexRegister, PowerRegister | SecondaryRegister>;
type SubsystemRegister = 'SUBSYSTEM_CAP' | 'SUBSYSTEM_VENDOR' | 'SUBSYSTEM';

export function emulatedRootPort(): ConfigLayout<Kept | SubsystemRegister> {
  const layout = rootComplexLayout({ maxSpeed: 3, maxWidth: 16 });
  const {
    PM_CAP: _cap,
    PMC: _pmc,
    PMCSR: _pmcsr,
    PM_BRIDGE: _bridge,
    PM_DATA: _data,
    SECONDARY_PCIE_CAP: _secondary,
    LNKCTL3: _control,
    LANE_ERROR_STATUS: _lanes,
    ...kept
  } = layout;
  return {
    ...amend<Kept>(kept, {
      COMMAND: { writable: 0x0507 },
      CAPABILITY_POINTER: { reset: EXPRESS_AT },
      PCIE_CAP: { reset: (SUBSYSTEM_AT << 8) | 0x10 },
      PCIE_FLAGS: { reset: 0x0142 },
      DEVCAP: { reset: 0x8000 },
      DEVCTL: { reset: 0 },
      LNKCAP: { reset: 0x0411 },
      SLTCAP: { reset: 0x0002_007b },
      SLTCTL: { reset: 0x01c0, writable: 0x1fff },
      SLTSTA: { reset: 0x0040 },
      RTCAP: { reset: 0 },
      DEVCAP2: { reset: 0x0030_0020 },
      DEVCTL2: { writable: 0x0020 },
      LNKCAP2: { reset: 0 },
      AER_CAP: { reset: 0x0002_0001 },
    }),
    SUBSYSTEM_CAP: { at: SUBSYSTEM_AT, size: 4, reset: 0x0d, about: 'subsystem identification, the last capability' },
    SUBSYSTEM_VENDOR: { at: SUBSYSTEM_AT + 4, size: 2, reset: 0x1014, about: 'whose board' },
    SUBSYSTEM: { at: SUBSYSTEM_AT + 6, size: 2, reset: 0, about: 'which board' },
  };
}
