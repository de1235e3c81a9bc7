/** The disk and the educational device below a PHB3: drivers in the kernel model, DMA through its TCE tables. */
import { describe, expect, it } from 'vitest';
import type { PciDriver } from '../../src/eeh/drivers/driver.js';
import type { DmaBuffer, DriverServices } from '../../src/eeh/drivers/services.js';
import type { PciDevice } from '../../src/eeh/pci/device.js';
import { PowerSystem } from '../../src/machine/system.js';
import type { DeviceModel } from '../../src/machine/topology.js';
import type { Edu } from '../../src/pcie/edu.js';
import { EDU_BUFFER_AT, EDU_COMMAND, EDU_IDENTIFICATION, EDU_REGISTERS } from '../../src/pcie/edu-registers.js';
import type { Nvme } from '../../src/pcie/nvme.js';
import { ADMIN, COMMAND_BYTES, COMPLETION_BYTES, IO } from '../../src/pcie/nvme-format.js';
import { NVME_CSTS, NVME_DOORBELLS_AT, nvmeRegisters } from '../../src/pcie/nvme-registers.js';
import { delay, type Process } from '../../src/sim/process.js';
import { ms, us } from '../../src/sim/time.js';

const ENTRIES = 8;
const IDS: Readonly<Record<'nvme' | 'edu', number>> = { nvme: 0x0010, edu: 0x11e8 };

function booted(device: DeviceModel): PowerSystem {
  const system = new PowerSystem({
    slots: new Map([
      [1, { device, driver: 'none' }],
      [2, { device: 'nic', driver: 'recovering', framePeriodNs: ms(1) }],
    ]),
  });
  system.boot();
  return system;
}

/** Binds to the device, enables it, and gives what a driver works with. */
function bind(system: PowerSystem, model: 'nvme' | 'edu'): { device: PciDevice; services: DriverServices } {
  let bound: { device: PciDevice; services: DriverServices } | undefined;
  const driver: PciDriver = {
    name: `test-${model}`,
    matches: ({ identity }) => (identity.deviceId === IDS[model] ? 'yes' : 'no'),
    *probe(device, services) {
      const rc = yield* services.enableDevice(device);
      yield* services.setMaster(device);
      bound = { device, services };
      return rc;
    },
    *remove() {
      yield* delay(0);
    },
  };
  system.sim.complete('bind', system.kernel.driverCore.register(driver));
  return bound!;
}

/** A queue pair in mapped memory, used one command at a time. */
interface Pair {
  readonly id: number;
  readonly submissions: DmaBuffer;
  readonly completions: DmaBuffer;
  submitted: number;
}

class DiskDriver {
  private readonly registers = nvmeRegisters(0);
  readonly pairs: Pair[] = [];

  constructor(
    private readonly device: PciDevice,
    readonly services: DriverServices,
  ) {}

  *get(name: 'CSTS' | 'VS'): Process<number> {
    return yield* this.services.read32(this.device, 0, this.registers[name].at);
  }

  *start(): Process<void> {
    const pair = yield* this.makePair(0);
    const set = (name: keyof typeof this.registers, value: number): Process<void> =>
      this.services.write32(this.device, 0, this.registers[name].at, value);
    yield* set('AQA', ((ENTRIES - 1) << 16) | (ENTRIES - 1));
    yield* set('ASQ', pair.submissions.dmaAddress);
    yield* set('ACQ', pair.completions.dmaAddress);
    yield* set('CC', 0x0046_0001);
    while (((yield* this.get('CSTS')) & NVME_CSTS.RDY) === 0) yield* delay(ms(1));
    const io = yield* this.makePair(1);
    const size = ((ENTRIES - 1) << 16) | 1;
    yield* this.command(0, { opcode: ADMIN.CREATE_CQ, prp1: io.completions.dmaAddress, dwords: [size, 1] });
    yield* this.command(0, { opcode: ADMIN.CREATE_SQ, prp1: io.submissions.dmaAddress, dwords: [size, 0x1_0001] });
  }

  /** The status, or nothing if no completion comes. */
  *command(
    queue: number,
    command: { opcode: number; prp1: number; prp2?: number; dwords: readonly number[] },
  ): Process<number | undefined> {
    const pair = this.pairs[queue]!;
    const bytes = new Uint8Array(COMMAND_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, (pair.submitted << 16) | command.opcode, true);
    view.setUint32(4, queue === 0 ? 0 : 1, true);
    view.setUint32(24, command.prp1, true);
    view.setUint32(32, command.prp2 ?? 0, true);
    for (const [i, dword] of command.dwords.entries()) view.setUint32(40 + 4 * i, dword, true);
    const { memory } = this.services;
    const slot = pair.submitted % ENTRIES;
    const phase = Math.floor(pair.submitted / ENTRIES) % 2 === 0 ? 1 : 0;
    pair.submitted++;
    memory.writeBlock(pair.submissions.realAddress + slot * COMMAND_BYTES, bytes);
    const bell = NVME_DOORBELLS_AT + 8 * queue;
    yield* this.services.write32(this.device, 0, bell, pair.submitted % ENTRIES);
    for (let i = 0; i < 100; i++) {
      yield* delay(us(10));
      const entry = memory.readBlock(pair.completions.realAddress + slot * COMPLETION_BYTES, COMPLETION_BYTES);
      const status = entry[14]! | (entry[15]! << 8);
      if ((status & 1) !== phase) continue;
      yield* this.services.write32(this.device, 0, bell + 4, pair.submitted % ENTRIES);
      return status >>> 1;
    }
    return undefined;
  }

  private *makePair(id: number): Process<Pair> {
    const submissions = yield* this.services.allocate(this.device, 4096, 'to-device');
    const completions = yield* this.services.allocate(this.device, 4096, 'from-device');
    const pair = { id, submissions, completions, submitted: 0 };
    this.pairs.push(pair);
    return pair;
  }
}

describe('a disk below a PHB3', () => {
  const disk = (system: PowerSystem): Nvme => system.slot('slot1')!.place.card as Nvme;
  const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7) & 0xff);

  it('is found, gets its window and a PE of its own, and works with queues behind TCEs', () => {
    const system = booted('nvme');
    const { device, services } = bind(system, 'nvme');
    const driver = new DiskDriver(device, services);
    system.sim.complete(
      'disk',
      (function* () {
        expect(yield* driver.get('VS')).toBe(0x0001_0200);
        yield* driver.start();
        const out = yield* services.allocate(device, 8192, 'to-device');
        const back = yield* services.allocate(device, 8192, 'from-device');
        services.memory.writeBlock(out.realAddress, pattern(8192));
        const move = (opcode: number, { dmaAddress }: DmaBuffer): Process<number | undefined> =>
          driver.command(1, { opcode, prp1: dmaAddress, prp2: dmaAddress + 4096, dwords: [100, 0, 15] });
        for (let round = 0; round < 2 * ENTRIES; round++) expect(yield* move(IO.WRITE, out)).toBe(0);
        expect(yield* move(IO.READ, back)).toBe(0);
        expect(services.memory.readBlock(back.realAddress, 8192)).toEqual(pattern(8192));
      })(),
    );
    expect(disk(system).blocks.read(100, 16)).toEqual(pattern(8192));
    expect(system.slot('slot1')!.pe).not.toBe(system.slot('slot2')!.pe);
    expect(system.peekPest(0, system.slot('slot1')!.pe!)).toEqual({ a: 0n, b: 0n });
  });

  it('that is told to write where nothing is mapped freezes its PE, and is lost to its driver', () => {
    const system = booted('nvme');
    const { device, services } = bind(system, 'nvme');
    const driver = new DiskDriver(device, services);
    const pe = system.slot('slot1')!.pe!;
    let status: number | undefined = 0;
    system.sim.complete(
      'disk',
      (function* () {
        yield* driver.start();
        status = yield* driver.command(1, { opcode: IO.READ, prp1: 0x4000_0000, dwords: [0, 0, 7] });
      })(),
    );
    // The completion was behind the data, and the PE was frozen by then.
    expect(status).toBeUndefined();
    const pest = system.peekPest(0, pe);
    expect([pest.a >> 63n, pest.b & 0xfff_ffff_ffffn]).toEqual([1n, 0x4000_0000n]);
    expect(system.peekPest(0, system.slot('slot2')!.pe!)).toEqual({ a: 0n, b: 0n });
  });

  it('whose DMA read fails ends the command with Data Transfer Error, though its host never gets to know', () => {
    const system = booted('nvme');
    const { device, services } = bind(system, 'nvme');
    const driver = new DiskDriver(device, services);
    system.sim.complete(
      'disk',
      (function* () {
        yield* driver.start();
        const before = system.sim.now;
        expect(yield* driver.command(1, { opcode: IO.WRITE, prp1: 0x4000_0000, dwords: [0, 0, 7] })).toBeUndefined();
        expect(system.sim.now - before).toBeLessThan(ms(2));
      })(),
    );
    expect(disk(system).blocks.used).toBe(0);
    // It could still fetch nothing: the next doorbell finds a frozen PE, and never reaches it.
    expect(disk(system).registers.get('CSTS')).toBe(NVME_CSTS.RDY);
    const before = system.sim.now;
    system.sim.run({ untilNs: before + ms(20) });
    expect(system.peekPest(0, system.slot('slot1')!.pe!).a >> 63n).toBe(1n);
  });
});

describe('the educational device below a PHB3', () => {
  it('moves bytes through the DMA window both ways, and learns of a page that is not mapped', () => {
    const system = booted('edu');
    const { device, services } = bind(system, 'edu');
    const edu = system.slot('slot1')!.place.card as Edu;
    const { at: source } = EDU_REGISTERS.DMA_SOURCE;
    function* transfer(from: number, to: number, bits: number): Process<void> {
      const values = [from, to, 256, EDU_COMMAND.START | bits];
      for (const [i, value] of values.entries()) yield* services.write32(device, 0, source + 8 * i, value);
      yield* delay(ms(102));
    }
    system.sim.complete(
      'edu',
      (function* () {
        expect(yield* services.read32(device, 0, EDU_REGISTERS.IDENTIFICATION.at)).toBe(EDU_IDENTIFICATION);
        const out = yield* services.allocate(device, 4096, 'to-device');
        const back = yield* services.allocate(device, 4096, 'from-device');
        services.memory.fill(out.realAddress, 256, 0x5a);
        yield* transfer(out.dmaAddress, EDU_BUFFER_AT, 0);
        expect(edu.lastTransfer?.status).toBe('SC');
        yield* transfer(EDU_BUFFER_AT, back.dmaAddress, EDU_COMMAND.TO_HOST);
        expect(services.memory.readBlock(back.realAddress, 256)).toEqual(new Uint8Array(256).fill(0x5a));
        yield* transfer(0x0100_0000, EDU_BUFFER_AT, 0);
      })(),
    );
    expect(edu.lastTransfer?.status).not.toBe('SC');
    expect(edu.peekBuffer().slice(0, 256)).toEqual(new Uint8Array(256));
    const pest = system.peekPest(0, system.slot('slot1')!.pe!);
    expect([pest.a >> 63n, pest.b & 0xfff_ffff_ffffn]).toEqual([1n, 0x0100_0000n]);
  });
});
