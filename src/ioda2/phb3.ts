/**
 * One PHB3 with its power bus queue: puts the blocks together and carries fence and reset to each of them.
 * Facts: ioda2-phb3 1.1, 7.8, 7.11.1. The way of an access or a packet is in docs/architecture.md, "Three journeys".
 */
import { ALL_ONES } from '../hw/bits.js';
import type { AccessSize } from '../hw/host-port.js';
import type { InterruptController } from '../hw/interrupts.js';
import { RegisterFile } from '../hw/register-file.js';
import type { BusTarget, ScomTarget, SystemBus } from '../hw/system-bus.js';
import { TableStore } from '../hw/table.js';
import { allOnes } from '../ioda/byte-order.js';
import { InboundOrder } from '../ioda/inbound-order.js';
import { IodaAccess, type IodaTable } from '../ioda/ioda-access.js';
import { MmioAnswers } from '../ioda/mmio-answers.js';
import { OutboundRequests } from '../ioda/outbound-requests.js';
import { PaprInjection } from '../ioda/papr-injection.js';
import { RequestEnds } from '../ioda/request-ends.js';
import type { Link } from '../pcie/link.js';
import { RootPort, type RootPortLayout } from '../pcie/root-port.js';
import { ConfigCycles } from './config-cycle.js';
import { DmaTranslation } from './dma-translation.js';
import { ErrorPipeline } from './error-pipeline.js';
import { InboundPath } from './inbound.js';
import { InboundMessages } from './inbound-messages.js';
import { LinkControl } from './link-control.js';
import { LsiUnit, type LsiVector } from './lsi.js';
import { MsiUnit } from './msi.js';
import { OutboundPath } from './outbound.js';
import { OutboundWindows } from './outbound-windows.js';
import { Pbcq } from './pbcq.js';
import { PeState } from './pe-state.js';
import { type Phb3Profile, phb3Profile } from './profile.js';
import { wireRegisters } from './register-hooks.js';
import { RegisterPage } from './register-page.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';
import { RidToPe } from './rid-to-pe.js';
import { rootComplexLayout } from './root-complex.js';
import { SystemConfig } from './system-config.js';
import { IODA_TABLE_NAMES, IODA_TABLES, type IodaTableName, iodaTableBySelector } from './tables.js';
import { PHB3_TIMING, type Phb3Timing } from './timing.js';
import { ETU_RESET, PE_FREEZE } from './trace.js';
import { PORT_EVENT, UtlCore } from './utl.js';

export interface Phb3Options {
  readonly bus: SystemBus;
  readonly interrupts: InterruptController;
  readonly link: Link;
  /** Number of the PHB on its chip. */
  readonly index: number;
  readonly maxWidth?: 8 | 16;
  /** Another root port than the chip's own, as emulators have one. */
  readonly rootPort?: RootPortLayout;
  /** Other than the recommended choices. */
  readonly profile?: Partial<Phb3Profile>;
  readonly timing?: Phb3Timing;
}

/** What an injection compares: the low 48 bits of a processor address, else all. */
const COMPARED_BY_INJECTION = { mmio: (1n << 48n) - 1n, config: ALL_ONES, dma: ALL_ONES } as const;

export class Phb3 implements BusTarget, ScomTarget {
  readonly name: string;
  readonly registers = new RegisterFile<PhbRegisterName>(PHB_REGISTERS);
  readonly rootPort: RootPort;
  readonly link: Link;
  readonly pbcq: Pbcq;
  readonly peState: PeState;

  readonly #options: Phb3Options;
  readonly #source: number;
  readonly #ioda: IodaAccess<IodaTableName>;
  readonly #windows = new OutboundWindows();
  readonly #ridToPe: RidToPe;
  readonly #translation: DmaTranslation;
  readonly #lsi: LsiUnit;
  readonly #msi: MsiUnit;
  readonly #order: InboundOrder;
  readonly #answers: MmioAnswers;
  readonly #errors: ErrorPipeline;
  readonly #linkControl: LinkControl;
  readonly #systemConfig: SystemConfig;
  readonly #requests: OutboundRequests;
  readonly #requestEnds: RequestEnds;
  readonly #config: ConfigCycles;
  readonly #inbound: InboundPath;
  readonly #outbound: OutboundPath;
  readonly #page: RegisterPage;
  readonly #tvt: TableStore;
  readonly #mrt = new TableStore(IODA_TABLES.MRT);
  /** Global number under which each LSI is presented. */
  readonly #presentedLsis = new Map<number, number>();

  constructor(options: Phb3Options) {
    const { bus, link, index, timing = PHB3_TIMING } = options;
    const { sim, memory } = bus;
    this.#options = options;
    this.name = `PHB${index}`;
    this.link = link;
    this.#source = sim.trace.source(this.name);
    const source = this.#source;
    const { trace } = sim;
    const { name, registers } = this;

    // Before the root port: a lost link freezes all PEs with one cause before the port's own message charges one.
    const utl = new UtlCore({ registers, timing }, () => this.#errors.raise({ event: 'utl-error' }));
    this.#linkControl = new LinkControl(
      { sim, name, registers, link, timing },
      {
        linkDown: () => utl.latch(PORT_EVENT.LINK_DOWN),
        coreReset: () => {
          utl.reset();
          this.rootPort.reset('fundamental');
        },
      },
    );
    this.rootPort = new RootPort(
      sim,
      `${name} root port`,
      link,
      options.rootPort ?? rootComplexLayout({ maxSpeed: 3, maxWidth: options.maxWidth ?? 16 }),
    );
    this.rootPort.onError((error) => utl.portError(error));
    const port = options.rootPort === undefined ? 'own' : 'foreign';
    this.#systemConfig = new SystemConfig({ registers, link, rootPort: this.rootPort, port });
    this.peState = new PeState(memory);
    this.peState.onChange((pe, half, frozen) =>
      trace.emit(PE_FREEZE, source, pe, half === 'mmio' ? 0 : 1, frozen ? 1 : 0),
    );
    this.#ridToPe = new RidToPe(memory);
    this.#translation = new DmaTranslation({ memory, ridToPe: this.#ridToPe, peStopped: this.peState.dmaStopped });
    this.#tvt = new TableStore(IODA_TABLES.TVT, {
      onWrite: (entry, hi, lo) => this.#translation.setTve(entry, hi, lo),
    });
    this.#lsi = new LsiUnit({
      present: (isn, vector, asserted) => this.#presentLsi(isn, vector, asserted),
      signal: (isn, vector) => this.#signalLsi(isn, vector),
    });
    this.#order = new InboundOrder(sim, timing.inboundPipelineNs.value);
    this.#answers = new MmioAnswers({ bus, name, order: this.#order });
    this.#msi = new MsiUnit({ sim, name, memory, timing }, (isn, server, priority) =>
      this.#presentMsi(isn, server, priority),
    );

    this.pbcq = new Pbcq({ bus, index, trace, source }, this.#pbcqClient());
    this.#errors = new ErrorPipeline({
      ...{ registers, memory, trace, source, peState: this.peState, lsi: this.#lsi },
      fence: (cause) => this.pbcq.fence(cause),
    });
    const profile = phb3Profile(options.profile);
    const injection = new PaprInjection({
      registers,
      persistence: profile.injectionPersistence,
      compared: COMPARED_BY_INJECTION,
    });
    this.#requests = new OutboundRequests(
      { sim, name, rootPort: this.rootPort, utl, timing },
      { ended: (request, outcome, data) => this.#requestEnds.ended(request, outcome, data) },
    );
    const common = { rootPort: this.rootPort, requests: this.#requests, errors: this.#errors, injection };
    this.#config = new ConfigCycles({ ...common, registers, utl, linkControl: this.#linkControl });
    this.#outbound = new OutboundPath({
      ...{ ...common, bus, utl, trace, source, windows: this.#windows },
      ...{ peState: this.peState, linkControl: this.#linkControl },
    });
    this.#inbound = new InboundPath({
      ...{ ...common, sim, name, source, memory, msi: this.#msi, order: this.#order, profile, timing },
      ...{ translation: this.#translation, ridToPe: this.#ridToPe },
      messages: new InboundMessages({ lsi: this.#lsi, errors: this.#errors, ridToPe: this.#ridToPe }),
      closed: () => (this.pbcq.heldInReset ? 'held-in-reset' : this.pbcq.isFenced ? 'fenced' : undefined),
    });
    this.#page = new RegisterPage({
      ...{ registers, config: this.#config, errors: this.#errors, trace, source, timing },
      answers: this.#answers,
      fenced: () => this.pbcq.isFenced,
      heldInReset: () => this.pbcq.heldInReset,
      inCoreReset: () => this.#linkControl.inCoreReset,
    });
    const blocks = { outbound: this.#outbound, config: this.#config, page: this.#page };
    this.#requestEnds = new RequestEnds({ ...blocks, bus, answers: this.#answers });
    this.#ioda = this.#iodaTables();
    wireRegisters({
      ...{ registers, ioda: this.#ioda, lsi: this.#lsi, msi: this.#msi, windows: this.#windows, errors: this.#errors },
      ...{ ridToPe: this.#ridToPe, translation: this.#translation, peState: this.peState },
      ...{ inbound: this.#inbound, requests: this.#requests, order: this.#order },
    });
    bus.attach(this);
  }

  // ---- doors ------------------------------------------------------------------------------------------------------

  claims(address: number): boolean {
    return this.pbcq.claims(address);
  }

  load(address: number, size: AccessSize, ticket: number): void {
    this.pbcq.load(address, size, ticket);
  }

  store(address: number, size: AccessSize, value: bigint): void {
    this.pbcq.store(address, size, value);
  }

  claimsScom(address: number): boolean {
    return this.pbcq.claimsScom(address);
  }

  scomRead(address: number, ticket: number): void {
    this.pbcq.scomRead(address, ticket);
  }

  scomWrite(address: number, value: bigint): void {
    this.pbcq.scomWrite(address, value);
  }

  /** A table entry without side effects, for tools. */
  peekTable(table: IodaTableName, index: number): bigint {
    return this.#ioda.table(table)?.read(index) ?? 0n;
  }

  #pbcqClient(): ConstructorParameters<typeof Pbcq>[1] {
    return {
      registerLoad: (path, offset, size, ticket) => this.#page.read(path, offset, size, ticket),
      registerStore: (path, offset, size, value) => this.#page.write(path, offset, size, value),
      windowLoad: (address, size, ticket) => this.#windowLoad(address, size, ticket),
      windowStore: (address, size, value) => this.#windowStore(address, size, value),
      fenced: () => this.#fenced(),
      etuReset: (state) => this.#etuReset(state),
      capiMode: (state) => this.#translation.setCapiMode(state),
      routingChanged: () => {
        this.#lsi.withdraw();
        this.#lsi.refresh();
      },
      lsiSourceId: () => this.#lsi.sourceId,
      outstanding: (side) => !(side === 'outbound' ? this.#requests.isIdle : this.#inbound.isIdle),
    };
  }

  get #isolated(): boolean {
    return this.pbcq.isFenced || this.pbcq.heldInReset;
  }

  #windowLoad(address: number, size: AccessSize, ticket: number): void {
    if (this.#isolated) this.#options.bus.complete(ticket, allOnes(size));
    else this.#outbound.load(address, size, ticket);
  }

  #windowStore(address: number, size: AccessSize, value: bigint): void {
    if (!this.#isolated) this.#outbound.store(address, size, value);
  }

  // ---- tables behind IODA_ADDR ------------------------------------------------------------------------------------

  #iodaTables(): IodaAccess<IodaTableName> {
    const ioda = new IodaAccess<IodaTableName>({
      indexAt: PHB_REGISTERS.field('PHB_IODA_ADDR', 'INDEX').at,
      bySelector: iodaTableBySelector,
      onReserved: () => this.#errors.raise({ event: 'register-address' }),
    });
    for (const name of IODA_TABLE_NAMES) ioda.attach(name, this.#tableOf(name));
    return ioda;
  }

  /** Tables that no block owns keep what software writes, as far as their declaration lets it. */
  #tableOf(name: IodaTableName): IodaTable {
    switch (name) {
      case 'LXIVT':
        return this.#lsi.lxivt;
      case 'RBA':
        return this.#msi.rba;
      case 'PESTA':
        return this.peState.pesta;
      case 'PESTB':
        return this.peState.pestb;
      case 'PEEV':
        return this.peState.peev;
      case 'TVT':
        return this.#tvt;
      case 'M64BT':
        return this.#windows.m64bt;
      case 'M32DT':
        return this.#windows.m32dt;
      case 'MRT':
        return this.#mrt;
      default:
        return new TableStore(IODA_TABLES[name]);
    }
  }

  // ---- interrupts -------------------------------------------------------------------------------------------------

  #presentLsi(isn: number, vector: LsiVector, asserted: boolean): void {
    const { interrupts } = this.#options;
    if (!asserted) {
      const irq = this.#presentedLsis.get(isn);
      if (irq !== undefined) interrupts.setLevel(irq, vector.server, vector.priority, 'released');
      this.#presentedLsis.delete(isn);
      return;
    }
    const irq = this.#isolated ? undefined : this.pbcq.globalLsi(isn);
    if (irq === undefined) return;
    this.#presentedLsis.set(isn, irq);
    interrupts.setLevel(irq, vector.server, vector.priority, 'asserted');
  }

  /** Where interrupts do not get out an edge is gone (M). */
  #signalLsi(isn: number, vector: LsiVector): void {
    const irq = this.#isolated ? undefined : this.pbcq.globalLsi(isn);
    if (irq !== undefined) this.#options.interrupts.signal(irq, vector.server, vector.priority);
  }

  #presentMsi(isn: number, server: number, priority: number): boolean {
    const irq = this.#isolated ? undefined : this.pbcq.globalInterrupt(isn);
    // Where interrupts are not routed nothing bounces them: they are gone.
    return irq === undefined || this.#options.interrupts.present(irq, server, priority);
  }

  // ---- fence and reset --------------------------------------------------------------------------------------------

  /** Whatever is outstanding ends with all ones; the chip's own interrupts no longer get out (M). PEs keep their state. */
  #fenced(): void {
    this.#requestEnds.abandon(this.#requests.abandonAll());
    this.#lsi.withdraw();
  }

  /** Registers, on-chip tables, traps, LEM, root complex and link start anew; the queue and system memory keep theirs. */
  #etuReset(state: 'held' | 'released'): void {
    this.#options.bus.sim.trace.emit(ETU_RESET, this.#source, state === 'held' ? 1 : 0);
    if (state === 'released') return;
    this.#requestEnds.abandon(this.#requests.abandonAll());
    this.#inbound.reset();
    this.registers.resetAll();
    this.#ioda.select(0n);
    this.#ridToPe.setBase(undefined);
    this.#ridToPe.invalidateAll();
    this.#translation.invalidateTceAll();
    this.#translation.msi32 = 'off';
    this.#translation.msi64 = 'off';
    this.#translation.setLowBypass('refused');
    this.#tvt.resetAll();
    this.#mrt.resetAll();
    this.#windows.reset();
    this.peState.reset();
    this.#msi.reset();
    this.#lsi.reset();
    this.#errors.reset();
    this.#linkControl.reset();
    this.#systemConfig.apply();
  }
}
