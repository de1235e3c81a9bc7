/**
 * The slot of a PHB3: hot, fundamental and complete reset of everything below the root port.
 * Source: skiboot hw/phb3.c: phb3_hreset, phb3_freset, phb3_creset, phb3_poll_link, phb3_retry_state.
 * Facts: ioda2-phb3 7.11, opal-pci 6.6.
 */
import { ALL_ONES, getField } from '../../hw/bits.js';
import { NFIR_FORCED_FENCE } from '../../ioda2/error-bits/nfir.js';
import { PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS } from '../../ioda2/registers/pbcq.js';
import { BRIDGE_CONTROL_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import { word } from '../field-words.js';
import { OpalStatus, Presence } from '../opal-api.js';
import type { SlotStateResult } from '../opal-results.js';
import type { LinkDirection, PciHost } from '../pci-host.js';
import { CONFIG } from '../pci-registers.js';
import { restoreDevices } from '../pci-restore.js';
import { ROOT_PORT } from '../root-port.js';
import { Slot, SlotState } from '../slot.js';
import { phbBits } from './access.js';
import { updateConfig } from './config.js';
import { initPhb3 } from './init.js';
import { electricalPresence, linkActive, linkWidth, phbPresence, prepareLinkDown, prepareLinkUp } from './link.js';
import type { Phb3 } from './phb3.js';

const HOT_ASSERT_MS = 1000;
const HOT_SETTLE_MS = 1000;
const PERST_ASSERT_MS = 1000;
const PERST_SETTLE_MS = 1000;
const LINK_POLL_MS = 100;
const LINK_RETRIES = 20;
const CQ_POLL_MS = 10;
const CQ_RETRIES = 500;
const CQ_IDLE_MS = 100;
const REINIT_MS = 100;

const PERST_RELEASED = phbBits('PHB_RESET', 'PERST');
const BRIDGE_CONTROL = { bdfn: ROOT_PORT, offset: CONFIG.BRIDGE_CONTROL, size: 2 } as const;
const OUTSTANDING = PBCQ_NEST_REGISTERS.field('CQ_STATUS', 'OUTSTANDING').at;

export class Phb3Slot extends Slot {
  /** Where a link that does not come up starts once more. Armed by a fundamental reset, disarmed by a time-out only. */
  private retryState: number = SlotState.NORMAL;
  private savedNfir = 0n;

  constructor(
    private readonly phb: Phb3,
    private readonly pci: PciHost,
  ) {
    super(pci);
  }

  override *presence(): Process<SlotStateResult> {
    return yield* phbPresence(this.phb);
  }

  override *linkWidth(): Process<number> {
    return yield* linkWidth(this.phb);
  }

  override *prepareLinkChange(direction: LinkDirection): Process<void> {
    if (direction === 'down') return yield* prepareLinkDown(this.phb, 'phb');
    yield* prepareLinkUp(this.phb, 'phb');
    yield* restoreDevices(this.pci, this.phb.devices);
  }

  /** A PHB that cannot tell is taken for one with a card. */
  private *cardPresent(): Process<boolean> {
    const { rc, state } = yield* phbPresence(this.phb);
    return rc !== OpalStatus.SUCCESS || state === Presence.PRESENT;
  }

  override *hotReset(): Process<number> {
    switch (this.state) {
      case SlotState.NORMAL:
        if (!(yield* this.cardPresent())) return OpalStatus.SUCCESS;
        yield* this.prepareLinkChange('down');
        yield* updateConfig(this.phb, BRIDGE_CONTROL, { set: BRIDGE_CONTROL_FIELDS.SECONDARY_BUS_RESET });
        return this.continueIn(SlotState.HOT_DELAY, HOT_ASSERT_MS);
      case SlotState.HOT_DELAY:
        yield* updateConfig(this.phb, BRIDGE_CONTROL, { clear: BRIDGE_CONTROL_FIELDS.SECONDARY_BUS_RESET });
        return this.continueIn(SlotState.HOT_DELAY2, HOT_SETTLE_MS);
      case SlotState.HOT_DELAY2:
        return this.startLink();
      default:
        return this.unexpectedState('');
    }
  }

  override *fundamentalReset(): Process<number> {
    switch (this.state) {
      case SlotState.NORMAL:
        if (!(yield* this.cardPresent())) return OpalStatus.SUCCESS;
        this.retryState = SlotState.FUNDAMENTAL_START;
        yield* this.prepareLinkChange('down');
        return yield* this.assertPerst();
      case SlotState.FUNDAMENTAL_START:
        return yield* this.assertPerst();
      case SlotState.FUNDAMENTAL_ASSERT_DELAY:
        return yield* this.releasePerst();
      case SlotState.FUNDAMENTAL_DEASSERT_DELAY:
        return this.startLink();
      default:
        return this.unexpectedState('');
    }
  }

  private *assertPerst(): Process<number> {
    const { phb } = this;
    if (phb.skipPerst) {
      phb.skipPerst = false;
      return yield* this.releasePerst();
    }
    const lines = yield* phb.access.read('PHB_RESET');
    yield* phb.access.write('PHB_RESET', ALL_ONES & lines & ~PERST_RELEASED);
    return this.continueIn(SlotState.FUNDAMENTAL_ASSERT_DELAY, PERST_ASSERT_MS);
  }

  private *releasePerst(): Process<number> {
    const lines = yield* this.phb.access.read('PHB_RESET');
    yield* this.phb.access.write('PHB_RESET', lines | PERST_RELEASED);
    return this.continueIn(SlotState.FUNDAMENTAL_DEASSERT_DELAY, PERST_SETTLE_MS);
  }

  private startLink(): number {
    this.retries = LINK_RETRIES;
    return this.continueIn(SlotState.LINK_WAIT_ELECTRICAL, LINK_POLL_MS);
  }

  protected override *pollLink(): Process<number> {
    switch (this.state) {
      case SlotState.LINK_WAIT_ELECTRICAL:
        if (yield* electricalPresence(this.phb)) {
          this.retries = LINK_RETRIES;
          return this.continueIn(SlotState.LINK_WAIT, LINK_POLL_MS);
        }
        return yield* this.retryLink('No link detected');
      case SlotState.LINK_WAIT:
        if (yield* linkActive(this.phb)) return yield* this.linkUp();
        return yield* this.retryLink('Link not up');
      default:
        return this.unexpectedState('');
    }
  }

  private *linkUp(): Process<number> {
    yield* this.prepareLinkChange('up');
    if (this.phb.profile.armedRetry === 'corrected') this.retryState = SlotState.NORMAL;
    return this.finished();
  }

  /** The retries are counted down after the test: 21 polls in all. */
  private *retryLink(problem: string): Process<number> {
    if (this.retries-- > 0) return this.continueIn(this.state, LINK_POLL_MS);
    this.phb.log(problem);
    if (this.retryState !== SlotState.NORMAL) {
      this.state = this.retryState;
      this.retryState = SlotState.NORMAL;
      return yield* this.fundamentalReset();
    }
    if (this.phb.profile.linkTimeoutBlock === 'corrected') this.phb.configBlocked = false;
    return this.linkTimedOut();
  }

  override *completeReset(): Process<number> {
    switch (this.state) {
      case SlotState.NORMAL:
      case SlotState.COMPLETE_START:
        return yield* this.fenceAndReset();
      case SlotState.COMPLETE_WAIT_CQ:
        return yield* this.awaitQueue();
      case SlotState.COMPLETE_REINIT:
        this.phb.aibFenced = false;
        return yield* this.reinitialise();
      case SlotState.COMPLETE_FUNDAMENTAL:
        this.state = SlotState.NORMAL;
        return yield* this.fundamentalReset();
      default:
        return this.unexpectedState('');
    }
  }

  /** A failure leaves the PHB broken, and the call none the wiser. */
  private *reinitialise(): Process<number> {
    const rc = yield* initPhb3(this.phb, 'reset');
    if (rc !== OpalStatus.SUCCESS && this.phb.profile.failedReinit === 'corrected') return this.finished(rc);
    return this.continueIn(SlotState.COMPLETE_FUNDAMENTAL, REINIT_MS);
  }

  private *fenceAndReset(): Process<number> {
    const { phb } = this;
    yield* phb.access.writeNest('ERROR_INJECT', 0n);
    if (!(yield* phb.checkFence())) yield* phb.access.writeNest('NFIR_OR', NFIR_FORCED_FENCE);
    // Firmware would leave CAPI mode here; this one never enters it.
    yield* phb.access.readSpci('AIB_CAPP_ENABLE');
    this.savedNfir = yield* phb.access.readNest('NFIR');
    yield* phb.access.writePci('ETU_RESET', word(PBCQ_PCI_REGISTERS, 'ETU_RESET', { RESET: 1 }));
    this.retries = CQ_RETRIES;
    return this.continueIn(SlotState.COMPLETE_WAIT_CQ, CQ_POLL_MS);
  }

  private *awaitQueue(): Process<number> {
    const { access } = this.phb;
    // Read for the side effect of the real register only.
    for (const report of ['CERR_REPORT0', 'CERR_REPORT1', 'CERR_REPORT2'] as const) yield* access.readNest(report);
    const status = yield* access.readNest('CQ_STATUS');
    if (getField(status, OUTSTANDING) === 0n) {
      yield* access.writeNest('NFIR_AND', ALL_ONES & ~this.savedNfir);
      return this.continueIn(SlotState.COMPLETE_REINIT, CQ_IDLE_MS);
    }
    if (this.retries-- > 0) return this.continueIn(SlotState.COMPLETE_WAIT_CQ, CQ_POLL_MS);
    this.phb.log('Timeout waiting for pending transaction');
    if (this.phb.profile.queueTimeout === 'corrected') return this.finished(OpalStatus.HARDWARE);
    // The state stays: another poll looks once more.
    return OpalStatus.HARDWARE;
  }
}
