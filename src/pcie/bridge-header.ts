/**
 * What a type 1 header decides: which buses and which addresses lie below the bridge, and whether it forwards.
 * Source: PCI-to-PCI Bridge 1.2 3.2.5, 4; facts: ioda2-phb3 6.1 step 6.
 */
import type { BridgeRegister } from './config-header.js';
import type { ConfigSpace } from './config-space.js';
import type { Tlp } from './tlp.js';
import { busOf, deviceOf } from './tlp.js';

const MEGABYTE = 0x10_0000;

/** Where a configuration request goes from the primary side of a bridge. */
export type ConfigRoute = 'type0' | 'type1' | 'none';

export class BridgeHeader {
  constructor(private readonly config: ConfigSpace<BridgeRegister>) {}

  get secondaryBus(): number {
    return this.config.get('SECONDARY_BUS');
  }
  get subordinateBus(): number {
    return this.config.get('SUBORDINATE_BUS');
  }

  /** True for the buses secondary to subordinate. Secondary 0 means: never programmed. */
  ownsBus(bus: number): boolean {
    return this.secondaryBus !== 0 && bus >= this.secondaryBus && bus <= this.subordinateBus;
  }

  routeConfig(target: number): ConfigRoute {
    const bus = busOf(target);
    if (!this.ownsBus(bus)) return 'none';
    return bus === this.secondaryBus ? 'type0' : 'type1';
  }

  /** A link has one device. Source: PCI Express base specification 7.3.1; with ARI forwarding all 8 bits are function. */
  deviceAnswers(target: number, ariForwarding: 'on' | 'off'): boolean {
    return ariForwarding === 'on' || deviceOf(target) === 0;
  }

  /** True if the window of either kind holds the address of a memory request. */
  ownsAddress(tlp: Tlp): boolean {
    return this.inMemoryWindow(tlp) || this.inPrefetchableWindow(tlp);
  }

  get forwardsMemory(): boolean {
    return this.config.has('COMMAND', 'MEMORY');
  }

  /** Requests from below go up only with the bus master bit set. */
  get forwardsUpward(): boolean {
    return this.config.has('COMMAND', 'BUS_MASTER');
  }

  private inMemoryWindow(tlp: Tlp): boolean {
    if (tlp.addressHi !== 0) return false;
    const base = (this.config.get('MEMORY_BASE') & 0xfff0) * 0x1_0000;
    const limit = (this.config.get('MEMORY_LIMIT') & 0xfff0) * 0x1_0000 + (MEGABYTE - 1);
    return tlp.addressLo >= base && tlp.addressLo <= limit;
  }

  private inPrefetchableWindow(tlp: Tlp): boolean {
    const baseLo = (this.config.get('PREFETCHABLE_BASE') & 0xfff0) * 0x1_0000;
    const limitLo = (this.config.get('PREFETCHABLE_LIMIT') & 0xfff0) * 0x1_0000 + (MEGABYTE - 1);
    const baseHi = this.config.get('PREFETCHABLE_BASE_UPPER');
    const limitHi = this.config.get('PREFETCHABLE_LIMIT_UPPER');
    const aboveBase = tlp.addressHi > baseHi || (tlp.addressHi === baseHi && tlp.addressLo >= baseLo);
    const belowLimit = tlp.addressHi < limitHi || (tlp.addressHi === limitHi && tlp.addressLo <= limitLo);
    return aboveBase && belowLimit;
  }
}
