/**
 * Errors on the conventional side of a PCI Express to PCI bridge: secondary status, the secondary half of its AER, and
 * the messages they become. Source: PCI Express to PCI/PCI-X Bridge 1.0 5.2.3, 10.2; PCI-to-PCI Bridge 1.2 3.2.5.7.
 */
import { type BridgeAerRegister, SECONDARY_UNCORRECTABLE, type SecondaryError } from './aer-capability.js';
import { type BridgeRegister, STATUS_FIELDS } from './config-header.js';
import type { ConfigSpace } from './config-space.js';
import type { PortErrors } from './port-errors.js';
import { isConfiguration, isConfigurationWrite, isInputOutput, type Tlp } from './tlp.js';

/** Bus commands. Source: PCI Local Bus 3.0 3.1.1. */
const COMMAND = { IO_READ: 2, IO_WRITE: 3, READ: 6, WRITE: 7, CONFIG_READ: 10, CONFIG_WRITE: 11, DUAL_ADDRESS: 13 };
const SECONDARY_LOGS = ['SEC_HEADER_LOG0', 'SEC_HEADER_LOG1', 'SEC_HEADER_LOG2', 'SEC_HEADER_LOG3'] as const;

export class SecondaryErrors {
  constructor(
    private readonly config: ConfigSpace<BridgeRegister | BridgeAerRegister>,
    private readonly errors: PortErrors,
  ) {}

  /** Nobody answered a request of the bridge. Posted ones are an error only if bridge control says so. */
  masterAbort(tlp: Tlp, requests: 'posted' | 'non-posted'): void {
    this.flag(STATUS_FIELDS.RECEIVED_MASTER_ABORT);
    if (requests === 'posted' && this.config.has('BRIDGE_CONTROL', 'MASTER_ABORT_MODE')) {
      this.raise('RECEIVED_MASTER_ABORT', tlp);
    }
  }

  /** A device aborted a request of the bridge; its requester learns it by the completion. */
  targetAbort(tlp: Tlp): void {
    this.flag(STATUS_FIELDS.RECEIVED_TARGET_ABORT);
    this.record('RECEIVED_TARGET_ABORT', tlp);
  }

  /** The bridge aborts a request of a device. */
  abortsDevice(): void {
    this.flag(STATUS_FIELDS.SENT_TARGET_ABORT);
  }

  /** Data with bad parity came from a device. They go on as poisoned. */
  badParity(tlp: Tlp): void {
    this.flag(STATUS_FIELDS.DETECTED_PARITY);
    this.raise('DATA', tlp);
  }

  /** A device took data of the bridge with bad parity and pulled PERR#. */
  parityErrorReported(tlp: Tlp): void {
    if (!this.config.has('BRIDGE_CONTROL', 'PARITY')) return;
    this.flag(STATUS_FIELDS.MASTER_PARITY);
    this.raise('PERR', tlp);
  }

  /** SERR# passes only with the enable of bridge control. */
  systemError(): void {
    // On the secondary side this bit means: received system error.
    this.flag(STATUS_FIELDS.SENT_SERR);
    if (this.config.has('BRIDGE_CONTROL', 'SERR')) this.raise('SERR', undefined);
  }

  private flag(bits: number): void {
    this.config.or('SECONDARY_STATUS', bits);
  }

  private raise(error: SecondaryError, tlp: Tlp | undefined): void {
    if (!this.record(error, tlp)) return;
    const fatal = (this.config.get('SEC_UE_SEVERITY') & SECONDARY_UNCORRECTABLE[error]) !== 0;
    this.errors.signal(fatal ? 'FATAL' : 'NONFATAL');
  }

  /** False: masked, so it shows in the status alone. */
  private record(error: SecondaryError, tlp: Tlp | undefined): boolean {
    const bit = SECONDARY_UNCORRECTABLE[error];
    const pointed = (1 << this.config.field('SEC_AER_CONTROL', 'FIRST_ERROR')) >>> 0;
    const occupied = (this.config.get('SEC_UE_STATUS') & pointed) !== 0;
    this.config.or('SEC_UE_STATUS', bit);
    if ((this.config.get('SEC_UE_MASK') & bit) !== 0) return false;
    if (!occupied) {
      this.config.setField('SEC_AER_CONTROL', 'FIRST_ERROR', 31 - Math.clz32(bit));
      for (const [i, word] of transaction(tlp).entries()) this.config.set(SECONDARY_LOGS[i]!, word);
    }
    return true;
  }
}

/** Attribute (none in conventional mode), lower and upper command, address. Source: bridge specification 5.2.3.5. */
function transaction(tlp: Tlp | undefined): readonly [number, number, number, number] {
  if (tlp === undefined) return [0, 0, 0, 0];
  const command = commandOf(tlp);
  const [lower, upper] = tlp.addressHi === 0 ? [command, 0] : [COMMAND.DUAL_ADDRESS, command];
  const address = isConfiguration(tlp) ? (tlp.targetId! << 8) | (tlp.register! & 0xfc) : tlp.addressLo;
  return [0, (lower << 4) | (upper << 8), address >>> 0, tlp.addressHi];
}

function commandOf(tlp: Tlp): number {
  if (isConfiguration(tlp)) return isConfigurationWrite(tlp) ? COMMAND.CONFIG_WRITE : COMMAND.CONFIG_READ;
  if (isInputOutput(tlp)) return tlp.kind === 'IOWr' ? COMMAND.IO_WRITE : COMMAND.IO_READ;
  return tlp.kind === 'MWr' ? COMMAND.WRITE : COMMAND.READ;
}
