import { type DriverServices, delay, type PciDevice, type PciDriver, type Process } from 'phbsim';

const PERIOD_NS = 1e6;
/** A register that reads the inverse of what was written: BAR 0, offset 4 of QEMU's edu device. */
const LIVENESS = 4;

/** Writes a number to its card every millisecond and looks whether the inverse comes back. */
export class HeartbeatDriver implements PciDriver {
  readonly name = 'heartbeat';
  beats = 0;
  private state: 'beating' | 'paused' = 'beating';

  matches(device: PciDevice): 'yes' | 'no' {
    return device.identity.vendorId === 0x1234 && device.identity.deviceId === 0x11e8 ? 'yes' : 'no';
  }

  *probe(device: PciDevice, services: DriverServices): Process<number> {
    const rc = yield* services.enableDevice(device);
    if (rc < 0) return rc;
    services.spawn(`heartbeat ${device.name}`, this.beat(device, services));
    return 0;
  }

  *remove(): Process<void> {
    this.state = 'paused';
  }

  readonly errorHandlers = {
    errorDetected: function* (this: void) {
      return 'need reset' as const;
    },
    slotReset: function* (this: void) {
      return 'recovered' as const;
    },
  };

  private *beat(device: PciDevice, services: DriverServices): Process<void> {
    for (let number = 1; this.state === 'beating'; number++) {
      yield* delay(PERIOD_NS);
      yield* services.write32(device, 0, LIVENESS, number);
      const answer = yield* services.read32(device, 0, LIVENESS);
      if (answer === ~number >>> 0) this.beats++;
    }
  }
}
