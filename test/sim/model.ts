// A small busy world for the determinism tests: hardware events, processes, signals, random streams, trace records.
import { Priority } from '../../src/sim/priority.js';
import { delay, type Process, race, Signal, waitFor } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';
import { ms, us } from '../../src/sim/time.js';
import { defineTraceKind } from '../../src/sim/trace.js';

const PACKET = defineTraceKind('model.packet', 'device', 'length', 'addressHi', 'addressLo');
const SERVED = defineTraceKind('model.served', 'count', 'branch');

export const MODEL_END_NS = ms(1);

export function buildModel(seed: string): Simulator {
  const sim = new Simulator({ seed });
  const interrupt = new Signal<number>(sim, 'interrupt');
  for (let device = 0; device < 5; device++) addDevice(sim, device, interrupt);
  sim.spawn('driver', drive(sim, interrupt), { daemon: true });
  sim.spawn('watchdog', watch(sim), { daemon: true });
  return sim;
}

function addDevice(sim: Simulator, device: number, interrupt: Signal<number>): void {
  const random = sim.random(`device${device}`);
  const source = sim.trace.source(`device${device}`);
  const send = sim.handler(`device${device}.send`, (sent) => {
    sim.trace.emit(PACKET, source, device, random.below(4096), random.uint32(), random.uint32());
    if (random.chance(1, 3)) interrupt.emit(device);
    sim.schedule(random.below(8000) / 8, Priority.DEVICE, send, sent + 1, -sent / 3);
  });
  sim.schedule(0, Priority.DEVICE, send);
}

function* drive(sim: Simulator, interrupt: Signal<number>): Process {
  const source = sim.trace.source('driver');
  for (let count = 0; ; count++) {
    const { index } = yield* race(waitFor(interrupt, us(2)), delay(sim.random('driver').below(20_000) / 8));
    sim.trace.emit(SERVED, source, count, index);
  }
}

function* watch(sim: Simulator): Process {
  for (;;) {
    yield* delay(us(10));
    yield* race(delay(sim.random('watchdog').below(800) / 8), delay(50));
  }
}
