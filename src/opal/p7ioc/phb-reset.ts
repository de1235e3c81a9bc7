/**
 * The reset of a whole PHB through the hub's reset register, with its initialisation: the same at boot and in recovery.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_reset. Facts: ioda1-p7ioc 3.6, 7.12.
 */

import { ciPortOfPhb } from '../../ioda1/error-bits/units.js';
import { HUB_REGISTERS } from '../../ioda1/registers/hub.js';
import type { CiPort } from '../../ioda1/registers/hub-ci.js';
import { delay, type Process } from '../../sim/process.js';
import { ms } from '../../sim/time.js';
import { word } from '../field-words.js';
import { CI_PHB_ERRORS } from './hub-values.js';
import { LEM_MASK } from './init-values.js';
import type { P7iocPhb } from './phb.js';
import { initPhb } from './phb-init.js';
import { loadTables } from './table-load.js';

const TABLES_SETTLE_NS = ms(100);
const RESET_PULSE_NS = ms(1);
/** Credits that were lost can keep a fence up. */
const RESET_TRIES = 5;
const RESET_SETTLE_NS = ms(100);

/** Leaves the PHB broken if its fence does not lift, or its initialisation fails. */
export function* resetPhb(phb: P7iocPhb): Process<void> {
  const fenced = yield* phb.isFenced();
  if (!phb.broken && !fenced) {
    // Ends DMA that is under way. The caches stay: what an operating system mapped comes back.
    yield* loadTables(phb);
    yield* delay(TABLES_SETTLE_NS);
  }
  yield* maskPortErrors(phb);
  yield* phb.access.writeAsb('PHB_LEM_ERROR_MASK', LEM_MASK['link-down']);
  yield* clearPortErrors(phb);
  if (!(yield* pulseReset(phb))) {
    phb.log('Reset failed, fence still set !');
    phb.broken = true;
    return;
  }
  yield* delay(RESET_SETTLE_NS);
  yield* initPhb(phb);
  yield* unmaskPortErrors(phb);
}

const ciPort = (phb: P7iocPhb): CiPort => ciPortOfPhb(phb.index) as CiPort;

/** The hub's port of a PHB reports the loss of the PHB as errors. */
export function* maskPortErrors(phb: P7iocPhb): Process<void> {
  yield* phb.hub.access.write(`CI_P${ciPort(phb)}_LEM_ERROR_MASK`, CI_PHB_ERRORS);
}

export function* clearPortErrors(phb: P7iocPhb): Process<void> {
  yield* phb.hub.access.write(`CI_P${ciPort(phb)}_LEM_FIR_ACCUM`, 0n);
}

export function* unmaskPortErrors(phb: P7iocPhb): Process<void> {
  yield* phb.hub.access.write(`CI_P${ciPort(phb)}_LEM_ERROR_AND_MASK`, 0n);
}

/** False: the fence stays. */
function* pulseReset(phb: P7iocPhb): Process<boolean> {
  const lines = word(HUB_REGISTERS, 'RGC_CCRR', { [`CI_P${ciPort(phb)}_FUNCTION`]: 1, [`PHB${phb.index}`]: 1 });
  for (let attempt = 0; attempt < RESET_TRIES; attempt++) {
    yield* phb.hub.access.write('RGC_CCRR', lines);
    yield* delay(RESET_PULSE_NS);
    yield* phb.hub.access.write('RGC_CCRR', 0n);
    if (!(yield* phb.isFenced())) return true;
  }
  return false;
}
