/**
 * Behaviour of EEH that differs between kernel versions, or that is a slip which may be mended: every switch declared
 * once, with the value of each version. Facts: eeh-linux 22, whose numbers (D1 to D23) the rows carry.
 */

/** `6.1` is 6.1.192; `mended` is no kernel: it has no defect that can be taken away. */
export const KERNEL_VERSIONS = ['6.1.0', '6.1', '6.3', '6.17', 'mainline', 'mended'] as const;
export type KernelVersion = (typeof KERNEL_VERSIONS)[number];
export const DEFAULT_KERNEL_VERSION: KernelVersion = '6.1';

export const ABOUT_VERSION: Readonly<Record<KernelVersion, string>> = {
  '6.1.0': '6.1 as first released, before the fixes its stable series took over',
  '6.1': '6.1.192, the default',
  '6.3': 'the first with the notice of permanent failure mended',
  '6.17': 'recovery holds the rescan lock from end to end, and takes it again where drivers are removed',
  mainline: 'as 6.17, without that second taking',
  mended: 'no kernel: every switch at the value that does no harm',
};

export interface Quirk<V extends string = string> {
  readonly defect: string;
  readonly about: string;
  readonly values: readonly V[];
  readonly in: Readonly<Record<KernelVersion, V>>;
}

/** The same in every kernel. */
function everyKernel<const V extends string>(defect: string, about: string, values: readonly [V, V]): Quirk<V> {
  const [real, mended] = values;
  const kernels = { '6.1.0': real, '6.1': real, '6.3': real, '6.17': real, mainline: real };
  return { defect, about, values, in: { ...kernels, mended } };
}

/** Differs between kernels. */
function byVersion<const V extends string>(
  defect: string,
  about: string,
  values: readonly [V, V],
  per: Readonly<Record<KernelVersion, NoInfer<V>>>,
): Quirk<V> {
  return { defect, about, values, in: per };
}

export const QUIRKS = {
  permanentFailureNotice: byVersion(
    'D1',
    'The failure pass runs after the channels were given up, so it tells no driver.',
    ['drivers-not-told', 'drivers-told'],
    {
      ...{ '6.1.0': 'drivers-not-told', '6.1': 'drivers-not-told', '6.3': 'drivers-told', '6.17': 'drivers-told' },
      ...{ mainline: 'drivers-told', mended: 'drivers-told' },
    },
  ),
  busResetWait: byVersion(
    'D2',
    'After a hot reset the PCI core waits 65 535 ms for a child whose config space recovery has blocked.',
    ['for-blocked-child', 'for-bridge'],
    {
      ...{ '6.1.0': 'for-bridge', '6.1': 'for-blocked-child', '6.3': 'for-blocked-child' },
      ...{ '6.17': 'for-blocked-child', mainline: 'for-blocked-child', mended: 'for-bridge' },
    },
  ),
  stalePes: everyKernel('D3', 'Reaping tests a bit of the state word where it means the INVALID type.', [
    'kept-unless-isolated',
    'reaped',
  ]),
  frozenParent: everyKernel('D4', 'A parent that is frozen whole never takes over, and stays isolated for ever.', [
    'only-half-frozen-takes-over',
    'takes-over',
  ]),
  eventOrder: everyKernel('D6', 'The event queue is last in, first out.', ['newest-first', 'oldest-first']),
  recoveryLock: byVersion(
    'D7',
    'Whether recovery holds the rescan lock from its first step to its last, or only where it removes and adds devices.',
    ['whole-event', 'around-hotplug'],
    {
      ...{ '6.1.0': 'around-hotplug', '6.1': 'whole-event', '6.3': 'around-hotplug', '6.17': 'whole-event' },
      ...{ mainline: 'whole-event', mended: 'whole-event' },
    },
  ),
  busLookup: byVersion(
    'D7',
    'The platform reset takes the rescan lock to find the bus of a PE that has none cached: recovery waits for itself.',
    ['locks', 'does-not-lock'],
    {
      ...{ '6.1.0': 'does-not-lock', '6.1': 'locks', '6.3': 'does-not-lock', '6.17': 'locks' },
      ...{ mainline: 'locks', mended: 'does-not-lock' },
    },
  ),
  partialRemoval: byVersion(
    'D7',
    'Removing the devices of unaware drivers takes the rescan lock that recovery holds: recovery waits for itself.',
    ['locks-again', 'under-the-same-lock'],
    {
      ...{ '6.1.0': 'under-the-same-lock', '6.1': 'under-the-same-lock', '6.3': 'under-the-same-lock' },
      ...{ '6.17': 'locks-again', mainline: 'under-the-same-lock', mended: 'under-the-same-lock' },
    },
  ),
  recoveringFlag: everyKernel('D8', 'RECOVERING stays on after a failure, and when no bus is found.', [
    'left-on-after-failure',
    'cleared',
  ]),
  deadHubPe: everyKernel('D9', 'After a dead hub the PE of the report is used though nothing set it.', [
    'unset',
    'every-phb',
  ]),
  takeoverLine: everyKernel('D10', 'The line about a parent that takes over names the parent twice.', [
    'parent-twice',
    'child-and-parent',
  ]),
  missingDevice: everyKernel('D11', 'A device that is gone makes a pass without votes write through a null pointer.', [
    'null-write',
    'skipped',
  ]),
  recoveredVote: everyKernel('D14', 'The vote "recovered" in the error pass skips the thaw: the PE stays frozen.', [
    'straight-to-resume',
    'thaws-first',
  ]),
  capableFlag: everyKernel(
    'D18',
    'PHBs are marked capable after the boot only, not when the first device comes later.',
    ['set-after-boot', 'set-with-first-device'],
  ),
  droppedSpecialEvent: everyKernel(
    'D19',
    'A special event dropped while recovery is off leaves its interrupt masked.',
    ['interrupt-stays-masked', 'event-kept'],
  ),
  failedReset: everyKernel('D20', 'A reset that fails leaves KEEP set.', ['leaves-keep', 'clears-keep']),
  inactiveReset: everyKernel('D21', 'A full reset after which the PHB stays inactive reports success.', [
    'reports-success',
    'reports-error',
  ]),
  interruptUnmask: everyKernel('D22', 'The end of a special event unmasks an interrupt that is not masked.', [
    'unbalanced',
    'balanced',
  ]),
  pcieDump: everyKernel('D23', 'The dump reads nine dwords of the capability whatever its length.', [
    'always-nine-dwords',
    'inside-256-bytes',
  ]),
} as const;

export type QuirkName = keyof typeof QUIRKS;
export type KernelQuirks = { readonly [N in QuirkName]: (typeof QUIRKS)[N]['values'][number] };

/** Defects without a switch, and why. */
export const WITHOUT_SWITCH: Readonly<Record<string, string>> = {
  D5: 'a query isolates a PE that nobody recovers: recovery itself relies on the isolation by query',
  D12: 'the counter "no config address" is never used: it reads 0',
  D13: 'the PHB PE queries and freezes PE number 0: there is no other number to use',
  D15: 'the refused DMA unmap is IODA1 firmware and comes with that chip',
  D16: 'the success of a reset without link is firmware of IODA2, not of the kernel',
  D17: 'a changed PE number follows from how numbers are given out',
};

export class UnknownKernelVersionError extends Error {
  override readonly name = 'UnknownKernelVersionError';
  constructor(version: string) {
    super(`kernel version "${version}" is not known: choose one of ${KERNEL_VERSIONS.join(', ')}`);
  }
}

const QUIRK_NAMES = Object.keys(QUIRKS) as QuirkName[];

/** All switches of a version. */
export function quirksOf(version: KernelVersion): KernelQuirks {
  if (!KERNEL_VERSIONS.includes(version)) throw new UnknownKernelVersionError(version);
  return Object.fromEntries(QUIRK_NAMES.map((name) => [name, QUIRKS[name].in[version]])) as unknown as KernelQuirks;
}

/** The rows of docs/kernel-versions.md: a switch, what it is about, its value in each version. */
export function quirkRows(): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const head = ['#', 'switch', 'what it is about', ...KERNEL_VERSIONS];
  const rows = QUIRK_NAMES.map((name) => {
    const quirk: Quirk = QUIRKS[name];
    return line([quirk.defect, `\`${name}\``, quirk.about, ...KERNEL_VERSIONS.map((version) => quirk.in[version])]);
  });
  return [line(head), line(head.map(() => '---')), ...rows];
}
