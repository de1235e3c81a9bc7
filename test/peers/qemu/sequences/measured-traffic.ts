/** Measured answers of what moves: DMA of the edu device, its interrupts, loads of the processor through windows. */
import {
  big,
  MEASURED,
  type MeasuredDma,
  type MeasuredMessage,
  type MeasuredSequence,
  Script,
  small,
} from '../measured.js';
import {
  ACCEPT,
  CARD,
  config,
  ioda,
  LET_INTERRUPTS_COME,
  OFFERED,
  pass,
  phb,
  ROOT_PORT,
  read,
  readBlock,
  type Step,
  write,
  writeBlock,
} from '../steps.js';
import {
  ARENA,
  BYTES,
  bufferShown,
  COMMAND,
  DMA_READY,
  deviceReads,
  deviceWrites,
  GOOD_AGAIN,
  PE,
  pattern,
  primed,
  RTC_ALL,
  rttEntry,
  TCE_ALL,
  walkTo,
} from './dma.js';
import {
  AGAIN_NS,
  CLOSED,
  IVT,
  MSI_ADDRESS,
  MSI_CONTROL,
  MSI_DATA,
  MSI_UPPER,
  ROUTED,
  raise,
  SETTLE_NS,
  sourceOf,
  store,
  vector,
} from './msi.js';
import { NUMBERED } from './opening.js';

// ---- DMA ------------------------------------------------------------------------------------------------------------

const ARENA_BYTES = 0x20_0000;
const PAGE_OFFSET = 0xfffn;
const BUFFER = 1;
const MEMORY = 40;
const PERMISSIONS = 3n;

/** Where the bytes would go if all that QEMU refused were let through. */
function wouldReach({ mem = {} }: MeasuredDma, address: bigint): number {
  const leaf = Object.values(mem)
    .map((value) => big(value) & ~PERMISSIONS)
    .find((page) => page >= ARENA && page < ARENA + ARENA_BYTES);
  const at = (leaf ?? BigInt(ARENA)) & ~PAGE_OFFSET;
  return Number(at | (address & PAGE_OFFSET));
}

function tables(measured: MeasuredDma): Step[] {
  const { rte = PE, tvt = {}, mem = {}, regs = {}, peev, cmd, rpcmd, config: decoders } = measured;
  return [
    ...[...Array.from({ length: 2 }, (_, window) => ioda.write('TVT', 2 * PE + window, 0n)).flat(), rttEntry(rte)],
    ...Object.entries(tvt).flatMap(([index, value]) => ioda.write('TVT', Number(index), big(value))),
    ...Object.entries(mem).map(([at, value]) => write(small(at), 8, big(value))),
    ...(decoders === undefined ? [] : [phb.write('PHB_PHB3_CONFIG', big(decoders))]),
    ...Object.entries(regs).map(([at, value]) => phb.write(Number(at), BigInt(value))),
    ...(peev === undefined ? [] : ioda.write('PEEV', 0, BigInt(peev))),
    ...(cmd === undefined ? [] : config.write({ id: CARD, register: COMMAND }, 2, Number(cmd))),
    ...(rpcmd === undefined ? [] : config.write({ id: ROOT_PORT, register: COMMAND }, 2, Number(rpcmd))),
    ...[RTC_ALL, TCE_ALL],
  ];
}

const isPlace = (what: string): boolean => what !== 'zeros' && what !== 'ones';

function dma(measured: MeasuredDma): Script {
  const script = new Script(`DMA: ${measured.name}`).do(...DMA_READY);
  for (const [direction, digits, bytes, parts] of measured.dma ?? []) {
    const address = big(digits);
    const buffer = pattern(BUFFER, bytes);
    const places = parts
      .filter(([, , what]) => isPlace(what))
      .map(([at, length, what]) => ({ at, length, real: small(what) }));
    const aims = places.length > 0 ? places : [{ at: 0, length: bytes, real: wouldReach(measured, address) }];
    script.do(...primed(BUFFER, bytes), phb.write('PHB_CONTROL', 0n));
    for (const { real, length } of aims) script.do(writeBlock(real, pattern(MEMORY, length)));
    script.do(...tables(measured));
    if (direction === 'r') {
      const got = new Uint8Array(buffer);
      for (const [at, length, what] of parts)
        got.set(
          what === 'ones'
            ? new Uint8Array(length).fill(0xff)
            : isPlace(what)
              ? pattern(MEMORY, length)
              : new Uint8Array(length),
          at,
        );
      const shown = bufferShown(bytes);
      script
        .do(...deviceReads(address, bytes), phb.write('PHB_CONTROL', 0n), ...GOOD_AGAIN, ...shown.slice(0, -1))
        .seesBytes(shown.at(-1)!, got);
    } else {
      script.do(...deviceWrites(address, bytes));
      for (const { at, length, real } of aims)
        script.seesBytes(
          readBlock(real, length),
          places.length > 0 ? buffer.subarray(at, at + length) : pattern(MEMORY, length),
        );
      script.do(phb.write('PHB_CONTROL', 0n), ...GOOD_AGAIN);
    }
  }
  return script;
}

/** Three reads, of which each finds another requester cached: the only measured case that is no single DMA. */
function staleRequester(name: string): Script {
  const address = 0x2010n;
  const script = new Script(`DMA: ${name}`).do(...DMA_READY, ...primed(BUFFER));
  const reads = (change: readonly Step[], got: Uint8Array): void => {
    const shown = bufferShown();
    script.do(writeBlock(ARENA + 0x10, pattern(MEMORY, BYTES)), ...change, ...deviceReads(address));
    script.do(...GOOD_AGAIN, ...shown.slice(0, -1)).seesBytes(shown.at(-1)!, got);
    // The good state leaves PE 1 in the table and nothing cached: the card is asked once more as it was.
    script.do(...walkTo({ page: 1, levels: 1 }, address, ARENA), ...deviceReads(address));
  };
  script.do(...walkTo({ page: 1, levels: 1 }, address, ARENA), ...deviceReads(address));
  reads([rttEntry(2)], pattern(MEMORY, BYTES));
  reads([rttEntry(2), phb.write('PHB_RTC_INVALIDATE', BigInt(CARD) << 32n)], new Uint8Array(BYTES));
  const unrelated = 0x0999n << 32n;
  reads(
    [rttEntry(2), RTC_ALL, ...deviceReads(address), rttEntry(1), phb.write('PHB_RTC_INVALIDATE', unrelated)],
    pattern(MEMORY, BYTES),
  );
  return script;
}

// ---- interrupts -----------------------------------------------------------------------------------------------------

const { msi, windows } = MEASURED;
const WIDE_VECTORS = 1n << 39n;
const vectorAt = (source: number): number => IVT + 16 * source;
const take: Step = { do: 'take' };
const end: Step = { do: 'end-of-interrupt' };

function message(measured: MeasuredMessage): Script {
  const { address, data, at, before, ivtBar, stride, cppr, rte, config: decoders, after, accept } = measured;
  const to = (register: number, size: 2 | 4, value: number): Step[] =>
    config.write({ id: CARD, register }, size, value);
  const script = new Script(`MSI: ${measured.name}`).do(
    ...[...DMA_READY, ...ROUTED, rttEntry(rte), RTC_ALL, phb.write('PHB_IVT_BAR', big(ivtBar))],
    ...(stride === 128 ? [phb.write('PHB_CONTROL', WIDE_VECTORS)] : []),
    ...(decoders === undefined ? [] : [phb.write('PHB_PHB3_CONFIG', big(decoders))]),
    ...[write(ACCEPT, 1, big(cppr)), write(small(at), 8, big(before))],
    ...to(MSI_ADDRESS, 4, Number(big(address) & 0xffff_ffffn)),
    ...to(MSI_UPPER, 4, Number(big(address) >> 32n)),
    ...[...to(MSI_DATA, 2, small(data)), ...to(MSI_CONTROL, 2, 1)],
  );
  for (const [entry, offered] of after) {
    script
      .do(...raise)
      .sees(read(small(at), 8), big(entry))
      .sees(OFFERED, big(offered));
  }
  return script.sees(take, big(accept));
}

function rejected([source, entry, offered, opened, entryAfter]: (typeof msi.rejected)[number]): Script {
  return new Script(`MSI: source ${source} rejected, then let in`)
    .do(...DMA_READY, ...ROUTED, CLOSED, write(vectorAt(source), 8, vector()), ...sourceOf(source, 64), ...raise)
    .sees(read(vectorAt(source), 8), big(entry))
    .sees(OFFERED, big(offered))
    .do(LET_INTERRUPTS_COME, pass(AGAIN_NS))
    .sees(OFFERED, big(opened))
    .sees(read(vectorAt(source), 8), big(entryAfter));
}

function forced([value, locks, lockAfter, entry, accept, request]: (typeof msi.forced)[number]): Script {
  const script = new Script(`FFI: ${value}`).do(...DMA_READY, ...ROUTED, write(vectorAt(9), 8, vector()));
  for (const lock of locks) script.sees(phb.read('PHB_FFI_LOCK'), big(lock));
  return script
    .do(phb.write('PHB_FFI_REQUEST', big(value)), pass(SETTLE_NS))
    .sees(read(vectorAt(9), 8), big(entry))
    .sees(phb.read('PHB_FFI_LOCK'), big(lockAfter))
    .sees(take, big(accept))
    .sees(phb.read('PHB_FFI_REQUEST'), big(request));
}

const level = (name: string, lxivt: bigint): Script =>
  new Script(`INTx: ${name}`).do(
    ...DMA_READY,
    ...ROUTED,
    ...ioda.write('LXIVT', 0, lxivt),
    store('INTERRUPT_RAISE', 1n),
    pass(SETTLE_NS),
  );

function levels(): Script[] {
  const [first, again, second, last] = msi.stillRaised.map(big) as [bigint, bigint, bigint, bigint];
  const open = big(msi.levels[0]![0]);
  return [
    ...msi.levels.map(([lxivt, offered, accept]) =>
      level(`vector ${lxivt}`, big(lxivt)).sees(OFFERED, big(offered)).sees(take, big(accept)),
    ),
    level('still raised at its end', open)
      .sees(take, first)
      .do(end, pass(AGAIN_NS))
      .sees(OFFERED, again)
      .sees(take, second)
      .do(store('INTERRUPT_ACKNOWLEDGE', 1n), pass(SETTLE_NS), end, pass(AGAIN_NS))
      .sees(OFFERED, last),
  ];
}

function update(): Script {
  const [command, before, after] = msi.update.map(big) as [bigint, bigint, bigint];
  return new Script('IVC: update')
    .do(...DMA_READY, ...ROUTED, write(vectorAt(9), 8, before), phb.write('PHB_IVC_UPDATE', command))
    .sees(read(vectorAt(9), 8), after)
    .sees(phb.read('PHB_IVC_UPDATE'), command);
}

// ---- windows --------------------------------------------------------------------------------------------------------

const BUS_MASK = 0x3_ffff_ffff_ffffn;
/** The M32 cases were measured on the second bridge; its windows stand one size above those of the first. */
const SECOND_M32 = 0x3_ff80_8000_0000n;
const SECOND_M64 = 0x3_d010_0000_0000n;
function onFirstBridge(address: bigint): bigint {
  const onBus = address & BUS_MASK;
  if (onBus >= SECOND_M32 - 0x8000_0000n && onBus < PHB_PAGES) return address - 0x8000_0000n;
  return onBus >= SECOND_M64 && onBus < 2n * SECOND_M64 - SECOND_M64 + 0x10_0000_0000n
    ? address - 0x10_0000_0000n
    : address;
}
const PHB_PAGES = 0x3_fffe_4000_0000n;
const MEMORY_WINDOW = 0x20;
const PREFETCHABLE_WINDOW = 0x24;
const PREFETCHABLE_UPPER = 0x28;
const BAR0 = 0x10;

function m32(measured: (typeof windows.m32)[number]): Script {
  const { name, base, mask, start, config: decoders, bar, rootWindow, commands, reads } = measured;
  const script = new Script(`M32 window: ${name}`).do(
    ...NUMBERED,
    ...config.write({ id: ROOT_PORT, register: MEMORY_WINDOW }, 4, small(rootWindow)),
    ...config.write({ id: CARD, register: BAR0 }, 4, small(bar)),
    ...config.write({ id: ROOT_PORT, register: COMMAND }, 2, small(commands[0])),
    ...config.write({ id: CARD, register: COMMAND }, 2, small(commands[1])),
    phb.write('PHB_M32_BASE_ADDR', onFirstBridge(big(base))),
    phb.write('PHB_M32_BASE_MASK', big(mask)),
    phb.write('PHB_M32_START_ADDR', big(start)),
    phb.write('PHB_PHB3_CONFIG', big(decoders)),
  );
  for (const [at, value] of reads) script.sees(read(Number(onFirstBridge(big(at))), 4), big(value));
  return script;
}

/** All of the first 64 GiB above the queue's window is prefetchable memory below the root port. */
const PREFETCHABLE: readonly Step[] = [
  ...config.write({ id: ROOT_PORT, register: PREFETCHABLE_WINDOW }, 4, 0xfff1_0001),
  ...config.write({ id: ROOT_PORT, register: PREFETCHABLE_UPPER }, 4, 0x3_d000),
  ...config.write({ id: ROOT_PORT, register: PREFETCHABLE_UPPER + 4 }, 4, 0x3_d00f),
];

function littleEndian(value: string): bigint {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(small(value));
  return BigInt(bytes.readUInt32BE());
}

function m64({ name, upper, entries, bar, reads }: (typeof windows.m64)[number]): Script {
  const address = big(bar);
  const script = new Script(`M64 window: ${name}`, 'nvme').do(
    ...[...NUMBERED, ...PREFETCHABLE],
    ...config.write({ id: CARD, register: BAR0 }, 4, Number(address & 0xffff_ffffn)),
    ...config.write({ id: CARD, register: BAR0 + 4 }, 4, Number(address >> 32n)),
    phb.write('PHB_M64_UPPER_BITS', big(upper)),
    ...Object.entries(entries).flatMap(([index, value]) => ioda.write('M64BT', Number(index), big(value))),
  );
  for (const [at, value] of reads) script.sees(read(Number(big(at)), 4), littleEndian(value));
  return script;
}

export const MEASURED_TRAFFIC: readonly MeasuredSequence[] = [
  ...MEASURED.dma.map((each) => (each.dma === undefined ? staleRequester(each.name) : dma(each))),
  ...msi.messages.map(message),
  ...msi.rejected.map(rejected),
  ...msi.forced.map(forced),
  ...levels(),
  update(),
  ...windows.m32.map(m32),
  ...windows.m64.map(m64),
].map(({ sequence }) => sequence);
