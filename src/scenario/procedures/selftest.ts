/**
 * The EEH selftest of the kernel: every device that can stand it is broken and has a minute to come back.
 * Source: linux tools/testing/selftests/powerpc/eeh: eeh-basic.sh, eeh-functions.sh; facts: eeh-linux 21.1.
 */
import { PATHS } from '../../eeh/interfaces/files.js';
import type { Process } from '../../sim/process.js';
import { DEBUG, DEVICES, type UserSpace } from './user-space.js';

export interface SelftestResult {
  /** 4: skipped. */
  readonly status: 0 | 1 | 4;
  readonly tested: readonly string[];
  readonly failed: readonly string[];
}

export interface SelftestOptions {
  /** EEH_MAX_WAIT of its environment. */
  readonly maxWaitSeconds?: number;
}

const DEFAULT_MAX_WAIT = 60;
/** Recoveries an hour that nobody gets to. */
const MAX_FREEZES = 5000;
const SKIPPED: SelftestResult = { status: 4, tested: [], failed: [] };

/** Bits of the two words of eeh_pe_state, as the script has them. */
const BEING_RECOVERED = 0x3;
const ACTIVE = 0x18;

export function* selftest(user: UserSpace, options: SelftestOptions = {}): Process<SelftestResult> {
  if (!(yield* isSupported(user))) {
    user.print('EEH not supported on this system, skipping');
    return SKIPPED;
  }
  if (!user.exists(`${DEBUG}/eeh_dev_check`) && !user.exists(`${DEBUG}/eeh_dev_break`)) {
    user.print('debugfs EEH testing files are missing. Is debugfs mounted?');
    return SKIPPED;
  }
  yield* user.echo(String(MAX_FREEZES), `${DEBUG}/eeh_max_freezes`);
  const before = yield* user.lspci();
  const tested = yield* candidates(user);
  user.print(`Found ${tested.length} breakable devices...`);
  const failed: string[] = [];
  for (const device of tested) {
    if (!(yield* testOne(user, device, options.maxWaitSeconds ?? DEFAULT_MAX_WAIT))) failed.push(device);
  }
  user.print(`${failed.length} devices failed to recover (${tested.length} tested)`);
  for (const line of differences(before, yield* user.lspci())) user.print(line);
  return { status: failed.length === 0 ? 0 : 1, tested, failed };
}

function* isSupported(user: UserSpace): Process<boolean> {
  return (yield* user.read(PATHS.proc))?.includes('EEH Subsystem is enabled') === true;
}

function* candidates(user: UserSpace): Process<string[]> {
  const found: string[] = [];
  for (const device of user.list(DEVICES).filter((name) => name.endsWith('.0'))) {
    const why = yield* reasonToSkip(user, device);
    user.print(why === undefined ? `${device}, Added` : `${device}, Skipped: ${why}`);
    if (why === undefined) found.push(device);
  }
  return found;
}

function* reasonToSkip(user: UserSpace, device: string): Process<string | undefined> {
  if (user.exists(`${DEVICES}/${device}/pci_bus`)) return 'bridge';
  if (user.baseOfLink(`${DEVICES}/${device}/driver`) === 'ahci') return "ahci doesn't support recovery";
  if (!(yield* isPeOk(user, device))) return 'Bad initial PE state';
  return user.exists(`${DEVICES}/${device}/physfn`) ? 'virtfn' : undefined;
}

/** Not isolated, not being recovered, and the hardware lets everything through. A file that is gone is not ok. */
export function* isPeOk(user: UserSpace, device: string): Process<boolean> {
  const words = yield* user.read(`${DEVICES}/${device}/eeh_pe_state`);
  if (words === undefined || words === '') return false;
  const [hardware = 0, software = 0] = words.split(' ').map(Number);
  return (software & BEING_RECOVERED) === 0 && (hardware & ACTIVE) === ACTIVE;
}

function* testOne(user: UserSpace, device: string, maxWait: number): Process<boolean> {
  user.print(`Breaking ${device}...`);
  if (!(yield* isPeOk(user, device))) {
    user.print(`Skipping ${device}, Initial PE state is not ok`);
    return false;
  }
  yield* user.echo(device, `${DEBUG}/eeh_dev_break`);
  yield* user.echo(device, `${DEBUG}/eeh_dev_check`);
  let waited = 0;
  for (let round = 0; round <= maxWait; round++) {
    waited = round;
    if (yield* isPeOk(user, device)) break;
    user.print(`${device}, waited ${round}/${maxWait}`);
    yield* user.sleep(1);
  }
  const isOk = yield* isPeOk(user, device);
  user.print(isOk ? `${device}, Recovered after ${waited} seconds` : `${device}, Failed to recover!`);
  return isOk;
}

/** The lines of `diff` that say something. */
function differences(before: readonly string[], after: readonly string[]): string[] {
  const gone = before.filter((line) => !after.includes(line)).map((line) => `-${line}`);
  const come = after.filter((line) => !before.includes(line)).map((line) => `+${line}`);
  return [...gone, ...come];
}
