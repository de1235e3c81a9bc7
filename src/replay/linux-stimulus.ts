/**
 * What the operator of the recorded machine did at each mark, done to ours: by the files he wrote, through the kernel's own
 * doors. The errors of the F marks are set where he set them, in the registers he wrote to; our chip does the rest itself.
 */
import { EehControls } from '../eeh/interfaces/controls.js';
import type { PciDevice } from '../eeh/pci/device.js';
import { PBCQ_NEST_REGISTERS, PBCQ_SCOM_RANGES, type PbcqNestRegisterName } from '../ioda2/registers/pbcq.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../ioda2/registers/phb.js';
import type { Process } from '../sim/process.js';
import type { RecordedMachine } from './linux-machine.js';
import { codeOf } from './linux-recording.js';

const NVME = '0000:01:00.0';
const E1000E = '0001:01:00.0';
const EDU = '0002:01:00.0';
const ENDPOINT_PE = 0xfd;
const ROOT_PORT_PE = 0xfe;

/** Error bits as the operator chose them. */
const INFORMATIVE_ERROR = 0x0000_0000_0000_2000n;
const FATAL_ERROR = 0x8000_0000_0000_0000n;
const FENCING_ERROR = 0x0000_8000_0000_0000n;
/** Where an error that the bridge finds leads: LEM bit, interrupt, freeze. */
const ROUTES = PHB_REGISTERS.names.filter((name) => /_ERR_(LEM|IRQ|FREEZE)_ENABLE$/.test(name));
const ERROR_LSI = 7;
const BOOT_SERVER = 8;
const ERROR_PRIORITY = 5;
const EVERY_ERROR = 0xffff_ffff_ffff_ffffn;

type Deed = (operator: Operator, mark: string) => Process<unknown>;

const DEEDS: Readonly<Record<string, Deed>> = {
  *L05({ recorded }) {
    yield* register(recorded, recorded.e1000e);
  },
  *L06({ recorded, device }) {
    yield* recorded.e1000e.open(device(E1000E));
  },
  *L09({ controls, recorded }) {
    controls.dumpPes(recorded.kernel.controllers[0]!);
  },
  L10: ({ controls, recorded }) => controls.dumpDiagData(recorded.kernel.controllers[0]!),
  L11: ({ controls, recorded }) => controls.dumpDiagData(recorded.kernel.controllers[1]!),
  L12: ({ controls, device }) => controls.checkDevice(device(NVME)),
  L13: ({ controls, device }) => controls.checkDevice(device(E1000E)),
  L14: inject,
  L15: inject,
  *L16({ controls, recorded }) {
    const controller = recorded.kernel.controllers[0]!;
    for (const trap of ['outbound', 'inboundA', 'inboundB'] as const) {
      yield* controls.testErrors(controller, trap);
      yield* controls.armTestErrors(controller, trap, FATAL_ERROR);
      yield* controls.testErrors(controller, trap);
      yield* controls.armTestErrors(controller, trap, 0n);
    }
  },
  L17: (operator) => operator.withoutFreezing(0, operator.controls.breakDevice(operator.device(NVME))),
  *L18({ controls, device }) {
    for (const name of [NVME, E1000E, EDU]) controls.canRecover(device(name));
  },
  *L19({ controls }) {
    controls.lookForErrors();
  },
  *L20({ controls }) {
    controls.forceRecover(0, ENDPOINT_PE);
  },
  *L22({ controls }) {
    controls.forceRecover(1, ENDPOINT_PE);
  },
  *L24({ controls }) {
    controls.forceRecover(2, ENDPOINT_PE);
  },
  L25: ({ recorded, device }) => recorded.kernel.functionReset.reset(device(NVME)),
  L26: ({ controls, device }) => controls.unbind('e1000e', device(E1000E)),
  L27: ({ controls, device }) => controls.bind('e1000e', device(E1000E)),
  L28: ({ controls, device }) => controls.removeDevice(device(E1000E)),
  L29: ({ controls }) => controls.rescan(),
  *L30({ controls }) {
    controls.forceRecover(0, ROOT_PORT_PE);
  },
  *F07(operator) {
    yield* operator.setLem(0, INFORMATIVE_ERROR);
    operator.interrupt(0);
  },
  *F08(operator) {
    yield* operator.setNest(0, 'NFIR_OR', FENCING_ERROR);
    operator.interrupt(0);
  },
  // The recorded machine was patched to fence on this bit, which our chip does not do of itself.
  *F09(operator) {
    yield* operator.setLem(1, FATAL_ERROR);
    yield* operator.setNest(1, 'NFIR_OR', FENCING_ERROR);
    operator.interrupt(1);
  },
  *F10(operator) {
    yield* operator.setNest(2, 'NFIR_OR', EVERY_ERROR);
    operator.interrupt(2);
  },
};

/** In one recording the drivers come one by one, in the other together. */
const LOADED_TOGETHER = /^L02 modprobe$/;

/** While a bridge that fenced is being reset the operator asked after its device. */
export const CHECK_DURING_RESET: Readonly<Record<string, { device: string; afterMs: number }>> = {
  F08: { device: NVME, afterMs: 700 },
  F09: { device: E1000E, afterMs: 900 },
};

class Operator {
  readonly controls: EehControls;

  constructor(readonly recorded: RecordedMachine) {
    this.controls = new EehControls(recorded.kernel);
  }

  readonly device = (name: string): PciDevice => {
    const found = this.recorded.kernel.device(name);
    if (found === undefined) throw new RangeError(`${name} is not on the machine at this mark`);
    return found;
  };

  readonly setLem = (phb: number, value: bigint): Process<void> => {
    const name: PhbRegisterName = 'PHB_LEM_FIR_OR_MASK';
    const base = this.recorded.machine.addressMap.phbBase(phb);
    return this.recorded.operator.store(base + PHB_REGISTERS.get(name).offset, 8, value);
  };

  /** The recorded machine freezes nothing. What would freeze here is let pass meanwhile. */
  *withoutFreezing(phb: number, deed: Process<unknown>): Process<void> {
    const kept = new Map<PhbRegisterName, bigint>();
    for (const name of ROUTES) kept.set(name, yield* this.exchange(phb, name, 0n));
    yield* deed;
    for (const [name, value] of kept) yield* this.exchange(phb, name, value);
  }

  *disarm(phb: number): Process<void> {
    yield* this.exchange(phb, 'PHB_PAPR_ERR_INJ_CTL', 0n);
  }

  private *exchange(phb: number, name: PhbRegisterName, value: bigint): Process<bigint> {
    const address = this.recorded.machine.addressMap.phbBase(phb) + PHB_REGISTERS.get(name).offset;
    const old = yield* this.recorded.operator.load(address, 8);
    yield* this.recorded.operator.store(address, 8, value);
    return old;
  }

  /** The error interrupt of a bridge, which the recorded machine was patched to raise. */
  interrupt(phb: number): void {
    const { opal, machine } = this.recorded;
    const { lsiBase } = opal.deviceTree()[phb]!;
    machine.interrupts.present(lsiBase + ERROR_LSI, BOOT_SERVER, ERROR_PRIORITY);
  }

  readonly setNest = (phb: number, name: PbcqNestRegisterName, value: bigint): Process<void> => {
    const { base, strideOfPhb } = PBCQ_SCOM_RANGES.nest;
    const { offset } = PBCQ_NEST_REGISTERS.get(name);
    return this.recorded.operator.scomWrite(base + strideOfPhb * phb + offset, value);
  };
}

function* register(recorded: RecordedMachine, driver: RecordedMachine['nvme' | 'e1000e']): Process<void> {
  const { context, driverCore } = recorded.kernel;
  yield* context.rescanLock.hold(driverCore.register(driver), `modprobe ${driver.name}`);
}

const INJECTION = /phb(\d+) pe=(\w+) type=(\w+) func=(\w+) addr=(\w+) mask=(\w+)/;

function* inject(operator: Operator, mark: string): Process<void> {
  const { controls, recorded } = operator;
  const match = INJECTION.exec(mark);
  if (match === null) throw new RangeError(`mark ${JSON.stringify(mark)} names no injection`);
  const [phb = 0, pe = 0, type = 0, fn = 0] = match.slice(1, 5).map(Number);
  const [address = 0n, mask = 0n] = match.slice(5).map((word) => BigInt(`0x${word.replace(/^0x/, '')}`));
  const controller = recorded.kernel.controllers[phb]!;
  yield* controls.injectError(controller, { pe, type, function: fn, address, mask });
  // The recorded machine keeps the register and does nothing; what is armed here would strike at a later mark.
  yield* operator.disarm(phb);
}

/** What has to be done at a mark; undefined where the operator only looked, or moved data. */
export function deedAt(recorded: RecordedMachine, mark: string): Process<unknown> | undefined {
  const code = codeOf(mark);
  if (code === 'L02') return load(recorded, mark);
  return DEEDS[code]?.(new Operator(recorded), mark);
}

function* load(recorded: RecordedMachine, mark: string): Process<void> {
  yield* register(recorded, recorded.nvme);
  if (!LOADED_TOGETHER.test(mark)) return;
  yield* register(recorded, recorded.e1000e);
  yield* recorded.e1000e.open(recorded.kernel.device(E1000E)!);
}
