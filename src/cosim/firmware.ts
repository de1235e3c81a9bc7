/**
 * The firmware of a machine that foreign software drives: this project's OPAL on a processor of its own, called from
 * outside. A call runs to its end in virtual time, and meanwhile time passes for everything else too. A client that goes
 * away in the middle leaves it running: the next clock_step carries it on.
 */
import type { HostPort } from '../hw/host-port.js';
import type { FirmwarePlaces } from '../opal/boot.js';
import { Opal } from '../opal/opal.js';
import { invokeOpal, type OpalCall, opalCall } from '../opal/opal-abi.js';
import { OpalStatus } from '../opal/opal-api.js';
import type { Process, ProcessHandle } from '../sim/process.js';
import type { Simulator } from '../sim/simulator.js';
import { formatByteSize } from './byte-size.js';
import type { Work } from './qtest-protocol.js';
import { CommandError, parseWord, shown } from './qtest-words.js';
import { runInSlices } from './slices.js';

export const FIRMWARE_KINDS = ['none', 'skiboot'] as const;
export type FirmwareKind = (typeof FIRMWARE_KINDS)[number];

/** Where OPAL stands on real machines; in a smaller memory its tables are at the end. */
const USUAL_HEAP = 0x3000_0000;
/** The tables of three PHBs, each aligned to its size. */
const HEAP_BYTES = 2 ** 21;
const BOOT = 'boot';
const TOKEN = /^(0x[0-9a-f]+|\d+)$/i;

export class Firmware {
  private opal: Opal | undefined;
  private boots: ProcessHandle<void> | undefined;

  constructor(
    private readonly sim: Simulator,
    private readonly port: HostPort,
    private readonly places: FirmwarePlaces,
  ) {}

  /** `boot`, or a call by token or name with its registers as words; gives the return code. */
  *call(what: string, words: readonly string[]): Work<bigint> {
    if (what === BOOT) return yield* this.boot(words);
    const call = callOf(what);
    const registers = words.map((word, index) =>
      parseWord(word, call?.arguments[index]?.name ?? `argument ${index + 1}`),
    );
    const opal = this.bootedOpal();
    // Real firmware answers so, too, whatever the registers hold.
    if (call === undefined) return BigInt(opal.badToken(what));
    checkCount(call, registers.length);
    return BigInt(yield* this.complete(call.name, invokeOpal(opal, this.port.memory, { call, registers })));
  }

  /** Firmware initialises the PHBs, trains their links and scans what is below them. */
  *boot(words: readonly string[] = []): Work<bigint> {
    if (words.length > 0) throw new CommandError('opal boot takes no arguments');
    if (this.opal !== undefined) throw new CommandError('firmware has booted already');
    this.opal = new Opal(this.port, {
      heapBase: this.heapBase(),
      ...this.places,
    });
    this.boots = this.sim.spawn('firmware boot', this.opal.boot());
    yield* runInSlices(this.sim, { process: this.boots });
    this.boots.take();
    return BigInt(OpalStatus.SUCCESS);
  }

  private bootedOpal(): Opal {
    if (this.opal === undefined || this.boots === undefined) {
      throw new CommandError(
        'firmware has not initialised the PHBs: say "opal boot" first, or "firmware: skiboot" in the machine file',
      );
    }
    if (this.boots.state === 'running') {
      throw new CommandError('firmware is still booting for a client that went away: step the clock');
    }
    return this.opal;
  }

  private *complete(name: string, body: Process<number>): Work<number> {
    const process = this.sim.spawn(name, body);
    yield* runInSlices(this.sim, { process });
    return process.take();
  }

  private heapBase(): number {
    const { memory } = this.port;
    if (memory.contains(USUAL_HEAP, HEAP_BYTES)) return USUAL_HEAP;
    const end = memory.baseAddress + memory.sizeBytes;
    const base = end - HEAP_BYTES - (end % HEAP_BYTES);
    if (base > memory.baseAddress && memory.contains(base, HEAP_BYTES)) return base;
    throw new CommandError(
      `firmware needs ${formatByteSize(HEAP_BYTES)} of memory for its tables, ` +
        `and the machine has ${formatByteSize(memory.sizeBytes)}: give it more`,
    );
  }
}

/** Undefined: a token that no call has. */
function callOf(what: string): OpalCall | undefined {
  if (TOKEN.test(what)) return opalCall(Number(what));
  const call = opalCall(what);
  if (call === undefined) {
    throw new CommandError(`'${shown(what)}' is no OPAL call: give "boot", a token, or a name such as OPAL_PCI_RESET`);
  }
  return call;
}

function checkCount({ name, arguments: declared }: OpalCall, given: number): void {
  if (given === declared.length) return;
  const list = declared.map((each) => `${each.name}:${each.kind}`).join(' ');
  throw new CommandError(`${name} takes ${declared.length} arguments, not ${given}: ${list}`);
}
