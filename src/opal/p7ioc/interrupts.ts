/**
 * Interrupt vectors of a P7IOC by bus unit id: levels and messages of a PHB, levels of the hub; and what firmware does
 * when an error interrupt of a PHB comes.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_lsi_set_xive, p7ioc_msi_set_xive, p7ioc_phb_err_interrupt; hw/p7ioc.c:
 * p7ioc_rgc_set_xive. Facts: ioda1-p7ioc 1.5, 3.5, 4.3, 7.7, opal-pci 5.7, 9.1.
 */
import { setField } from '../../hw/bits.js';
import type { TableDeclaration } from '../../hw/table.js';
import { HUB_REGISTERS } from '../../ioda1/registers/hub.js';
import { IODA_TABLES, RGC_TABLES } from '../../ioda1/tables.js';
import type { Process } from '../../sim/process.js';
import { word } from '../field-words.js';
import { readEntryOf } from '../ioda-door.js';
import { OpalStatus } from '../opal-api.js';
import type { Routing, Xive } from '../opal-results.js';
import type { InterruptSource } from '../phb-driver.js';
import { notePeError, readEvents } from './eeh.js';
import type { P7iocHub } from './hub.js';
import { rgcInterrupt } from './hub-errors.js';
import type { P7iocPhb } from './phb.js';
import { LSI_COUNT, MASKED, MSI_COUNT, mangled } from './tables.js';

/** Level of a PHB that says that something went wrong; firmware keeps it for itself. */
export const ERROR_LSI = 7;

/** A vector of the chip with another routing. The rest of it, the PE among it, stays. */
function routed(vector: bigint, table: TableDeclaration, to: Routing): bigint {
  const { SERVER, PRIORITY } = mangled(to);
  const withServer = setField(vector, table.field('SERVER').at, BigInt(SERVER));
  return setField(withServer, table.field('PRIORITY').at, BigInt(PRIORITY));
}

const known = ({ server, priority }: Routing): Xive => ({ rc: OpalStatus.SUCCESS, server, priority });

export class P7iocInterrupts implements InterruptSource {
  readonly firmwareOwned: readonly number[];

  constructor(private readonly phb: P7iocPhb) {
    this.firmwareOwned = [phb.lsiBase + ERROR_LSI];
  }

  owns(irq: number): boolean {
    return this.lsiOf(irq) !== undefined || this.msiOf(irq) !== undefined;
  }

  private lsiOf(irq: number): number | undefined {
    const level = irq - this.phb.lsiBase;
    return level >= 0 && level < LSI_COUNT ? level : undefined;
  }

  private msiOf(irq: number): number | undefined {
    const vector = irq - this.phb.msiBase;
    return vector >= 0 && vector < MSI_COUNT ? vector : undefined;
  }

  *setXive(irq: number, to: Routing): Process<number> {
    const level = this.lsiOf(irq);
    const change = level === undefined ? this.setMsi(this.msiOf(irq)!, to) : this.setLsi(level, to);
    return yield* this.phb.lock.hold(change);
  }

  private *setLsi(level: number, to: Routing): Process<number> {
    this.phb.tables.lxive[level] = to;
    return yield* this.route('LXIVT', level, to);
  }

  private *setMsi(vector: number, to: Routing): Process<number> {
    const { mxive } = this.phb.tables;
    mxive[vector] = { ...to, pe: mxive[vector]!.pe };
    return yield* this.route('MXIVT', vector, to);
  }

  private *route(table: 'LXIVT' | 'MXIVT', index: number, to: Routing): Process<number> {
    const { access } = this.phb;
    const vector = yield* readEntryOf(access, table, index);
    yield* access.writeEntry(routed(vector, IODA_TABLES[table], to));
    return OpalStatus.SUCCESS;
  }

  /** What was set last: the chip has lost the low bits of the priority. */
  getXive(irq: number): Xive {
    const level = this.lsiOf(irq);
    return known(level === undefined ? this.phb.tables.mxive[this.msiOf(irq)!]! : this.phb.tables.lxive[level]!);
  }

  *interrupt(): Process<void> {
    yield* errorInterrupt(this.phb);
  }
}

/** The error level fired: what it was is found out when somebody asks. */
function* errorInterrupt(phb: P7iocPhb): Process<void> {
  phb.services.raisePciError(phb.id);
  if (!phb.broken) yield* phb.lock.hold(lookForFrozenPes(phb));
}

function* lookForFrozenPes(phb: P7iocPhb): Process<void> {
  if (yield* phb.isFenced()) {
    phb.log('ER error ignored, PHB fenced');
    return;
  }
  // The condition was meant the other way round: not to overwrite what the hub has found.
  const looks = phb.profile.errorInterruptScan === 'corrected' ? !phb.error.pending : phb.error.pending;
  if (looks && (yield* readEvents(phb)).some((events) => events !== 0n)) notePeError(phb);
}

const { XIVT } = RGC_TABLES;
/** The hub has sixteen vectors; firmware offers the one that is used. */
const HUB_LEVELS = 1;

export class P7iocHubInterrupts implements InterruptSource {
  readonly firmwareOwned: readonly number[];
  private readonly routings: Routing[] = new Array<Routing>(HUB_LEVELS).fill({ server: 0, priority: MASKED });

  constructor(private readonly hub: P7iocHub) {
    this.firmwareOwned = this.routings.map((_, level) => hub.irqBase + level);
  }

  owns(irq: number): boolean {
    return this.firmwareOwned.includes(irq);
  }

  *setXive(irq: number, to: Routing): Process<number> {
    const { access, irqBase } = this.hub;
    const level = irq - irqBase;
    this.routings[level] = to;
    yield* access.write('RGC_IODA_ADDR', word(HUB_REGISTERS, 'RGC_IODA_ADDR', { TABLE: XIVT.selector!, INDEX: level }));
    const vector = yield* access.read('RGC_IODA_DATA');
    yield* access.write('RGC_IODA_DATA', routed(vector, XIVT, to));
    return OpalStatus.SUCCESS;
  }

  getXive(irq: number): Xive {
    return known(this.routings[irq - this.hub.irqBase]!);
  }

  *interrupt(irq: number): Process<void> {
    yield* rgcInterrupt(this.hub, irq);
  }
}
