/** A whole machine (chip, cards, firmware, kernel) with drivers that vote as told, and ways to break it. */
import { DEFAULT_KERNEL_VERSION } from '../../src/eeh/kernel-versions.js';
import type { LogRecord } from '../../src/eeh/log.js';
import type { PciDevice } from '../../src/eeh/pci/device.js';
import { PBCQ_SCOM_RANGES } from '../../src/ioda2/registers/pbcq.js';
import { type BootOptions, PowerSystem } from '../../src/machine/system.js';
import type { PortFeatures, SlotOptions } from '../../src/machine/topology.js';
import { FreezeAction, ResetAssert, ResetScope } from '../../src/opal/opal-api.js';
import { delay, type Process } from '../../src/sim/process.js';
import { ms, seconds } from '../../src/sim/time.js';
import type { StubDriver } from './stub-driver.js';

/** The nest FIR bit that operators set to fence a bridge. */
const FENCE_BIT = 1n << 47n;

export interface FullMachineOptions {
  readonly slots: Readonly<Record<number, SlotOptions>>;
  readonly drivers?: readonly StubDriver[];
  readonly kernel?: BootOptions;
  readonly maxFreezes?: number;
  readonly ports?: PortFeatures;
  /** The hotplug driver takes every slot, as on boards whose slots can be opened. */
  readonly registeredSlots?: 'yes';
}

/** A disk: it has power management, as most real devices. */
export const DISK: SlotOptions = { device: 'nvme', driver: 'none' };
/** A card without power management. */
export const CARD: SlotOptions = { device: 'nic', driver: 'none' };
export const DISK_ID = 0x0010;

export class FullMachine {
  readonly system: PowerSystem;
  /** Virtual time of the fault. */
  startNs = 0;

  constructor(options: FullMachineOptions) {
    const slots = new Map(Object.entries(options.slots).map(([number, slot]) => [Number(number), slot]));
    this.system = new PowerSystem({
      slots,
      kernel: { version: DEFAULT_KERNEL_VERSION, ...options.kernel },
      ...(options.ports === undefined ? {} : { ports: options.ports }),
      ...(options.maxFreezes === undefined ? {} : { maxFreezes: options.maxFreezes }),
    });
    if (options.registeredSlots === 'yes') registerSlots(this.system);
    this.system.boot();
    for (const driver of options.drivers ?? []) {
      this.run(this.kernel.context.rescanLock.hold(this.kernel.driverCore.register(driver), 'modprobe'));
    }
    for (const { device } of this.system.slots) this.enable(device);
    this.mark();
  }

  /** Stub drivers do nothing; what a real one does first is to let its device answer. */
  private enable(device: PciDevice | undefined): void {
    if (device !== undefined) this.run(this.kernel.services.enableDevice(device));
  }

  get sim() {
    return this.system.sim;
  }

  get kernel() {
    return this.system.kernel;
  }

  run<T>(body: Process<T>): T {
    return this.sim.complete('test', body);
  }

  runFor(howLongSeconds: number): void {
    this.sim.run({ untilNs: this.sim.now + seconds(howLongSeconds) });
  }

  /** Times count from here, and what was logged before is forgotten. */
  mark(): void {
    this.startNs = this.sim.now;
    this.kernel.log.records.length = 0;
    this.system.firmwareLog.length = 0;
  }

  /** The PE freezes as the chip does it, without telling anybody. */
  freeze(slot: string): void {
    const { phb, pe } = this.system.slot(slot)!;
    this.run(this.system.opal.pciEehFreezeSet(phb, pe!, FreezeAction.ALL));
  }

  /** The driver of a slot loads from its card and gets ones. */
  load(slot: string): void {
    this.run(this.loading(slot));
  }

  *loading(slot: string): Process<void> {
    const address = this.system.slot(slot)!.device!.resources.find(({ pciAddress }) => pciAddress !== undefined)!;
    yield* this.kernel.io.read32(this.system.slot(slot)!.device!.cpuAddress(address.index)!, [
      'stub_poll+0x40/0x120 [stub]',
    ]);
  }

  /** The PE of a slot froze, and its driver finds out: time 0. */
  detect(slot = 'slot1'): void {
    this.freeze(slot);
    this.mark();
    this.load(slot);
  }

  /** Something in the power bus queue of a bridge fails: it fences, and says so by its interrupt. */
  fence(phb = 0): void {
    const { base, strideOfPhb, bank } = PBCQ_SCOM_RANGES.nest;
    this.mark();
    this.system.machine.phbs[phb]!.scomWrite(base + strideOfPhb * phb + bank.get('NFIR_OR').offset, FENCE_BIT);
  }

  /** The error interrupt of a bridge. */
  interrupt(phb = 0): void {
    const [isn] = this.system.opal.firmwareInterrupts().filter((irq) => irq >= this.system.phbNode(phb).lsiBase);
    this.system.machine.interrupts.present(isn!, 0, 5);
  }

  /** A bridge that does not come out of its reset: firmware gives it up. */
  kill(phb = 0): void {
    this.system.machine.phbs[phb]!.pbcq.jamReset();
    const { opal } = this.system;
    function* untilBroken(): Process<void> {
      yield* opal.pciReset(phb, ResetScope.PHB_COMPLETE, ResetAssert.ASSERT);
      for (let left = yield* opal.pciPoll(phb); left > 0; left = yield* opal.pciPoll(phb)) yield* delay(ms(left));
    }
    this.run(untilBroken());
    this.mark();
  }

  /** The log of EEH alone, in the words of the kernel. */
  get eeh(): string[] {
    return this.kernel.log
      .texts()
      .filter((text) => /EEH|not ready|Link Active|Diag-data|Unbalanced|pnv_|eeh_/.test(text));
  }

  /** Milliseconds after the fault of the first, or the nth, record whose text begins so. */
  at(text: string, nth = 1): number {
    const found = this.kernel.log.records.filter((record) => record.text.includes(text))[nth - 1];
    if (found === undefined)
      throw new Error(`nobody logged "${text}"; the log:\n${this.kernel.log.texts().join('\n')}`);
    return this.millisecondsOf(found);
  }

  has(text: string): boolean {
    return this.kernel.log.texts().some((each) => each.includes(text));
  }

  private millisecondsOf(record: LogRecord): number {
    return (record.timeNs - this.startNs) / 1e6;
  }
}

function registerSlots({ opal }: PowerSystem): void {
  const told = opal.deviceTree.bind(opal);
  opal.deviceTree = () =>
    told().map((node) => ({ ...node, slots: node.slots.map((slot) => ({ ...slot, hotplug: 'registered' as const })) }));
}
