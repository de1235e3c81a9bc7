/**
 * The interrupt side of a device: MSI-X or MSI as a write of 4 bytes, or INTx as messages while both are off.
 * Source: PCI Local Bus 3.0 6.8, PCI Express base specification 6.1.
 */
import type { MsiRegister } from './capabilities.js';
import { STATUS_FIELDS } from './config-header.js';
import type { ConfigSpace } from './config-space.js';
import { MsiXVectors } from './msi-x.js';
import { type Address, type InterruptPin, MessageCode, memoryWrite, message, type Tlp } from './tlp.js';

export interface InterruptHost {
  readonly rid: number;
  readonly busMaster: boolean;
  transmit(tlp: Tlp): void;
}

type InterruptRegister = MsiRegister | 'COMMAND' | 'STATUS' | 'INTERRUPT_PIN' | 'MSIX_CONTROL';

export class DeviceInterrupts {
  /** The vectors of a device that has MSI-X; its model lets loads and stores of the BAR through to them. */
  readonly msiX: MsiXVectors | undefined;

  /** The level the device wants on its pin, and what the bridge was told last. */
  private wanted = false;
  private told = false;
  private readonly config: ConfigSpace<InterruptRegister>;

  constructor(
    config: ConfigSpace,
    private readonly host: InterruptHost,
  ) {
    this.config = config;
    if (!this.config.declares('MSIX_CONTROL')) return;
    const vectors = new MsiXVectors(config, (address, data) => this.send(address, data));
    this.msiX = vectors;
    this.config.hook('MSIX_CONTROL', {
      onWrite: () => {
        this.update();
        vectors.update();
      },
    });
  }

  get msiEnabled(): boolean {
    return this.config.declares('MSI_CONTROL') && this.config.has('MSI_CONTROL', 'ENABLE');
  }

  get msiXEnabled(): boolean {
    return this.msiX?.enabled ?? false;
  }

  /**
   * An event worth an interrupt. With MSI-X: a message, now or when its vector is unmasked. With MSI: one write per
   * call. Without: the pin goes up until `clear`. Software must not turn on both; if it does, MSI-X it is (M).
   */
  raise(vector: number): void {
    if (this.msiXEnabled) this.msiX!.raise(vector);
    else if (this.msiEnabled) this.raiseMsi(vector);
    else {
      this.wanted = true;
      this.update();
    }
  }

  /** The causes are gone: the pin goes down. */
  clear(): void {
    this.wanted = false;
    this.update();
  }

  /** After a write to the command register or to a message control: all decide whether the pin may be up. */
  update(): void {
    const pin = this.config.get('INTERRUPT_PIN');
    if (this.wanted) this.config.or('STATUS', STATUS_FIELDS.INTERRUPT);
    else this.config.clear('STATUS', STATUS_FIELDS.INTERRUPT);
    const mayUsePin = pin !== 0 && !this.msiEnabled && !this.msiXEnabled && !this.config.has('COMMAND', 'INTX_DISABLE');
    const level = this.wanted && mayUsePin;
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
    this.msiX?.reset();
  }

  /** The low bits of the data tell the vector, as many as software has granted. */
  private raiseMsi(vector: number): void {
    const granted = Math.min(
      this.config.field('MSI_CONTROL', 'ENABLED_COUNT'),
      this.config.field('MSI_CONTROL', 'CAPABLE'),
    );
    const vectorBits = (1 << granted) - 1;
    const data = (this.config.get('MSI_DATA') & ~vectorBits) | (vector & vectorBits);
    this.send({ hi: this.config.get('MSI_ADDRESS_UPPER'), lo: this.config.get('MSI_ADDRESS') }, data);
  }

  /** Messages are memory writes: without the bus master bit they are lost. */
  private send(address: Address, data: number): void {
    if (!this.host.busMaster) return;
    const bytes = Uint8Array.of(data, data >>> 8, data >>> 16, data >>> 24);
    this.host.transmit(memoryWrite(this.host.rid, address, bytes));
  }
}
