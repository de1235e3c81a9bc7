/**
 * The machine of the recordings, with our firmware and kernel on it: QEMU's powernv8 with 2 GiB, an nvme, an e1000e and an
 * edu behind one bridge each, generic root ports of 2.5 GT/s that do not report their links, locations as its firmware
 * names them, a kernel with 64 KiB pages whose sleeps the timer wheel rounds up, and a limit of 100 freezes.
 */
import { E1000eDriver } from '../eeh/drivers/e1000e-driver.js';
import { NvmeDriver } from '../eeh/drivers/nvme-driver.js';
import { LinuxKernel } from '../eeh/kernel.js';
import type { SleepRounding } from '../eeh/sleep.js';
import type { CpuPort } from '../hw/cpu-port.js';
import { QEMU_POWERNV8 } from '../machine/hostboot.js';
import { type Card, PowerNv8 } from '../machine/powernv8.js';
import { scomPlace } from '../machine/system.js';
import { Opal } from '../opal/opal.js';
import { peerCard } from '../pcie/peer-cards.js';
import { PEER_IMAGES, PeerDevice, type PeerName } from '../pcie/peer-devices.js';
import type { Simulator } from '../sim/simulator.js';
import { emulatedRootPort } from './emulated-root-port.js';
import { type CallRecord, tracedCalls } from './linux-calls.js';

const MEMORY_BYTES = 2 ** 31;
const FIRMWARE_HEAP = 0x3000_0000;
const CARDS: readonly PeerName[] = ['nvme', 'e1000e', 'edu'];
const BOOT_PROCESSOR = 8;
const MOST_FREEZES = 100;

export interface RecordedMachineOptions {
  /** Whether the network card has its expansion ROM. */
  readonly rom?: 'present' | 'absent';
  /** Default: as the timer wheel rounds them up. */
  readonly sleeps?: SleepRounding;
}

export class RecordedMachine {
  readonly machine: PowerNv8;
  readonly opal: Opal;
  readonly calls: CallRecord[] = [];
  readonly nvme = new NvmeDriver();
  readonly e1000e = new E1000eDriver();
  /** The port through which the operator reaches past the software. */
  readonly operator: CpuPort;
  private running: LinuxKernel | undefined;

  constructor(private readonly options: RecordedMachineOptions = {}) {
    this.machine = new PowerNv8({
      phbs: CARDS.length,
      memory: { sizeBytes: MEMORY_BYTES },
      addressMap: QEMU_POWERNV8,
      rootPort: emulatedRootPort(),
      slot: (sim, phb) => cardOf(sim, phb, options),
    });
    this.operator = this.machine.cpu('operator');
    const phbs = CARDS.map((_, index) => ({ index, ...scomPlace(index) }));
    this.opal = new Opal(this.machine.cpu('firmware'), { heapBase: FIRMWARE_HEAP, phbs });
  }

  get sim(): Simulator {
    return this.machine.sim;
  }

  get kernel(): LinuxKernel {
    return this.running!;
  }

  boot(): void {
    this.sim.complete('firmware boot', this.opal.boot());
    const traced = tracedCalls(
      this.opal,
      () => this.sim.now,
      (record) => this.calls.push(record),
    );
    const kernel = new LinuxKernel(this.sim, this.machine.cpu('linux'), traced, {
      phbs: this.opal.deviceTree().map((node) => ({
        ...node,
        slots: [{ bridge: 0, reset: 'by-firmware', hotplug: 'none', locationCode: `pcie.${node.index}` }],
      })),
      firmwareInterrupts: this.opal.firmwareInterrupts(),
      maxFreezes: MOST_FREEZES,
      sleepRounding: this.options.sleeps ?? 'timer-wheel',
      bootProcessor: BOOT_PROCESSOR,
      dma: { pageShift: 16, levels: 2 },
    });
    this.running = kernel;
    this.sim.complete('kernel boot', kernel.boot());
  }
}

function cardOf(sim: Simulator, phb: number, { rom = 'present' }: RecordedMachineOptions): Card {
  const name = CARDS[phb]!;
  const label = `slot${phb}`;
  if (name !== 'e1000e' || rom === 'present') return peerCard(sim, label, name);
  const { layout, ...image } = PEER_IMAGES[name];
  return new PeerDevice(sim, label, { ...image, layout: { ...layout, ROM_BAR: { ...layout.ROM_BAR, writable: 0 } } });
}
