/** EEH events as Linux tells them: detection, call trace, device dump, recovery steps, outcome. Facts: eeh-linux 12, 13. */

/** Configuration words that the kernel dumped before the recovery. */
export interface ConfigDump {
  /** Vendor in the low half, device in the high half. */
  id: number | undefined;
  /** Status in the high half, command in the low half. */
  commandStatus: number | undefined;
  /** Doublewords of the PCI Express capability, by their offset in it. */
  readonly express: Map<number, number>;
  /** Doublewords of the AER capability, by their offset in it. */
  readonly aer: Map<number, number>;
}

export interface EehDevice {
  /** "0030:0d:00.0" */
  readonly address: string;
  readonly driver: string | undefined;
  readonly pe: number | undefined;
  readonly config?: ConfigDump;
}

export type EehOutcome = 'recovered' | 'not-recovered' | 'unknown';
export type EehKind = 'frozen' | 'fenced' | 'dead' | 'informative';

export interface RecoveryStep {
  readonly line: number;
  readonly text: string;
}

export interface EehEvent {
  readonly kind: EehKind;
  readonly phb: number;
  readonly pe: number | undefined;
  line: number;
  lastLine: number;
  readonly devices: EehDevice[];
  location: string | undefined;
  outcome: EehOutcome;
  /** All config words read as ones: the device does not answer. */
  deviceGone: boolean;
  /** How far the kernel's own dump of the device got. */
  stage: 'detected' | 'device-dump' | 'recovery';
  failures: number | undefined;
  limit: number | undefined;
  permanentlyDisabled: boolean;
  /** Functions of the call trace, innermost first: "ipr_reset_enable_ioa". */
  readonly trace: string[];
  readonly steps: RecoveryStep[];
  /** What drivers and the PCI core complained of while the recovery ran. */
  readonly complaints: RecoveryStep[];
  /** Kinds of opening line already read, so that a second one opens another event. */
  readonly openings: Set<string>;
}

const hex = (text: string): number => Number.parseInt(text, 16);

/** Steps and complaints kept of one event: a device that complains for hours tells nothing new. */
const KEPT = 64;

interface Opening {
  readonly mark: string;
  readonly kind: EehKind;
  readonly phb: number;
  readonly pe?: number;
}

/** The line that opens an event, in the words of every kernel version. */
function openingOf(text: string): Opening | undefined {
  if (!text.includes('PHB#')) return undefined;
  const both = /EEH: (Recovering|Frozen) PHB#([0-9a-f]{1,8})-PE#([0-9a-f]{1,8})/.exec(text);
  if (both) return { mark: both[1]!, kind: 'frozen', phb: hex(both[2]!), pe: hex(both[3]!) };
  const old = /EEH: Frozen PE#([0-9a-f]{1,8}) on PHB#([0-9a-f]{1,8})/.exec(text);
  if (old) return { mark: 'Frozen', kind: 'frozen', phb: hex(old[2]!), pe: hex(old[1]!) };
  const bridge = /EEH: (Fenced|dead|Recovering) PHB#([0-9a-f]{1,8})(?![-0-9a-f])/.exec(text);
  if (bridge) return { mark: bridge[1]!, kind: bridge[1] === 'dead' ? 'dead' : 'fenced', phb: hex(bridge[2]!) };
  const informative = /EEH: PHB#([0-9a-f]{1,8}) informative error/.exec(text);
  return informative ? { mark: 'informative', kind: 'informative', phb: hex(informative[1]!) } : undefined;
}

/** Above the call trace of a fence the kernel names the PE of the whole bridge. Source: linux eeh_driver.c: eeh_handle_normal_event. */
function isStackOfFence(last: EehEvent, { mark, kind, phb, pe }: Opening): boolean {
  const follows = last.kind === 'fenced' && last.stage === 'detected' && last.phb === phb;
  return follows && mark === 'Frozen' && kind === 'frozen' && pe === 0;
}

const STEP_PATTERNS: readonly RegExp[] = [
  /EEH: (Finished:'[^']{1,60}'(?: with aggregate recovery state:'[^']{1,30}')?)/,
  /EEH: (Reset with(?:out)? hotplug activity)/,
  /EEH: (Enable I\/O for affected devices|Enabled DMA for affected devices)/,
  /EEH: (Recovery successful)/,
  /EEH: (Unable to recover from failure)/,
  /EEH: (Failure \d+ resetting .{1,60})/,
  /EEH: (.{1,30}: (?:Successful reset|Slot inactive after reset).{0,40})/,
  /EEH: (Unrecoverable slot failure)/,
  /EEH: (Removing .{1,40} without EEH sensitive driver)/,
];
/** Who said it, then what. */
const COMPLAINTS =
  /((?:[\w-]{1,20} )?[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d|nvme nvme\d+): (not ready \d+ms after bus reset; giving up|Unable to change power state.{1,60}|Disabling device after reset failure.{0,20}|Unable to reset, err=.{1,8}|reflashing, so opting out of EEH)/;

function isComplaint(text: string): boolean {
  return text.includes('reset') || text.includes('power state') || text.includes('reflash');
}

/** Said once at boot, of no event. */
const BOOT_WORDS = /EEH: (?:PowerNV platform|pSeries platform|Capable adapter|No capable adapters|Recovery disabled)/;

/** Words of the lines that say how a recovery goes on: each step, and the state of the event, has one of them. */
const PROGRESS_WORDS = [
  'Finished',
  'Reset with',
  'Beginning',
  'Enable',
  'recover',
  'Recovery',
  'Failure',
  ' reset',
  'Removing',
  'failed',
  'driver reports',
  'Notify',
  'Collect',
  'permanent',
] as const;

export class EehReader {
  readonly events: EehEvent[] = [];
  #device: ConfigDump | undefined;

  read(number: number, text: string): void {
    const opening = openingOf(text);
    if (opening !== undefined) this.#open(opening, number);
    const event = this.#eventOf(text);
    if (event === undefined || BOOT_WORDS.test(text)) return;
    event.lastLine = Math.max(event.lastLine, number);
    if (text.includes('EEH: [')) this.#readTrace(event, text);
    if (text.includes('PE location:')) this.#readLocation(event, text);
    if (text.includes('EEH: of node=')) this.#readNode(event, text);
    if (text.includes('EEH: PCI')) this.#readConfig(event, text);
    if (text.includes('Invoking') || text.includes('driver reports')) this.#readDriver(event, text);
    if (PROGRESS_WORDS.some((word) => text.includes(word))) this.#readProgress(event, number, text);
  }

  /** Lines of drivers and of the PCI core, which do not say EEH. */
  readComplaint(number: number, text: string): void {
    const event = this.events.at(-1);
    if (event === undefined || event.complaints.length >= KEPT || !isComplaint(text)) return;
    const found = COMPLAINTS.exec(text);
    if (found === null) return;
    event.complaints.push({ line: number, text: `${found[1]}: ${found[2]}` });
  }

  #eventOf(text: string): EehEvent | undefined {
    if (!text.includes('-PE#')) return this.events.at(-1);
    const named = /PHB#([0-9a-f]{1,8})-PE#([0-9a-f]{1,8})/.exec(text);
    if (named === null) return this.events.at(-1);
    const [phb, pe] = [hex(named[1]!), hex(named[2]!)];
    return this.events.findLast((event) => event.phb === phb && event.pe === pe) ?? this.events.at(-1);
  }

  /** "Recovering" and "Frozen" name the same event twice; the same words again open another. */
  #open(opening: Opening, line: number): void {
    const { mark, kind, phb, pe } = opening;
    const last = this.events.at(-1);
    if (last !== undefined && isStackOfFence(last, opening)) return;
    const same = last !== undefined && last.kind === kind && last.phb === phb && last.pe === pe;
    if (same && (last.stage === 'detected' || !last.openings.has(mark))) {
      last.openings.add(mark);
      return;
    }
    this.#device = undefined;
    this.events.push({
      kind,
      phb,
      pe,
      line,
      lastLine: line,
      devices: [],
      location: undefined,
      outcome: 'unknown',
      deviceGone: false,
      stage: 'detected',
      failures: undefined,
      limit: undefined,
      permanentlyDisabled: false,
      trace: [],
      steps: [],
      complaints: [],
      openings: new Set([mark]),
    });
  }

  #readTrace(event: EehEvent, text: string): void {
    const frame = /EEH: \[[^\]]{1,20}\] ([A-Za-z_][\w.]{0,60})\+0x/.exec(text)?.[1];
    if (frame !== undefined && event.trace.length < KEPT) event.trace.push(frame);
  }

  #readLocation(event: EehEvent, text: string): void {
    const location = /EEH: PE location: ([^,]{1,80})(?:,|$)/.exec(text)?.[1];
    if (location !== undefined && location !== 'N/A') event.location = location;
  }

  #readDriver(event: EehEvent, text: string): void {
    const named =
      /PCI ([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d)#([0-9a-f]{1,8}): EEH: (?:Invoking (\w[\w-]{0,40})->|(\w[\w-]{0,40}) driver reports)/.exec(
        text,
      );
    if (named) addDevice(event, { address: named[1]!, pe: hex(named[2]!), driver: named[3] ?? named[4]! });
  }

  #readNode(event: EehEvent, text: string): void {
    const node = /EEH: of node=([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d)/.exec(text);
    if (node === null) return;
    this.#device = { id: undefined, commandStatus: undefined, express: new Map(), aer: new Map() };
    addDevice(event, { address: node[1]!, pe: event.pe, driver: undefined, config: this.#device });
    event.stage = 'device-dump';
  }

  #readConfig(event: EehEvent, text: string): void {
    const id = /EEH: PCI device\/vendor: ([0-9a-f]{8})/.exec(text)?.[1];
    if (id === 'ffffffff') event.deviceGone = true;
    if (this.#device === undefined) return;
    if (id !== undefined) this.#device.id = hex(id);
    const command = /EEH: PCI cmd\/status register: ([0-9a-f]{8})/.exec(text)?.[1];
    if (command !== undefined) this.#device.commandStatus = hex(command);
    const row = /EEH: PCI-E (AER )?([0-9a-f]{2}): ((?:[0-9a-f]{8} ?){1,4})/.exec(text);
    if (row === null) return;
    const into = row[1] === undefined ? this.#device.express : this.#device.aer;
    for (const [i, word] of row[3]!.trim().split(' ').entries()) into.set(hex(row[2]!) + i * 4, hex(word));
  }

  #readProgress(event: EehEvent, line: number, text: string): void {
    const failed = /has failed (\d{1,9}) times in the last hour(?: and will be permanently disabled after (\d{1,9}))?/;
    const times = failed.exec(text);
    if (times) {
      event.failures = Number(times[1]);
      if (times[2] !== undefined) event.limit = Number(times[2]);
    }
    if (/has failed \d{1,9} times in the last hour and has been/.test(text)) event.permanentlyDisabled = true;
    const reports = /EEH: ([\w-]{1,40}) driver reports: '(.{1,30}?)'/.exec(text);
    if (reports) this.#step(event, line, `${reports[1]}: ${reports[2]}`);
    for (const pattern of STEP_PATTERNS) {
      const step = pattern.exec(text)?.[1];
      if (step !== undefined) this.#step(event, line, step);
    }
    if (/EEH: (?:Reset with|Beginning: 'slot_reset')/.test(text)) event.stage = 'recovery';
    const dumping = /EEH: (?:Notify device drivers|This PCI device has failed|Collect temporary)/.test(text);
    if (dumping && event.stage === 'detected') event.stage = 'device-dump';
    if (/EEH: Recovery successful/.test(text)) event.outcome = 'recovered';
    if (/EEH: (?:Unable to recover|Unrecoverable slot)|permanent failure/.test(text)) event.outcome = 'not-recovered';
    if (event.permanentlyDisabled) event.outcome = 'not-recovered';
  }

  #step(event: EehEvent, line: number, text: string): void {
    if (event.steps.length < KEPT) event.steps.push({ line, text });
  }
}

function addDevice(event: EehEvent, device: EehDevice): void {
  const index = event.devices.findIndex((known) => known.address === device.address);
  if (index < 0) {
    event.devices.push(device);
    return;
  }
  const known = event.devices[index]!;
  const config = device.config ?? known.config;
  event.devices[index] = {
    address: device.address,
    pe: device.pe ?? known.pe,
    driver: device.driver ?? known.driver,
    ...(config === undefined ? {} : { config }),
  };
}
