/**
 * debugfs of EEH as a whole: /sys/kernel/debug/powerpc.
 * Source: linux arch/powerpc/kernel/eeh.c, eeh_cache.c; facts: eeh-linux 14.2.
 */
import type { Process } from '../../sim/process.js';
import { EFAULT, EINVAL, ENODEV } from '../errno.js';
import type { LinuxKernel } from '../kernel.js';
import { hex, type PciDevice } from '../pci/device.js';
import type { EehControls } from './controls.js';
import { text } from './device-files.js';
import type { FileContent, FileDeclaration } from './file-tree.js';
import { parseSwitch, parseUnsigned, scanHex } from './kernel-text.js';

export interface DebugTarget {
  readonly kernel: LinuxKernel;
  readonly controls: EehControls;
}

const USAGE = 'input format: <domain>:<bus>:<dev>.<fn>';
/** What fits the buffers of these files, without the end. */
const BUFFER = { device: 19, forceRecover: 20 } as const;
const LARGEST_U32 = 0xffff_ffffn;

const readUsage = (): Process<FileContent> => text(USAGE);

export const DEBUG_FILES: Readonly<Record<string, FileDeclaration<DebugTarget>>> = {
  eeh_address_cache: {
    mode: 0o400,
    shows: 'mem addr range [0x%016x-0x%016x]: %s, a line for each BAR and ROM, ascending',
    *read({ kernel }) {
      const lines = kernel.addressCache.entries().map(({ first, last, device }) => {
        return `mem addr range [0x${wide(first)}-0x${wide(last)}]: ${device.name}\n`;
      });
      return lines.join('');
    },
  },
  eeh_dev_break: {
    mode: 0o600,
    shows: USAGE,
    takes: 'DDDD:BB:DD.F: a load the device does not answer; ENXIO without a memory BAR',
    read: readUsage,
    write: (target, value) => ofDevice(target, value, (device) => target.controls.breakDevice(device)),
  },
  eeh_dev_can_recover: {
    mode: 0o600,
    shows: USAGE,
    takes: 'DDDD:BB:DD.F: EOPNOTSUPP unless its driver has error_detected and slot_reset',
    read: readUsage,
    write: (target, value) =>
      ofDevice(target, value, function* (device) {
        return target.controls.canRecover(device);
      }),
  },
  eeh_dev_check: {
    mode: 0o600,
    shows: USAGE,
    takes: 'DDDD:BB:DD.F: the check of a load of all ones; the log tells the result',
    read: readUsage,
    write: (target, value) => ofDevice(target, value, (device) => target.controls.checkDevice(device)),
  },
  eeh_disable_recovery: {
    mode: 0o600,
    shows: 'Y or N',
    takes: 'y, n, 1, 0, on or off: new events are dropped; anything else is taken and ignored',
    read: ({ kernel }) => text(kernel.settings.recovery === 'off' ? 'Y' : 'N'),
    *write({ kernel }, value) {
      const wanted = parseSwitch(value);
      if (wanted !== undefined) kernel.settings.recovery = wanted === 'on' ? 'off' : 'on';
      return 0;
    },
  },
  eeh_enable: {
    mode: 0o600,
    shows: '0x%llx, 1 or 0',
    takes: 'a number; 0 switches EEH off, anything else on again',
    read: ({ kernel }) => text(kernel.settings.enabled ? '0x1' : '0x0'),
    *write({ kernel }, value) {
      const number = parseUnsigned(value);
      if (typeof number === 'number') return number;
      kernel.settings.forceDisabled = number === 0n ? 'yes' : 'no';
      return 0;
    },
  },
  eeh_force_recover: {
    mode: 0o600,
    takes:
      '<phb>:<pe> in hex: recovers that PE without any check, ENODEV if unknown; hwcheck: asks firmware what failed',
    *write({ controls }, value) {
      if (value === '') return EFAULT;
      const input = value.slice(0, BUFFER.forceRecover);
      if (input.startsWith('hwcheck')) {
        controls.lookForErrors();
        return 0;
      }
      const [domain, pe] = scanHex(input, ':');
      if (domain === undefined || pe === undefined) return EINVAL;
      return controls.forceRecover(u32(domain), u32(pe));
    },
  },
  eeh_max_freezes: {
    mode: 0o600,
    shows: '%llu',
    takes: 'a number: recoveries an hour, before a PE is given up',
    read: ({ kernel }) => text(String(kernel.settings.maxFreezes)),
    *write({ kernel }, value) {
      const number = parseUnsigned(value);
      if (typeof number === 'number') return number;
      kernel.settings.maxFreezes = u32(number);
      return 0;
    },
  },
};

function* ofDevice(
  { kernel }: DebugTarget,
  value: string,
  action: (device: PciDevice) => Process<number>,
): Process<number> {
  if (value === '') return EFAULT;
  const parts = scanHex(value.slice(0, BUFFER.device), '::.');
  const [domain, bus, slot, fn] = parts.map(u32);
  if (domain === undefined || bus === undefined || slot === undefined || fn === undefined) {
    kernel.log.err(`eeh_debug_lookup_pdev: expected 4 args, got ${parts.length}`);
    return EINVAL;
  }
  const device = kernel.devices.find(
    (each) =>
      each.bus.controller.domain === domain && each.bus.number === bus && each.devfn === ((slot << 3) | fn) >>> 0,
  );
  return device === undefined ? ENODEV : yield* action(device);
}

function u32(value: bigint): number {
  return Number(value & LARGEST_U32);
}

/** An address of up to 53 bits. */
function wide(address: number): string {
  return hex(Math.floor(address / 2 ** 32), 8) + hex(address % 2 ** 32, 8);
}
