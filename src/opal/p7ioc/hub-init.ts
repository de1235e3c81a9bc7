/**
 * Initialisation of a P7IOC, its PHBs included. Nothing of it can fail; a PHB that does not come up stays known, as broken.
 * Source: skiboot p7ioc hw/p7ioc-inits.c: p7ioc_inits and what it calls. Facts: ioda1-p7ioc 8.1 to 8.8.
 */
import { aibOffset, BUID } from '../../ioda1/address-map.js';
import { HUB_REGISTERS } from '../../ioda1/registers/hub.js';
import { PHB_INDICES, type PhbIndex } from '../../ioda1/registers/hub-rgc.js';
import { RGC_TABLES, type RgcTableName } from '../../ioda1/tables.js';
import { delay, type Process } from '../../sim/process.js';
import { ms } from '../../sim/time.js';
import { entry, word } from '../field-words.js';
import { hubBits, P7iocPhbAccess } from './access.js';
import type { P7iocHub } from './hub.js';
import { fullBuid, initRouting } from './hub-routing.js';
import {
  BI_LINK,
  BI_SETUP,
  CI_RUNNING,
  CI_SETUP,
  GEM_SETUP,
  type HubWrite,
  hssSetup,
  MISC_ERRORS,
  MISC_TRACE_START,
  MISC_TRACE_STOP,
  RGC_CREDIT_TIMERS,
  RGC_ERRORS,
  RGC_RUNNING,
} from './hub-values.js';
import type { P7iocPhb } from './phb.js';
import { resetPhb } from './phb-reset.js';

const GX_SETTLE_NS = ms(100);
const CLEAR_REPORTS_NS = ms(1);

export function* initHub(hub: P7iocHub, phbs: readonly P7iocPhb[]): Process<void> {
  yield* initBusInterface(hub);
  for (const phb of hub.place.phbs) yield* writeAll(hub, hssSetup(phb as PhbIndex));
  yield* initRegisterControl(hub);
  yield* writeAll(hub, CI_SETUP);
  yield* initRouting(hub);
  yield* writeAll(hub, CI_RUNNING);
  for (const phb of phbs) yield* resetPhb(phb);
  yield* initMisc(hub);
  yield* writeAll(hub, GEM_SETUP);
}

function* writeAll(hub: P7iocHub, writes: readonly HubWrite[]): Process<void> {
  for (const [register, value] of writes) yield* hub.access.writeAndReadBack(register, value);
}

function* initBusInterface(hub: P7iocHub): Process<void> {
  yield* writeAll(hub, BI_LINK[hub.place.processor ?? 'p7']);
  yield* delay(GX_SETTLE_NS);
  yield* writeAll(hub, BI_SETUP);
}

function* initRegisterControl(hub: P7iocHub): Process<void> {
  const { access } = hub;
  const config = yield* access.read('RGC_CONFIG');
  yield* access.writeAndReadBack('RGC_CONFIG', config | hubBits('RGC_CONFIG', 'CLEAR_REPORTS'));
  yield* delay(CLEAR_REPORTS_NS);
  yield* access.writeAndReadBack('RGC_CONFIG', config);
  yield* writeAll(hub, RGC_ERRORS);
  yield* access.read('RGC_STATUS');
  yield* writeAll(hub, RGC_RUNNING);
  const running = yield* access.read('RGC_CONFIG');
  yield* access.writeAndReadBack('RGC_CONFIG', running | RGC_CREDIT_TIMERS);
  yield* access.writeAndReadBack('RGC_BUID', buidWord(hub));
  yield* initInterruptTables(hub);
  for (const phb of hub.place.phbs) {
    yield* access.writeAndReadBack(`RGC_PHB${phb as PhbIndex}_BASE`, BigInt(hub.place.mwin1 + aibOffset(phb)));
  }
}

/** The register has nine bits; real firmware writes the number of the hub above them. */
function buidWord(hub: P7iocHub): bigint {
  if (hub.profile.rgcBuid === 'corrected') return word(HUB_REGISTERS, 'RGC_BUID', { BUID: BUID.rgc });
  return BigInt(fullBuid(hub, BUID.rgc)) << 32n;
}

const MASKED = entry(RGC_TABLES.XIVT, { PRIORITY: 0xff });
const INTERRUPT_STATES = 2;

function* initInterruptTables(hub: P7iocHub): Process<void> {
  yield* fillTable(hub, 'IST', Array<bigint>(INTERRUPT_STATES).fill(0n));
  yield* fillTable(hub, 'HRT', Array<bigint>(RGC_TABLES.HRT.entries).fill(0n));
  yield* fillTable(hub, 'XIVT', Array<bigint>(RGC_TABLES.XIVT.entries).fill(MASKED));
  yield* writeWithSideEffect(hub, ['RGC_IODA_LOCK', 0n]);
}

function* fillTable(hub: P7iocHub, table: RgcTableName, entries: readonly bigint[]): Process<void> {
  const address = word(HUB_REGISTERS, 'RGC_IODA_ADDR', { AUTOINCREMENT: 1, TABLE: RGC_TABLES[table].selector! });
  yield* hub.access.writeAndReadBack('RGC_IODA_ADDR', address);
  for (const value of entries) yield* writeWithSideEffect(hub, ['RGC_IODA_DATA', value]);
}

/** Reading back moves the index, or takes the lock for good: nobody has noticed, as one level is used and no lock taken. */
function* writeWithSideEffect(hub: P7iocHub, [register, value]: HubWrite): Process<void> {
  if (hub.profile.rgcReadBack === 'corrected') yield* hub.access.write(register, value);
  else yield* hub.access.writeAndReadBack(register, value);
}

function* initMisc(hub: P7iocHub): Process<void> {
  yield* writeAll(hub, MISC_ERRORS);
  yield* writeAll(hub, MISC_TRACE_STOP);
  // Of all six, whether they are wired or not.
  for (const phb of PHB_INDICES) {
    const access = new P7iocPhbAccess(hub.port, hub.place.mwin1, phb);
    yield* access.writeAsb('PHB_TRACE_CONTROL', 0n);
    yield* access.readAsb('PHB_TRACE_CONTROL');
  }
  yield* writeAll(hub, MISC_TRACE_START);
}
