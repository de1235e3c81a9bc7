/** Every kind of event an explanation can end in: its name, its sentence, who is suspect, what to try. Facts: phb4-diag 5.1. */
import type { CauseSignal } from './signals.js';

/** Words for the sentence, already in plain text. */
export interface Subject {
  /** "PE 1fa" or "a PE" */
  readonly pe: string;
  /** "DMA read", "DMA write" or "DMA" */
  readonly access: string;
  /** " at PCI address 0x…" or "" */
  readonly at: string;
  /** Answering or sending function, "02:06.0". */
  readonly rid: string | undefined;
  /** Config target, "0e:00.0 register 0x010". */
  readonly configTarget: string | undefined;
  /** "a config read", "an MMIO load", "an MMIO load or config read", "a request" */
  readonly request: string;
  /** The chip has one bit for an abort and for an answer that never came. */
  readonly mayBeTimeout: boolean;
  /** The bit that decided, in words: "NEST_FIR[4] processor-bus data special UE". */
  readonly bit: string;
}

export type EventClass =
  | Exclude<CauseSignal, 'tce-permission' | 'completion-failed'>
  | 'dma-unmapped'
  | 'dma-permission'
  | 'dma-refused'
  | 'completion-error'
  | 'dead'
  | 'nest-fence'
  | 'link-down'
  | 'software-freeze'
  | 'link-noise'
  | 'corrected'
  | 'informational'
  | 'nothing-recorded';

export type Suspect =
  | 'driver'
  | 'driver or device'
  | 'device'
  | 'device or link'
  | 'link'
  | 'processor, memory or bus'
  | 'bridge hardware'
  | 'firmware or kernel'
  | 'an operator'
  | 'nobody'
  | 'unknown';

export interface EventDescription {
  readonly title: string;
  sentence(subject: Subject): string;
  readonly suspect: Suspect;
  readonly advice: readonly string[];
}

const from = (subject: Subject): string => (subject.rid === undefined ? '' : ` from ${subject.rid}`);

const DMA_MAPPING_ADVICE = [
  "Look at the driver's DMA mappings: a buffer unmapped too early or twice, a transfer longer than its mapping, a wrong DMA mask.",
];
const DEVICE_GONE_ADVICE = [
  'Check that the device is there and awake: card seated, power, not in reset or D3, memory decode on, BARs as the kernel set them.',
];
const HARDWARE_ADVICE = [
  'If it comes again, hand the dump with the firmware log to the hardware service: no driver can set these bits.',
];

export const EVENTS: Readonly<Record<EventClass, EventDescription>> = {
  dead: {
    title: 'bridge does not answer',
    sentence: () => 'Every register reads as ones: the bridge (or the path to it) does not answer any more.',
    suspect: 'bridge hardware',
    advice: [
      'Hand the firmware log to the hardware service. If other bridges went silent at the same time, what stands above them failed.',
    ],
  },
  injected: {
    title: 'injected error',
    sentence: (s) => `An error that somebody injected on purpose (err_injct or debugfs) hit ${s.pe}.`,
    suspect: 'an operator',
    advice: ['Nothing is broken: compare with what the test meant to inject.'],
  },
  'dma-unmapped': {
    title: 'DMA to an unmapped page',
    sentence: (s) =>
      `A ${s.access} by the device in ${s.pe}${s.at} hit a page that its IOMMU table does not map; the bridge refused it.`,
    suspect: 'driver or device',
    advice: DMA_MAPPING_ADVICE,
  },
  'dma-permission': {
    title: 'DMA without permission',
    sentence: (s) =>
      `A ${s.access} by the device in ${s.pe}${s.at} hit a page that is mapped for the other direction only.`,
    suspect: 'driver or device',
    advice: ['Look at the direction the driver mapped the buffer for (DMA_TO_DEVICE, DMA_FROM_DEVICE).'],
  },
  'dma-refused': {
    title: 'DMA refused by the IOMMU',
    sentence: (s) =>
      `A ${s.access} by the device in ${s.pe}${s.at} hit a page that is unmapped or mapped for the other direction.`,
    suspect: 'driver or device',
    advice: DMA_MAPPING_ADVICE,
  },
  'dma-out-of-window': {
    title: 'DMA outside the window',
    sentence: (s) => `A ${s.access} by the device in ${s.pe}${s.at} is outside its DMA window.`,
    suspect: 'driver or device',
    advice: [],
  },
  'dma-no-window': {
    title: 'DMA without a window',
    sentence: (s) =>
      `A ${s.access} by the device in ${s.pe}${s.at} came while no DMA window was set up for that address.`,
    suspect: 'driver or device',
    advice: [
      'DMA before set-up or after tear-down, or a 64-bit address with the bypass window off: see when the driver starts and stops the device.',
    ],
  },
  'dma-window': {
    title: 'DMA outside any window',
    sentence: (s) => `A ${s.access} by the device in ${s.pe}${s.at} found no DMA window that covers it.`,
    suspect: 'driver or device',
    advice: DMA_MAPPING_ADVICE,
  },
  'dma-secure': {
    title: 'DMA to secure memory',
    sentence: (s) => `A ${s.access} by the device in ${s.pe}${s.at} touched a range reserved for secure memory.`,
    suspect: 'driver',
    advice: DMA_MAPPING_ADVICE,
  },
  'rid-without-pe': {
    title: 'request from an unknown function',
    sentence: (s) => `A DMA or interrupt came${from(s)} with a requester ID that belongs to no PE; it was dropped.`,
    suspect: 'device',
    advice: [
      'A bridge or function that the kernel did not assign sends requests: check bus numbers and virtual functions.',
    ],
  },
  'msi-wrong-pe': {
    title: "MSI for another PE's interrupt",
    sentence: (s) => `The device in ${s.pe} sent an MSI for an interrupt that belongs to another PE.`,
    suspect: 'driver or device',
    advice: ['Check MSI address and data in the device against what the kernel gave it, also after a reset.'],
  },
  'msi-malformed': {
    title: 'malformed MSI',
    sentence: () => 'An MSI write had a wrong size or alignment; the bridge treats that as fatal.',
    suspect: 'device',
    advice: [],
  },
  'msi-out-of-range': {
    title: 'MSI for no interrupt',
    sentence: (s) => `The device in ${s.pe} sent an MSI that names no interrupt source.`,
    suspect: 'driver or device',
    advice: ['Check MSI address and data in the device against what the kernel gave it, also after a reset.'],
  },
  poisoned: {
    title: 'poisoned data',
    sentence: (s) => `The device in ${s.pe} sent data it marked as bad (poisoned).`,
    suspect: 'device',
    advice: ['The device knew its data were wrong: look at its own error log.'],
  },
  'completion-ur': {
    title: 'Unsupported Request',
    sentence: (s) => `Nobody accepted ${s.request} to ${s.pe}: it was answered "Unsupported Request"${from(s)}.`,
    suspect: 'device or link',
    advice: DEVICE_GONE_ADVICE,
  },
  'completion-ca': {
    title: 'Completer Abort',
    sentence: (s) =>
      `The device in ${s.pe} ${s.mayBeTimeout ? 'aborted or did not answer' : 'aborted'} ${s.request} ("Completer Abort"${from(s)}).`,
    suspect: 'device',
    advice: ['The device refused an access it decodes: look at its firmware state and at what the driver read.'],
  },
  'completion-error': {
    title: 'failed completion',
    sentence: (s) => `${s.request[0]!.toUpperCase()}${s.request.slice(1)} to ${s.pe} came back refused or not at all.`,
    suspect: 'device or link',
    advice: DEVICE_GONE_ADVICE,
  },
  'completion-timeout': {
    title: 'completion timeout',
    sentence: (s) => `${s.request[0]!.toUpperCase()}${s.request.slice(1)} to ${s.pe} got no answer in time.`,
    suspect: 'device or link',
    advice: [
      'The device or its link was not ready, or hangs: give it more time after power-on or reset, try another slot, compare the link speed and width with what the slot can do.',
    ],
  },
  'completion-lost': {
    title: 'completion never came',
    sentence: (s) =>
      `${s.request[0]!.toUpperCase()}${s.request.slice(1)} to ${s.pe} never completed, and the PCIe core did not report it: the bridge's own longer timer ran out.`,
    suspect: 'device or link',
    advice: DEVICE_GONE_ADVICE,
  },
  'completion-unexpected': {
    title: 'unexpected completion',
    sentence: () => 'A completion arrived that answers no request.',
    suspect: 'device',
    advice: ['Often a late answer to a request that had already timed out.'],
  },
  'config-write-refused': {
    title: 'config write refused',
    sentence: (s) =>
      `A config write${s.configTarget === undefined ? '' : ` to ${s.configTarget}`} was answered with an error${from(s)}.`,
    suspect: 'device or link',
    advice: [
      'Old firmware (before skiboot 6.2) may freeze the wrong PE for this: trust the config address, not the PE number.',
    ],
  },
  'config-write-timeout': {
    title: 'config write timed out',
    sentence: (s) =>
      `A config write${s.configTarget === undefined ? '' : ` to ${s.configTarget}`} could not be completed in time.`,
    suspect: 'device or link',
    advice: DEVICE_GONE_ADVICE,
  },
  'config-request': {
    title: 'bad config request',
    sentence: () =>
      'A config access could not be made: link down, bridge in reset or fenced, or a bad request; a config write that timed out sets the same bit.',
    suspect: 'firmware or kernel',
    advice: [],
  },
  'link-lost': {
    title: 'link lost',
    sentence: () => 'The PCIe link went down while it was in use; all PEs behind it are frozen.',
    suspect: 'link',
    advice: [
      'Surprise removal, a device that reset itself, power or cable: see whether the link came back, and what the device did just before.',
    ],
  },
  'link-down': {
    title: 'link down',
    sentence: () => 'The PCIe link is down; no register says what brought it down.',
    suspect: 'link',
    advice: DEVICE_GONE_ADVICE,
  },
  'link-stuck': {
    title: 'link stuck',
    sentence: () => 'The link is up but nothing gets through: the device stopped giving credits.',
    suspect: 'device or link',
    advice: ['The device hangs with its link up: its firmware or a reset of the slot is the way.'],
  },
  'pcie-core': {
    title: 'PCIe core error',
    sentence: () =>
      'The PCIe core (UTL) raised an error; that freezes every PE of the bridge. A lost link is the usual reason.',
    suspect: 'link',
    advice: ['Look at the UtlSts and link words: bit 11 of the port word is "link down".'],
  },
  'message-fatal': {
    title: 'device reported a fatal error',
    sentence: (s) => `A device${from(s)} reported a fatal error (ERR_FATAL).`,
    suspect: 'device',
    advice: [
      "Read the AER registers of the sender in the log lines before the dump: they hold the device's own reason.",
    ],
  },
  'message-nonfatal': {
    title: 'device reported a non-fatal error',
    sentence: (s) => `A device${from(s)} reported an uncorrected, non-fatal error (ERR_NONFATAL).`,
    suspect: 'device',
    advice: [
      "Read the AER registers of the sender in the log lines before the dump: they hold the device's own reason.",
    ],
  },
  'message-correctable': {
    title: 'device reported a corrected error',
    sentence: (s) => `A device${from(s)} reported a corrected error (ERR_COR); nothing was lost.`,
    suspect: 'link',
    advice: ['Only worth a look when it repeats: then cable, riser and connector.'],
  },
  'malformed-tlp': {
    title: 'malformed packet',
    sentence: (s) => `The bridge received a packet that breaks the PCIe rules: ${s.bit}.`,
    suspect: 'device or link',
    advice: ['A device or switch fault; compare Max_Payload_Size along the path.'],
  },
  'outbound-dropped': {
    title: 'outbound request dropped',
    sentence: () => 'An MMIO or config request was dropped because the link could not send it (down or stuck).',
    suspect: 'device or link',
    advice: DEVICE_GONE_ADVICE,
  },
  'mmio-no-window': {
    title: 'MMIO to no window',
    sentence: () => 'The processor accessed an address that no MMIO window of this bridge covers.',
    suspect: 'driver',
    advice: ['A driver uses a BAR that was moved or unassigned.'],
  },
  'memory-timeout': {
    title: 'memory did not answer',
    sentence: (s) => `The processor-bus side did not answer the bridge in time: ${s.bit}.`,
    suspect: 'processor, memory or bus',
    advice: HARDWARE_ADVICE,
  },
  'table-bar-disabled': {
    title: 'table missing',
    sentence: () => 'The bridge needed one of its in-memory tables while the table was switched off.',
    suspect: 'firmware or kernel',
    advice: ['Look for DMA during reset or kexec: a device kept running while firmware set the bridge up.'],
  },
  migration: {
    title: 'migration table error',
    sentence: (s) => `A write met an invalid entry of the page migration table: ${s.bit}.`,
    suspect: 'firmware or kernel',
    advice: [],
  },
  'bad-register-access': {
    title: 'bad register access',
    sentence: (s) => `Software touched a bridge register that does not exist, or with a wrong size: ${s.bit}.`,
    suspect: 'firmware or kernel',
    advice: [],
  },
  'nest-hardware': {
    title: 'processor-bus or memory error',
    sentence: (s) => `The processor-bus side of the bridge reported a hardware error: ${s.bit}.`,
    suspect: 'processor, memory or bus',
    advice: HARDWARE_ADVICE,
  },
  capp: {
    title: 'CAPP error',
    sentence: () => 'The coherent accelerator proxy (CAPP) reported an error; the bridge fenced with it.',
    suspect: 'device',
    advice: ['Look at the accelerator card and its driver (cxl, ocxl) just before.'],
  },
  'forced-fence': {
    title: 'fence forced by software',
    sentence: () =>
      'Software fenced the bridge: firmware, as it does at the start of a complete reset, or a test that does the same.',
    suspect: 'nobody',
    advice: ['The reason is in an earlier dump, if there is one.'],
  },
  'nest-fence': {
    title: 'fenced from the nest side',
    sentence: () => 'The nest side fenced the bridge, and no register of the PCI side names a reason.',
    suspect: 'processor, memory or bus',
    advice: ['The firmware log has the nest and PCI FIR of that moment: /sys/firmware/opal/msglog.'],
  },
  internal: {
    title: 'internal error',
    sentence: (s) => `The bridge detected an internal error: ${s.bit}.`,
    suspect: 'bridge hardware',
    advice: HARDWARE_ADVICE,
  },
  'software-freeze': {
    title: 'frozen without a recorded error',
    sentence: (s) =>
      `${s.pe[0]!.toUpperCase()}${s.pe.slice(1)} is frozen, but no error is recorded: software froze it, or the dump was taken after the error was cleared.`,
    suspect: 'unknown',
    advice: [
      'PEs that are frozen together with another one, and passed-through devices, look like this: see the dump before this one.',
    ],
  },
  'link-noise': {
    title: 'link errors',
    sentence: () =>
      'Only link-quality errors are recorded; they are corrected by retries and freeze nothing by themselves.',
    suspect: 'link',
    advice: ['Signal integrity: cable, riser, connector, or a slower link speed.'],
  },
  corrected: {
    title: 'corrected errors',
    sentence: () => 'Only corrected errors are recorded; nothing was lost.',
    suspect: 'nobody',
    advice: [],
  },
  informational: {
    title: 'informational bits',
    sentence: () => 'Only informational bits are set; they freeze nothing by themselves.',
    suspect: 'nobody',
    advice: [],
  },
  'nothing-recorded': {
    title: 'no error recorded',
    sentence: () => 'The dump holds no error bit.',
    suspect: 'unknown',
    advice: [],
  },
};
