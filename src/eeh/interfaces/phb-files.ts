/**
 * debugfs of one PHB: /sys/kernel/debug/powerpc/PCIdddd. Source: linux powernv/eeh-powernv.c: pnv_eeh_ei_write;
 * pci-ioda.c: pnv_pci_ioda_create_dbgfs; facts: eeh-linux 14.2.
 */
import type { Process } from '../../sim/process.js';
import { EFAULT, EINVAL } from '../errno.js';
import { hex, type PciController } from '../pci/device.js';
import type { EehControls, TestErrorTrap } from './controls.js';
import { text } from './device-files.js';
import type { FileDeclaration } from './file-tree.js';
import { parseUnsigned, scanHex } from './kernel-text.js';

export interface PhbTarget {
  readonly controller: PciController;
  readonly controls: EehControls;
}

/** What fits the buffer of the file. */
const INJECT_BUFFER = 50;

export const PHB_FILES: Readonly<Record<string, FileDeclaration<PhbTarget>>> = {
  dump_diag_regs: {
    mode: 0o200,
    takes: 'a number: the diag data of the PHB go to the log; EIO if firmware has none',
    write: ({ controller, controls }, value) => ifNumber(value, () => controls.dumpDiagData(controller)),
  },
  dump_ioda_pe_state: {
    mode: 0o200,
    takes: 'a number: the hardware PEs go to the log',
    write: ({ controller, controls }, value) =>
      ifNumber(value, function* () {
        controls.dumpPes(controller);
        return 0;
      }),
  },
  err_injct: {
    mode: 0o200,
    takes:
      '%x:%x:%x:%lx:%lx, PE, type, function, address, mask, all hex: EINVAL if not five, ENODEV for an unknown PE, ERANGE for type or function, EIO if firmware refuses',
    *write({ controller, controls }, value) {
      if (value === '') return EFAULT;
      const [pe, type, injected, address, mask] = scanHex(value.slice(0, INJECT_BUFFER), '::::');
      if (pe === undefined || type === undefined || injected === undefined || address === undefined) return EINVAL;
      if (mask === undefined) return EINVAL;
      return yield* controls.injectError(controller, {
        ...{ pe: int(pe), type: int(type), function: int(injected), address, mask },
      });
    },
  },
  err_injct_inboundA: testErrors('inboundA', 'inbound, group A'),
  err_injct_inboundB: testErrors('inboundB', 'inbound, group B'),
  err_injct_outbound: testErrors('outbound', 'outbound'),
};

/** `PCI0000` */
export function phbDirectoryName(controller: PciController): string {
  return `PCI${hex(controller.domain, 4)}`;
}

function testErrors(trap: TestErrorTrap, which: string): FileDeclaration<PhbTarget> {
  return {
    mode: 0o600,
    shows: '0x%llx',
    takes: `a number: the raw register that raises test errors, ${which}`,
    *read({ controller, controls }) {
      const value = yield* controls.testErrors(controller, trap);
      return typeof value === 'number' ? value : yield* text(`0x${value.toString(16)}`);
    },
    *write({ controller, controls }, value) {
      const errors = parseUnsigned(value);
      return typeof errors === 'number' ? errors : yield* controls.armTestErrors(controller, trap, errors);
    },
  };
}

function* ifNumber(value: string, action: () => Process<number>): Process<number> {
  const number = parseUnsigned(value);
  return typeof number === 'number' ? number : yield* action();
}

function int(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}
