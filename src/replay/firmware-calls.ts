/** What the recorded caller did, done to our firmware: calls with the recorded registers, and the deeds between them. */
import type { SystemMemory } from '../hw/memory.js';
import type { Opal } from '../opal/opal.js';
import { invokeOpal, opalCall } from '../opal/opal-abi.js';
import { OpalStatus } from '../opal/opal-api.js';
import { delay, type Process } from '../sim/process.js';
import { us } from '../sim/time.js';
import type { CallerDeed, FirmwareCall } from './firmware-phases.js';

/** A call that our firmware does not know is refused, as any firmware refuses an unknown token. */
export function* makeCall(opal: Opal, memory: SystemMemory, { name, args }: FirmwareCall): Process<number> {
  const call = opalCall(name);
  if (call === undefined) return OpalStatus.PARAMETER;
  const registers = call.arguments.map((_, index) => args[index] ?? 0n);
  return yield* invokeOpal(opal, memory, { call, registers });
}

export function* doDeed(opal: Opal, memory: SystemMemory, deed: CallerDeed): Process<void> {
  switch (deed.kind) {
    case 'fill':
      memory.fill(deed.address, deed.bytes, deed.value);
      return;
    case 'sleep':
      yield* delay(us(deed.us));
      return;
    case 'interrupt':
      yield* opal.handleInterrupt(deed.irq);
  }
}
