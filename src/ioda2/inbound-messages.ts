/**
 * Messages from below: INTx levels to the LSIs, error messages to the PEs of their sender's row. The root port has filtered
 * them and adds its own. Facts: ioda2-phb3 6.3.6, 7.6. Source: linux pci_iov_resource_on_powernv.rst.
 */
import { MESSAGE_EVENTS } from '../ioda/packets-from-below.js';
import { IGNORED_MESSAGES, MessageCode, type Tlp } from '../pcie/tlp.js';
import type { ErrorEventName } from './error-bits/events.js';
import type { ErrorPipeline } from './error-pipeline.js';
import type { LsiUnit } from './lsi.js';
import { RidFailure, type RidToPe } from './rid-to-pe.js';

/** The event of a packet that only needs a PE, and has none. */
export const RID_EVENTS: Readonly<Record<RidFailure, ErrorEventName>> = {
  [RidFailure.NO_PE]: 'rte-invalid',
  [RidFailure.INVALID_RTE]: 'rte-invalid',
  [RidFailure.BAR_DISABLED]: 'table-bar-disabled',
  [RidFailure.MEMORY_ERROR]: 'fetch-ue',
};

/** `ignored`: receivers may ignore it. `unsupported`: no message this bridge takes. */
export type MessageOutcome = 'taken' | 'ignored' | 'unsupported';

export class InboundMessages {
  readonly #lsi: LsiUnit;
  readonly #errors: ErrorPipeline;
  readonly #ridToPe: RidToPe;

  constructor(parts: { lsi: LsiUnit; errors: ErrorPipeline; ridToPe: RidToPe }) {
    this.#lsi = parts.lsi;
    this.#errors = parts.errors;
    this.#ridToPe = parts.ridToPe;
  }

  receive(tlp: Tlp): MessageOutcome {
    const code = tlp.messageCode ?? 0;
    if (code >= MessageCode.ASSERT_INTA && code <= MessageCode.ASSERT_INTD) {
      this.#lsi.assert(code - MessageCode.ASSERT_INTA);
      return 'taken';
    }
    if (code >= MessageCode.DEASSERT_INTA && code <= MessageCode.DEASSERT_INTD) {
      this.#lsi.deassert(code - MessageCode.DEASSERT_INTA);
      return 'taken';
    }
    const event = MESSAGE_EVENTS[code];
    if (event === undefined) return IGNORED_MESSAGES.includes(code) ? 'ignored' : 'unsupported';
    this.#error(event, tlp.requesterId);
    return 'taken';
  }

  #error(event: ErrorEventName, requesterId: number): void {
    const pe = this.#ridToPe.lookup(requesterId);
    if (pe >= 0) this.#errors.raise({ event, pe, requesterId });
    else this.#errors.raise({ event: RID_EVENTS[pe as RidFailure], type: 'other', requesterId });
  }
}
