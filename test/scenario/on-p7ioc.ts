/** What it takes to read a scenario of a PHB3 as one of a P7IOC, and why some of them do not go as they say there. */

/** Buses are handed out in aligned ranges: behind a switch the cards stand on other ones. */
const CARD_BUSES: readonly string[] = ['20', '40', '60', '80', 'a0', 'c0', 'e0'];
const FIRST_CARD_BUS = 3;

/** Names that depend on the chip: numbers of PEs, of buses behind a switch, and the title of a dump. */
export function namesOfP7ioc(text: string): string {
  return text
    .replaceAll(/\bPE#f([0-9a-f])\b/g, 'PE#7$1')
    .replaceAll(/\b(000[0-9]):0([3-9]):/g, (whole, domain: string, bus: string) => {
      const other = CARD_BUSES[Number(bus) - FIRST_CARD_BUS];
      return other === undefined ? whole : `${domain}:${other}:`;
    })
    .replaceAll('PHB3 PHB#', 'P7IOC PHB#');
}

const HOTPLUG = 'Linux registers no hotplug slot below these bridges';
const SEGMENTS = 'firmware takes no DMA segment back, so that a card has none after a replug';
const POWER = 'a fundamental reset turns slot power off and on, and takes seconds longer';
const VECTOR = 'firmware names the wrong PE in group vectors: one that nobody has freezes too, and is heard of first';
const BROKEN = 'firmware gives up the bridge without an error to whoever asks about its PEs';

/** By name of the scenario. */
export const NOT_ON_P7IOC: Readonly<Record<string, string>> = {
  'broken-bridge-after-a-config-read': BROKEN,
  'broken-bridge-after-a-device-check': BROKEN,
  'cards-gone-before-an-operator-looks': VECTOR,
  'completer-abort-on-load': 'a bit of PESTA of its own tells an MMIO operation',
  'dead-bridge': BROKEN,
  'disk-beside-a-failing-card': SEGMENTS,
  'driver-says-recovered-too-early': 'Linux thaws MMIO before it collects its log, and the driver reads again',
  'driver-unaware-of-errors': SEGMENTS,
  'driver-without-slot-reset': SEGMENTS,
  'every-driver-below-a-fenced-bridge': POWER,
  'every-driver-by-config-read': POWER,
  'every-driver-by-device-check': POWER,
  'every-driver-by-force': POWER,
  'every-driver-by-interrupt': VECTOR,
  'every-driver-by-load': POWER,
  'every-driver-without-its-card': VECTOR,
  'exchanged-in-a-hotplug-slot': HOTPLUG,
  'fatal-error-above-the-slots': VECTOR,
  'fenced-bridges-found-by-an-operator': POWER,
  'forced-recovery-breaks-a-bridge': BROKEN,
  'fundamental-reset-revives-a-deaf-card': POWER,
  'informative-error-only': 'an error that was corrected is logged and tells nobody',
  'link-bounces-in-a-hotplug-slot': HOTPLUG,
  'link-dies-and-the-card-stays': 'before a hot reset the bridge turns its transmitter off, so a dead link sees none',
  'malformed-packet-is-fatal': 'the core of the bridge reports it, and every PE freezes before a message comes',
  'operator-takes-a-card-out-and-in': SEGMENTS,
  'pulled-from-a-hotplug-slot': HOTPLUG,
  'removed-while-it-recovers': SEGMENTS,
  'reset-that-never-ends': BROKEN,
  'slow-link-after-reset': 'its links never had 8 GT/s',
  'two-bridges-fenced-at-once': SEGMENTS,
};
