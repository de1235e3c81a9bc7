/** How each step is done on the chip, written down in the reference model, or foretold by it. */
import type { Half, IodaChip, Observation } from './chip.js';
import type { BridgeModel, Outcome } from './model.js';
import {
  frame,
  NO_MEMORY,
  type Operation,
  type ProcessorAddress,
  type Software,
  type Step,
  TABLE_BYTES,
  toNowhere,
  toTable,
} from './steps.js';

/** Where a segment of the M32 or M64 window stands. */
function placeOf({ window, segment, offset }: ProcessorAddress, { layout }: Pick<IodaChip, 'layout'>): number {
  return layout[window].base + segment * layout[window].segmentBytes + offset;
}

function tceValue([to, may]: readonly [number, number], chip: IodaChip): bigint {
  const table = chip.layout.tceTables + (to - toTable) * TABLE_BYTES;
  const target = to === toNowhere ? NO_MEMORY : to < toTable ? frame(to) : table;
  return BigInt(target) | BigInt(may);
}

export function isOperation(what: Step): what is Operation {
  return ['load', 'store', 'config', 'dma', 'msi', 'error', 'pin', 'stray completion', 'link down'].includes(what.do);
}

/** Software's part: done on the chip, and written down in the model. A fenced bridge takes none of it, memory does. */
export function program(what: Software, chip: IodaChip, model: BridgeModel, pes: readonly number[]): void {
  const open = !model.fenced;
  const { layout, memory } = model;
  switch (what.do) {
    case 'rte':
      chip.setRte(what.rid, what.rte);
      model.setRte(what.rid, what.rte);
      if (what.invalidate === 'forgotten') return;
      chip.invalidateRtc(what.invalidate === 'all' ? 'all' : what.rid);
      model.forgetRid(what.invalidate === 'all' ? 'all' : what.rid);
      return;
    case 'peltv':
      chip.setPeltv(what.pe, what.row);
      model.setPeltv(what.pe, what.row);
      return;
    case 'tve':
      chip.setTve(what.index, what.tve);
      model.setTve(what.index, what.tve);
      if (what.invalidate !== 'forgotten')
        kill(what.invalidate === 'all' ? 'all' : model.ownerOfTve(what.index), undefined, { chip, model });
      return;
    case 'tce': {
      const at = layout.tceTables + what.table * TABLE_BYTES + 8 * what.entry;
      const value = tceValue(what.tce, chip);
      chip.setTce(at, value);
      memory.write64(at, value);
      const owner = pes[what.table] ?? 'all';
      if (what.invalidate === 'all') kill('all', undefined, { chip, model });
      if (what.invalidate === 'one') kill(owner, undefined, { chip, model });
      if (what.invalidate === 'page') kill(owner, model.killAddress(what.table, what.entry), { chip, model });
      return;
    }
    case 'kill':
      kill(what.pe, what.address, { chip, model });
      return;
    case 'm32':
      chip.setM32Segment(what.segment, what.pe);
      if (open) model.m32.set(what.segment, what.pe);
      return;
    case 'overlay':
      chip.setOverlay(what.state, what.segment, what.pe);
      if (open) model.overlay = what.state === 'on' ? { segment: what.segment, pe: what.pe } : undefined;
      return;
    case 'vector':
      chip.setVector(what.isn, what);
      model.setVector(what.isn, what, chip.heldVector(what.isn));
      return;
    case 'freeze':
      setFreeze(what, { chip, model });
      return;
    case 'thaw':
      for (const half of ['mmio', 'dma'] as const) setFreeze({ pe: what.pe, half, frozen: false }, { chip, model });
      return;
    case 'summary':
      chip.writeSummary(what.word, what.value);
      if (open && layout.summaryWrites === 'last')
        for (let bit = 0; bit < 64; bit++)
          model.summaryWritten.set(64 * what.word + bit, ((what.value >> BigInt(63 - bit)) & 1n) === 1n);
      return;
    case 'clear errors':
      chip.clearErrors();
      if (open) model.localErrors = 0n;
      return;
    case 'inject': {
      const injection = { ...what, ...model.injectionPlace(what.kind, what.at) };
      chip.inject(injection);
      if (open) model.injection = injection;
      return;
    }
    case 'fence':
      chip.forceFence();
      model.forceFence();
      return;
    case 'reset':
      chip.reset();
      model.resetChip();
      takeOverTables(chip, model);
      return;
  }
}

interface Pair {
  readonly chip: IodaChip;
  readonly model: BridgeModel;
}

function setFreeze(what: { readonly pe: number; readonly half: Half; readonly frozen: boolean }, pair: Pair): void {
  const { chip, model } = pair;
  chip.setFreeze(what.pe, what.half, what.frozen);
  if (!model.fenced) model.setFreeze(what.pe, what.half, what.frozen);
}

function kill(scope: number | 'all', address: bigint | undefined, { chip, model }: Pair): void {
  const page = scope === 'all' ? undefined : address;
  chip.killTces({ pe: scope, ...(page === undefined ? {} : { address: page }) });
  model.forgetPages(scope, page);
}

/** Initialisation fills the tables in memory, and one DMA window. */
export function takeOverTables(chip: IodaChip, model: BridgeModel): void {
  for (const [at, bytes] of chip.layout.tableRegions) model.memory.write(at, chip.memory(at, bytes));
  for (const [index, value] of chip.initialTves()) model.setTve(index, value);
}

export function operate(what: Operation, chip: IodaChip): Observation {
  switch (what.do) {
    case 'load':
      return chip.load(placeOf(what.at, chip), what.size, what.answer);
    case 'store':
      return chip.store(placeOf(what.at, chip), what.size, BigInt(what.value));
    case 'config':
      return what.direction === 'read'
        ? chip.configRead(what.rid, what.pe, what.answer)
        : chip.configWrite(what.rid, what.pe, what.answer);
    case 'dma':
      return chip.dma(what);
    case 'msi':
      return chip.msi(what);
    case 'error':
      return chip.errorMessage(what.rid, what.kind);
    case 'pin':
      return chip.pinMessage(what.rid, what.pin, what.asserted);
    case 'stray completion':
      return chip.strayCompletion(what.tag);
    case 'link down':
      return chip.dropLink(what.kind);
  }
}

export function foretell(what: Operation, model: BridgeModel): Outcome[] {
  switch (what.do) {
    case 'load':
      return model.loadOrStore(placeOf(what.at, model), what.size, 'read', what.answer, 0n);
    case 'store':
      return model.loadOrStore(placeOf(what.at, model), what.size, 'write', 'data', BigInt(what.value));
    case 'config':
      return model.config(what.rid, what.pe, what.direction, what.answer);
    case 'dma':
      return model.dma(what);
    case 'msi':
      return model.msi(what);
    case 'error':
      return model.errorMessage(what.rid, what.kind);
    case 'pin':
      return [{ why: 'levels are nobody’s PE' }];
    case 'stray completion':
      return model.strayCompletion();
    case 'link down':
      return model.linkDown(what.kind);
  }
}
