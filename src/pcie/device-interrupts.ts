/**
 * The interrupt side of a device: MSI as a write of 4 bytes, or INTx as messages while MSI is off.
 * Source: PCI Local Bus 3.0 6.8, PCI Express base specification 6.1.
 */
import type { MsiRegister } from './capabilities.js';
import { STATUS_FIELDS } from './config-header.js';
import type { ConfigSpace } from './config-space.js';
import { type InterruptPin, MessageCode, memoryWrite, message, type Tlp } from './tlp.js';

export interface InterruptHost {
  readonly rid: number;
  readonly busMaster: boolean;
  transmit(tlp: Tlp): void;
}

type InterruptRegister = MsiRegister | 'COMMAND' | 'STATUS' | 'INTERRUPT_PIN';

export class DeviceInterrupts {
  /** The level the device wants on its pin, and what the bridge was told last. */
  private wanted = false;
  private told = false;
  private readonly config: ConfigSpace<InterruptRegister>;

  constructor(
    config: ConfigSpace,
    private readonly host: InterruptHost,
  ) {
    this.config = config;
  }

  get msiEnabled(): boolean {
    return this.config.declares('MSI_CONTROL') && this.config.has('MSI_CONTROL', 'ENABLE');
  }

  /** An event worth an interrupt. With MSI: one write per call. Without: the pin goes up until `clear`. */
  raise(vector: number): void {
    if (!this.msiEnabled) {
      this.wanted = true;
      this.update();
      return;
    }
    if (!this.host.busMaster) return;
    const allowed = 1 << this.config.field('MSI_CONTROL', 'ENABLED_COUNT');
    const data = (this.config.get('MSI_DATA') & ~(allowed - 1)) | (vector & (allowed - 1));
    const bytes = Uint8Array.of(data & 0xff, (data >>> 8) & 0xff, 0, 0);
    const address = { hi: this.config.get('MSI_ADDRESS_UPPER'), lo: this.config.get('MSI_ADDRESS') };
    this.host.transmit(memoryWrite(this.host.rid, address, bytes));
  }

  /** The causes are gone: the pin goes down. */
  clear(): void {
    this.wanted = false;
    this.update();
  }

  /** After a write to the command register or to MSI control: both decide whether the pin may be up. */
  update(): void {
    const pin = this.config.get('INTERRUPT_PIN');
    if (this.wanted) this.config.or('STATUS', STATUS_FIELDS.INTERRUPT);
    else this.config.clear('STATUS', STATUS_FIELDS.INTERRUPT);
    const level = this.wanted && pin !== 0 && !this.msiEnabled && !this.config.has('COMMAND', 'INTX_DISABLE');
    if (level === this.told) return;
    this.told = level;
    const index = (pin - 1) as InterruptPin;
    const code = (level ? MessageCode.ASSERT_INTA : MessageCode.DEASSERT_INTA) + index;
    this.host.transmit(message(this.host.rid, code));
  }

  /** A reset takes the pin down without a message: the bridge above drops it with the link. */
  reset(): void {
    this.wanted = false;
    this.told = false;
  }
}
