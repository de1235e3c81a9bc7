/**
 * Error injection as the ABI numbers it and as the registers take it, the same on P7IOC and PHB3; which addresses belong
 * to a PE is each bridge's own. Source: skiboot hw/phb3.c: phb3_err_inject, phb3_papr_errinjct_reset; skiboot p7ioc
 * hw/p7ioc-phb.c: p7ioc_err_inject, p7ioc_papr_errinjct_reset. Facts: ioda1-p7ioc 7.9, opal-pci 3.2, 5.13.
 */
import { fieldMask } from '../hw/bits.js';
import { INJECTION_CONTROL_FIELDS, type InjectionRegister } from '../ioda/papr-injection.js';
import type { Process } from '../sim/process.js';
import { InjectFunction, OpalStatus } from './opal-api.js';

export type InjectionKind = 'memory' | 'io' | 'config' | 'dma';
type ControlField = keyof typeof INJECTION_CONTROL_FIELDS;

export interface InjectedOperation {
  readonly kind: InjectionKind;
  readonly direction: 'READ' | 'WRITE';
}

/** What the comparator is loaded with. */
export interface Comparator {
  readonly address: bigint;
  readonly mask: bigint;
}

interface InjectionRegisters {
  write(register: InjectionRegister, value: bigint): Process<void>;
}

const F = InjectFunction;
const FUNCTIONS: readonly (readonly [...InjectedFields, numbers: readonly number[]])[] = [
  ['memory', 'READ', [F.LD_MEM_ADDR, F.LD_MEM_DATA]],
  ['memory', 'WRITE', [F.ST_MEM_ADDR, F.ST_MEM_DATA]],
  ['io', 'READ', [F.LD_IO_ADDR, F.LD_IO_DATA]],
  ['io', 'WRITE', [F.ST_IO_ADDR, F.ST_IO_DATA]],
  ['config', 'READ', [F.LD_CFG_ADDR, F.LD_CFG_DATA]],
  ['config', 'WRITE', [F.ST_CFG_ADDR, F.ST_CFG_DATA]],
  ['dma', 'READ', [F.DMA_RD_ADDR, F.DMA_RD_DATA, F.DMA_RD_MASTER, F.DMA_RD_TARGET]],
  ['dma', 'WRITE', [F.DMA_WR_ADDR, F.DMA_WR_DATA, F.DMA_WR_MASTER, F.DMA_WR_TARGET]],
];
type InjectedFields = [kind: InjectionKind, direction: InjectedOperation['direction']];

const UNIT: Readonly<Record<InjectionKind, ControlField>> = {
  memory: 'OUTBOUND',
  io: 'OUTBOUND',
  config: 'CONFIG',
  dma: 'INBOUND',
};

/** Whether the address or the data is to be wrong makes no difference to the chips. */
export function injectedOperation(number: number): InjectedOperation | undefined {
  const found = FUNCTIONS.find(([, , numbers]) => numbers.includes(number));
  return found === undefined ? undefined : { kind: found[0], direction: found[1] };
}

const controlBit = (field: ControlField): bigint => fieldMask(INJECTION_CONTROL_FIELDS[field].at);

export function controlOf({ kind, direction }: InjectedOperation): bigint {
  return controlBit(UNIT[kind]) | controlBit(direction);
}
export const BOTH_DIRECTIONS = controlBit('READ') | controlBit('WRITE');

export function* disarm(access: InjectionRegisters): Process<void> {
  yield* access.write('PHB_PAPR_ERR_INJ_CTL', 0n);
}

export function* arm(access: InjectionRegisters, { address, mask }: Comparator, control: bigint): Process<number> {
  yield* access.write('PHB_PAPR_ERR_INJ_ADDR', address);
  yield* access.write('PHB_PAPR_ERR_INJ_MASK', mask);
  yield* access.write('PHB_PAPR_ERR_INJ_CTL', control);
  return OpalStatus.SUCCESS;
}

/** OPAL_PCI_RESET of PHB errors. */
export function* disarmInjection({ access }: { readonly access: InjectionRegisters }): Process<number> {
  yield* disarm(access);
  yield* access.write('PHB_PAPR_ERR_INJ_ADDR', 0n);
  yield* access.write('PHB_PAPR_ERR_INJ_MASK', 0n);
  return OpalStatus.SUCCESS;
}
