/**
 * What keeps a link from training: PERST, a slot without power, the secondary bus reset of the port above, a disabled link.
 * They act together; only what changes the whole reaches the link. Source: PCI Express base specification 4.2.5.11, 6.6.1.
 */
import type { LinkState } from './link-state.js';

/** The link goes to rest in this state, and what is below it is reset. */
export interface LinkHeld {
  readonly rest: LinkState;
  readonly reset: 'fundamental' | 'hot';
}

/** The link may look for a receiver again. */
export interface LinkReleased {
  /** After power or PERST the receiver takes as long as at power-on. */
  readonly detect: 'from-power-on' | 'again';
  /** What is below is still in reset by another cause, or out of it. */
  readonly below: 'in-reset' | 'released';
}

export type HoldChange = LinkHeld | LinkReleased | undefined;

const REDETECT: LinkReleased = { detect: 'again', below: 'released' };

export class LinkHolds {
  private perst: 'asserted' | 'deasserted' = 'asserted';
  private power: 'on' | 'off' = 'on';
  private hotReset: 'asserted' | 'released' = 'released';
  private disabled = false;

  /** Nothing below the link is alive. */
  get areFundamental(): boolean {
    return this.perst === 'asserted' || this.power === 'off';
  }

  get slotPower(): 'on' | 'off' {
    return this.power;
  }

  /** Where a link is that does not train. */
  get rest(): LinkState {
    if (this.hotReset === 'asserted') return 'hot-reset';
    return this.disabled ? 'disabled' : 'detect';
  }

  setPerst(level: 'asserted' | 'deasserted'): HoldChange {
    if (level === this.perst) return undefined;
    this.perst = level;
    return this.power === 'on' ? this.fundamental(level) : undefined;
  }

  /** A card without power is as one in fundamental reset. */
  setSlotPower(power: 'on' | 'off'): HoldChange {
    if (power === this.power) return undefined;
    this.power = power;
    if (this.perst === 'asserted') return undefined;
    return this.fundamental(power === 'off' ? 'asserted' : 'deasserted');
  }

  setHotReset(level: 'asserted' | 'released'): HoldChange {
    if (level === this.hotReset) return undefined;
    this.hotReset = level;
    if (this.areFundamental) return undefined;
    return level === 'asserted' ? { rest: 'hot-reset', reset: 'hot' } : REDETECT;
  }

  /** A disabled link resets what is below it as a hot reset does. */
  setDisabled(state: 'disabled' | 'enabled'): HoldChange {
    const disabled = state === 'disabled';
    if (disabled === this.disabled) return undefined;
    this.disabled = disabled;
    if (this.areFundamental || this.hotReset === 'asserted') return undefined;
    return disabled ? { rest: 'disabled', reset: 'hot' } : REDETECT;
  }

  private fundamental(reset: 'asserted' | 'deasserted'): HoldChange {
    if (reset === 'asserted') return { rest: 'detect', reset: 'fundamental' };
    return { detect: 'from-power-on', below: this.hotReset === 'released' ? 'released' : 'in-reset' };
  }
}
