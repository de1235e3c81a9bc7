/** What distinguishes one device from another before it does anything: registers, link, tags, times. */
import type { Figure } from '../hw/figure.js';
import type { PciExpressRegister } from './capabilities.js';
import type { BarSpec, DeviceRegister } from './config-header.js';
import type { ConfigLayout } from './config-space.js';
import type { LinkSpeed, LinkWidth } from './link-profile.js';

export type EndpointRegister = DeviceRegister | PciExpressRegister;
/** A device without the PCI Express capability (conventional, behind no bridge of its own) is accepted too. */
export type EndpointLayout = ConfigLayout<DeviceRegister> & Partial<ConfigLayout<PciExpressRegister>>;

export interface EndpointTiming {
  readonly configNs: Figure;
  readonly memoryReadNs: Figure;
  /** After a reset, configuration requests are answered with CRS for this long. */
  readonly configRetryNs: Figure;
  readonly functionResetNs: Figure;
  readonly completionTimeoutNs: Figure;
}

export const ENDPOINT_TIMING: EndpointTiming = {
  configNs: { value: 500, known: 'assumed', source: '(M) ioda2-phb3 10.4: a configuration cycle takes 1 to 2 us' },
  memoryReadNs: { value: 300, known: 'assumed', source: '(M) ioda2-phb3 10.4: an MMIO load takes about 1 us' },
  configRetryNs: { value: 0, known: 'assumed', source: '(M) ready by the time its link is' },
  functionResetNs: { value: 1e6, known: 'assumed', source: '(M) the specification, 6.6.2, allows 100 ms' },
  completionTimeoutNs: {
    value: 50e6,
    known: 'stated',
    source: 'PCI Express base specification 2.8, 7.8.16: 50 us to 50 ms',
  },
};

export interface EndpointOptions {
  readonly layout: EndpointLayout;
  readonly bars: readonly BarSpec[];
  readonly maxSpeed?: LinkSpeed;
  readonly maxWidth?: LinkWidth;
  /** Reads it can have outstanding: up to 32, or to 256 while extended tags are enabled. */
  readonly tags?: number;
  readonly timing?: Partial<EndpointTiming>;
  readonly electricalDetectNs?: number;
  readonly trainingNs?: number;
}
