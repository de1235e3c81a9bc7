/**
 * The registers of a port that owns a link below it: their live bits, and what a write to them does to the link.
 * Shared by root ports and switch downstream ports. Source: PCI Express base specification 7.8.6 to 7.8.11;
 * facts: ioda2-phb3 7.10, 7.11.1.
 */
import { decodeSize, LNKCTL_FIELDS, LNKSTA_FIELDS, linkStatusOf, SLTSTA_FIELDS } from './capabilities.js';
import type { ConfigSpace } from './config-space.js';
import type { Link } from './link.js';
import type { LinkSpeed } from './link-profile.js';
import type { PortRegister, SlotEvents } from './slot-events.js';

/** Connects the configuration registers of a port with its link, and with its interrupt if its slot has one. */
export function bindPortToLink(config: ConfigSpace<PortRegister>, link: Link, events?: SlotEvents): void {
  const reportsActive = config.has('LNKCAP', 'DLL_ACTIVE');
  const hasSlot = config.has('PCIE_FLAGS', 'SLOT');
  config.hook('LNKSTA', { onRead: (stored) => (stored & ~LINK_LIVE) | linkStatus(link, reportsActive) });
  config.hook('SLTSTA', {
    onRead: (stored) => (stored & ~SLTSTA_FIELDS.PRESENCE) | presence(config, link, hasSlot),
    ...(events === undefined ? {} : { onWrite: () => events.update() }),
  });
  config.hook('BRIDGE_CONTROL', {
    onWrite: () => link.setHotReset(config.has('BRIDGE_CONTROL', 'SECONDARY_BUS_RESET') ? 'asserted' : 'released'),
  });
  config.hook('LNKCTL', { onWrite: (_value, _old, written) => controlLink(config, link, written) });
  config.hook('LNKCTL2', { onWrite: () => link.setTargetSpeed(targetSpeed(config, link)) });
  config.hook('DEVCTL', { onWrite: () => link.setMaxPayload(decodeSize(config.field('DEVCTL', 'MAX_PAYLOAD'))) });
  if (hasSlot) link.onChange(changeLatch(config, events));
  if (hasPowerController(config) || events !== undefined) {
    config.hook('SLTCTL', { onWrite: () => controlSlot(config, link, events) });
  }
}

/** After the port's registers were reset, the link must follow what they now say. */
export function followRegisters(config: ConfigSpace<PortRegister>, link: Link): void {
  link.setHotReset(config.has('BRIDGE_CONTROL', 'SECONDARY_BUS_RESET') ? 'asserted' : 'released');
  link.setDisabled(config.has('LNKCTL', 'DISABLE') ? 'disabled' : 'enabled');
  link.setTargetSpeed(targetSpeed(config, link));
  link.setMaxPayload(decodeSize(config.field('DEVCTL', 'MAX_PAYLOAD')));
  if (hasPowerController(config)) link.setSlotPower(slotPower(config));
}

/** Without one the bit in slot control is nobody's (7.8.10). */
const hasPowerController = (config: ConfigSpace<PortRegister>): boolean =>
  config.has('PCIE_FLAGS', 'SLOT') && config.has('SLTCAP', 'POWER_CONTROLLER');
const slotPower = (config: ConfigSpace<PortRegister>): 'on' | 'off' =>
  config.has('SLTCTL', 'POWER_OFF') ? 'off' : 'on';

/** The command is begun before the link hears of it, so that a change it makes is an event of its own. */
function controlSlot(config: ConfigSpace<PortRegister>, link: Link, events: SlotEvents | undefined): void {
  events?.startCommand();
  if (hasPowerController(config)) link.setSlotPower(slotPower(config));
}

const LINK_LIVE = LNKSTA_FIELDS.SPEED | LNKSTA_FIELDS.WIDTH | LNKSTA_FIELDS.TRAINING | LNKSTA_FIELDS.DLL_ACTIVE;

function linkStatus(link: Link, reportsActive: boolean): number {
  const active = link.isUp && reportsActive ? LNKSTA_FIELDS.DLL_ACTIVE : 0;
  return linkStatusOf(link) | (link.training ? LNKSTA_FIELDS.TRAINING : 0) | active;
}

/** Without a slot the presence bit is hardwired to 1 unless the port says otherwise (7.8.11). */
function presence(config: ConfigSpace<PortRegister>, link: Link, hasSlot: boolean): number {
  const always = !hasSlot && config.layout.SLTSTA.reset === SLTSTA_FIELDS.PRESENCE;
  return always || link.cardInserted ? SLTSTA_FIELDS.PRESENCE : 0;
}

/** Retrain is a command: the bit stores nothing and always reads 0. */
function controlLink(config: ConfigSpace<PortRegister>, link: Link, written: number): void {
  link.setDisabled(config.has('LNKCTL', 'DISABLE') ? 'disabled' : 'enabled');
  if ((written & LNKCTL_FIELDS.RETRAIN) !== 0) link.retrain();
}

function targetSpeed(config: ConfigSpace<PortRegister>, link: Link): LinkSpeed {
  const asked = config.field('LNKCTL2', 'TARGET_SPEED');
  return asked === 1 || asked === 2 || asked === 3 ? asked : link.options.maxSpeed;
}

/** Latches the slot's change bits; remembers what was there before. */
function changeLatch(config: ConfigSpace<PortRegister>, events: SlotEvents | undefined): (link: Link) => void {
  const reportsActive = config.has('LNKCAP', 'DLL_ACTIVE');
  let card = false;
  let active = false;
  return (link) => {
    if (card !== link.cardInserted) config.or('SLTSTA', SLTSTA_FIELDS.PRESENCE_CHANGED);
    if (reportsActive && active !== link.isUp) config.or('SLTSTA', SLTSTA_FIELDS.DLL_CHANGED);
    card = link.cardInserted;
    active = link.isUp;
    events?.update();
  };
}
