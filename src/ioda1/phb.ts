/**
 * One PHB of a P7IOC: puts its blocks together and carries fence and reset to each of them.
 * Facts: ioda1-p7ioc 1.2, 3.6, 6, 7.8. What stands around it is the hub's: src/ioda1/p7ioc.ts.
 */
import { fieldMask, setField } from '../hw/bits.js';
import type { AccessSize } from '../hw/host-port.js';
import { RegisterFile } from '../hw/register-file.js';
import type { SystemBus } from '../hw/system-bus.js';
import { TableStore } from '../hw/table.js';
import { allOnes } from '../ioda/byte-order.js';
import { InboundOrder } from '../ioda/inbound-order.js';
import { IodaAccess, type IodaTable } from '../ioda/ioda-access.js';
import { MmioAnswers } from '../ioda/mmio-answers.js';
import { OutboundRequests } from '../ioda/outbound-requests.js';
import { PaprInjection } from '../ioda/papr-injection.js';
import { RequestEnds } from '../ioda/request-ends.js';
import type { Link } from '../pcie/link.js';
import { RootPort } from '../pcie/root-port.js';
import { ConfigCycles } from './config-cycle.js';
import { DmaTranslation } from './dma-translation.js';
import { ErrorPipeline, LSI_ERROR } from './error-pipeline.js';
import { InboundPath } from './inbound.js';
import { InterruptSources } from './interrupt-sources.js';
import { LinkControl } from './link-control.js';
import { MsiUnit } from './msi.js';
import { OutboundPath } from './outbound.js';
import { OutboundWindows } from './outbound-windows.js';
import { PairStore } from './pair-store.js';
import { PeState } from './pe-state.js';
import type { P7iocProfile } from './profile.js';
import { wireRegisters } from './register-hooks.js';
import { RegisterPage, type RegisterPath } from './register-page.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import { RidToPe } from './rid-to-pe.js';
import { rootComplexLayout } from './root-complex.js';
import { IODA_TABLE_NAMES, IODA_TABLES, type IodaTableName, iodaTableBySelector } from './tables.js';
import type { P7iocTiming } from './timing.js';
import { FENCED, PE_FREEZE, PHB_RESET } from './trace.js';
import { UtlCore } from './utl.js';

/** What the hub does for a PHB, and hears of it. */
export interface PhbHub {
  /** Sends an interrupt of one of the PHB's bus units; false if it does not get out. */
  interrupt(buid: number, level: number, server: number, priority: number): boolean;
  /** The PHB fenced itself off. */
  fenced(): void;
  /** Its error macro drives something else than before. */
  errorsChanged(): void;
  isDead(): boolean;
}

export interface Ioda1PhbOptions {
  readonly bus: SystemBus;
  readonly link: Link;
  /** Number of the PHB on its hub, and its name in the trace. */
  readonly index: number;
  readonly name: string;
  readonly profile: P7iocProfile;
  readonly timing: P7iocTiming;
  readonly slotPower: 'on' | 'off';
}

/** What an injection compares where its mask has ones: bus number, address, DMA window. Facts: ioda1-p7ioc 7.9. */
const compareField = (field: string): bigint => fieldMask(PHB_REGISTERS.field('PHB_PAPR_ERR_INJ_MASK', field).at);
const COMPARED_BY_INJECTION = {
  mmio: compareField('MMIO') | compareField('IO'),
  config: compareField('BUS'),
  dma: compareField('TVE'),
} as const;

const DD1_0 = 1n;
/** Levels of a bus unit; message interrupts have sixteen units in a row. */
const LEVEL_BITS = 4;
const LEVELS = 2 ** LEVEL_BITS;

export class Ioda1Phb {
  readonly index: number;
  readonly name: string;
  readonly registers = new RegisterFile<PhbRegisterName>(PHB_REGISTERS);
  readonly rootPort: RootPort;
  readonly link: Link;
  readonly peState = new PeState();

  readonly #options: Ioda1PhbOptions;
  readonly #hub: PhbHub;
  readonly #source: number;
  readonly #ioda: IodaAccess<IodaTableName>;
  readonly #windows = new OutboundWindows();
  readonly #ridToPe = new RidToPe();
  readonly #translation: DmaTranslation;
  readonly #lsi: InterruptSources;
  readonly #msi: MsiUnit;
  readonly #peltv = new PairStore(IODA_TABLES.PELTV);
  readonly #hrt = new TableStore(IODA_TABLES.HRT);
  readonly #order: InboundOrder;
  readonly #answers: MmioAnswers;
  readonly #errors: ErrorPipeline;
  readonly #linkControl: LinkControl;
  readonly #requests: OutboundRequests;
  readonly #requestEnds: RequestEnds;
  readonly #config: ConfigCycles;
  readonly #outbound: OutboundPath;
  readonly #page: RegisterPage;
  #fenced = false;
  #heldInReset = false;
  #fenceJammed = false;

  constructor(options: Ioda1PhbOptions, hub: PhbHub) {
    const { bus, link, name, profile, timing } = options;
    const { sim, memory } = bus;
    const { trace } = sim;
    this.index = options.index;
    this.name = name;
    this.link = link;
    this.#options = options;
    this.#hub = hub;
    this.#source = sim.trace.source(name);
    const source = this.#source;
    const { registers } = this;
    this.#showRevision();

    // Before the root port: a lost link freezes all PEs with one cause before the port's own message charges one.
    const utl = new UtlCore({ registers, timing }, (event) => this.#errors.raise({ event }));
    this.#linkControl = new LinkControl(
      { sim, name, registers, link, timing, slotPower: options.slotPower },
      {
        linkChanged: (state) => utl.latch('LINK_STATUS', state === 'up' ? 'LINK_UP' : 'LINK_DOWN'),
        coreReset: () => {
          utl.reset();
          this.rootPort.reset('fundamental');
        },
      },
    );
    this.rootPort = new RootPort(sim, `${name} root port`, link, rootComplexLayout());
    // Firmware masks no surprise down before its resets, and would find a PE frozen after each if they were one (M).
    this.rootPort.surpriseDown = 'unexpected';
    this.rootPort.onError((error) => utl.portError(error));
    this.peState.onChange((pe, half, frozen) =>
      trace.emit(PE_FREEZE, source, pe, half === 'mmio' ? 0 : 1, frozen ? 1 : 0),
    );
    this.#translation = new DmaTranslation({ memory, ridToPe: this.#ridToPe, peStopped: this.peState.dmaStopped });
    const { LIST: state, LXIVT: vectors } = IODA_TABLES;
    this.#lsi = new InterruptSources({
      state,
      vectors,
      kind: 'level',
      once: LSI_ERROR,
      send: (...lsi) => this.#sendLsi(...lsi),
    });
    this.#msi = new MsiUnit((...msi) => this.#sendMsi(...msi));
    this.#order = new InboundOrder(sim, timing.inboundPipelineNs.value);
    this.#answers = new MmioAnswers({ bus, name, order: this.#order });
    this.#errors = new ErrorPipeline({
      ...{ registers, trace, source, peState: this.peState, peltv: this.#peltv, lsi: this.#lsi },
      lem: { reported: () => {}, changed: () => hub.errorsChanged() },
      fence: (cause) => this.fence(cause),
    });
    const injection = new PaprInjection({
      registers,
      persistence: profile.injectionPersistence,
      compared: COMPARED_BY_INJECTION,
    });
    this.#requests = new OutboundRequests(
      { sim, name, rootPort: this.rootPort, utl, timing },
      { ended: (request, outcome, data) => this.#requestEnds.ended(request, outcome, data) },
    );
    const common = {
      ...{ rootPort: this.rootPort, requests: this.#requests, errors: this.#errors, injection },
      ...{ ridToPe: this.#ridToPe, peState: this.peState },
    };
    this.#config = new ConfigCycles({ ...common, registers });
    this.#outbound = new OutboundPath({ ...common, bus, trace, source, windows: this.#windows });
    new InboundPath({
      ...{ ...common, sim, name, source, memory, order: this.#order, profile, timing },
      ...{ translation: this.#translation, lsi: this.#lsi, msi: this.#msi },
      closed: () => this.#closed,
    });
    this.#page = new RegisterPage({
      ...{ registers, config: this.#config, trace, source, timing, profile, answers: this.#answers },
      fenced: () => this.#fenced,
      heldInReset: () => this.#heldInReset,
      inCoreReset: () => this.#linkControl.inCoreReset,
    });
    const blocks = { outbound: this.#outbound, config: this.#config, page: this.#page };
    this.#requestEnds = new RequestEnds({ ...blocks, bus, answers: this.#answers });
    this.#ioda = this.#iodaTables();
    wireRegisters({
      ...{ registers, ioda: this.#ioda, msi: this.#msi, windows: this.#windows, translation: this.#translation },
      routingChanged: () => this.#refreshInterrupts(),
    });
  }

  #showRevision(): void {
    if (this.#options.profile.revision !== 'DD1.0') return;
    const { at } = PHB_REGISTERS.field('PHB_VERSION', 'LEVEL');
    this.registers.set('PHB_VERSION', setField(this.registers.get('PHB_VERSION'), at, DD1_0));
  }

  // ---- doors ------------------------------------------------------------------------------------------------------

  registerLoad(path: RegisterPath, offset: number, size: AccessSize, ticket: number): void {
    this.#page.read(path, offset, size, ticket);
  }

  registerStore(path: RegisterPath, offset: number, size: AccessSize, value: bigint): void {
    this.#page.write(path, offset, size, value);
  }

  windowLoad(address: number, size: AccessSize, ticket: number): void {
    if (this.#closed === undefined) this.#outbound.load(address, size, ticket);
    else this.#options.bus.complete(ticket, allOnes(size));
  }

  windowStore(address: number, size: AccessSize, value: bigint): void {
    if (this.#closed === undefined) this.#outbound.store(address, size, value);
  }

  /** A table entry without side effects, for tools; `word` 1 is the second of tables that have two. */
  peekTable(table: IodaTableName, index: number, word: 0 | 1 = 0): bigint {
    const store = this.#ioda.table(table);
    return (word === 0 ? store?.read(index) : store?.second?.read(index)) ?? 0n;
  }

  get isFenced(): boolean {
    return this.#fenced;
  }

  get #closed(): 'fenced' | 'held-in-reset' | 'dead' | undefined {
    if (this.#hub.isDead()) return 'dead';
    if (this.#heldInReset) return 'held-in-reset';
    return this.#fenced ? 'fenced' : undefined;
  }

  // ---- tables behind IODA_ADDR ------------------------------------------------------------------------------------

  #iodaTables(): IodaAccess<IodaTableName> {
    const ioda = new IodaAccess<IodaTableName>({
      indexAt: PHB_REGISTERS.field('PHB_IODA_ADDR', 'INDEX').at,
      bySelector: iodaTableBySelector,
      // Reads 0, takes no write, and nobody is told (M).
      onReserved: () => {},
    });
    for (const name of IODA_TABLE_NAMES) ioda.attach(name, this.#tableOf(name));
    return ioda;
  }

  #tableOf(name: IodaTableName): IodaTable {
    const tables: Readonly<Partial<Record<IodaTableName, IodaTable>>> = {
      HRT: this.#hrt,
      LIST: this.#lsi.state,
      LXIVT: this.#lsi.vectors,
      MIST: this.#msi.sources.state,
      MXIVT: this.#msi.sources.vectors,
      MVT: this.#msi.mvt,
      PELTM: this.#ridToPe.peltm,
      PESTA: this.peState.pesta,
      PESTB: this.peState.pestb,
      TVT: this.#translation.windows.tvt,
      PELTV: this.#peltv,
      M64BT: this.#windows.m64bt,
      IODT: this.#windows.io.table,
      M32DT: this.#windows.m32.table,
      M64DT: this.#windows.m64dt,
      PEEV: this.peState.peev,
    };
    return tables[name] ?? new TableStore(IODA_TABLES[name]);
  }

  // ---- interrupts -------------------------------------------------------------------------------------------------

  #sendLsi(level: number, server: number, priority: number): boolean {
    return this.#send(this.#buid('LSI'), level, server, priority);
  }

  #sendMsi(vector: number, server: number, priority: number): boolean {
    const first = this.#buid('MSI');
    return this.#send(first === 0 ? 0 : first + (vector >>> LEVEL_BITS), vector % LEVELS, server, priority);
  }

  /** Without a bus unit id, or out of a closed bridge, nothing gets out: it waits (M). */
  #send(buid: number, level: number, server: number, priority: number): boolean {
    return buid !== 0 && this.#closed === undefined && this.#hub.interrupt(buid, level, server, priority);
  }

  #buid(field: 'LSI' | 'MSI'): number {
    return Number(this.registers.field('PHB_BUID', field));
  }

  #refreshInterrupts(): void {
    this.#lsi.refreshAll();
    this.#msi.sources.refreshAll();
  }

  /** End of interrupt, by bus unit: only one that is this PHB's counts. */
  interruptEnded(buid: number, level: number): void {
    const lsi = this.#buid('LSI');
    const msi = this.#buid('MSI');
    if (buid === lsi) this.#lsi.ended(level);
    else if (buid >= msi && buid < msi + LEVELS) this.#msi.sources.ended((buid - msi) * LEVELS + level);
  }

  // ---- fence and reset --------------------------------------------------------------------------------------------

  /** Unmasked error bits that the error macro drives towards the hub. */
  driven(severity: 'fatal' | 'recoverable'): bigint {
    return this.#errors.lem.driven(severity);
  }

  /** Cuts the PHB off from the AIB. Whatever is outstanding ends with all ones; PEs keep their state. */
  fence(cause: number): void {
    if (this.#fenced) return;
    this.#fenced = true;
    this.#options.bus.sim.trace.emit(FENCED, this.#source, cause);
    this.#requestEnds.abandon(this.#requests.abandonAll());
    this.#hub.fenced();
  }

  /** A defect: the fence stays whatever software does. */
  jamFence(): void {
    this.#fenceJammed = true;
  }

  /** A defect: the core never leaves its reset again. */
  jamCoreReset(): void {
    this.#linkControl.jamCoreReset();
  }

  /** CCRR: everything inside starts anew when the bit is set; the fence lifts when it is cleared (M). */
  configurationReset(state: 'held' | 'released'): void {
    this.#options.bus.sim.trace.emit(PHB_RESET, this.#source, state === 'held' ? 1 : 0);
    this.#heldInReset = state === 'held';
    if (state === 'held') this.#startAnew();
    else if (!this.#fenceJammed) this.#fenced = false;
    this.#hub.errorsChanged();
  }

  #startAnew(): void {
    this.#requestEnds.abandon(this.#requests.abandonAll());
    this.registers.resetAll();
    this.#errors.reset();
    this.#showRevision();
    this.#ioda.select(0n);
    this.#hrt.resetAll();
    this.#peltv.resetAll();
    this.#ridToPe.peltm.resetAll();
    this.#translation.reset();
    this.#windows.reset();
    this.peState.reset();
    this.#msi.reset();
    this.#lsi.reset();
    this.#linkControl.reset();
  }
}
