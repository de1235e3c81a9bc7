/** Runs of a scripted machine that between them print every line the EEH code can print here. */
import { type DiagLayout, encodeDiagData } from '../../src/diag/layout.js';
import { encodeHubDiagData, HUB_DIAG_TYPES, type HubDiagType } from '../../src/diag/p7ioc/hub.js';
import { P7IOC_LAYOUT } from '../../src/diag/p7ioc/layout.js';
import { PHB3_LAYOUT } from '../../src/diag/phb3/layout.js';
import { PHB4_LAYOUT } from '../../src/diag/phb4/layout.js';
import { PeState, PeType } from '../../src/eeh/eeh-flags.js';
import { edevOf } from '../../src/eeh/eeh-pe.js';
import { EehThaw } from '../../src/eeh/eeh-thaw.js';
import { EehControls } from '../../src/eeh/interfaces/controls.js';
import type { KernelOptions } from '../../src/eeh/kernel.js';
import type { LogRecord } from '../../src/eeh/log.js';
import { PciController } from '../../src/eeh/pci/device.js';
import { PciError, Severity } from '../../src/opal/opal-api.js';
import { delay } from '../../src/sim/process.js';
import { FakeMachine, type FakePhbOptions, phbNode, ROOT_PORT } from './fake-machine.js';
import { AWARE, StubDriver, type StubVotes } from './stub-driver.js';

interface Setup {
  readonly votes?: StubVotes | 'unaware';
  readonly phb?: FakePhbOptions;
  readonly kernel?: Partial<KernelOptions>;
}

function booted({ votes = AWARE, phb = {}, kernel = {} }: Setup = {}) {
  const driver = new StubDriver(votes);
  const machine = new FakeMachine({ phbs: [phb], kernel: { drivers: [driver], ...kernel } }).boot();
  const pe = machine.kernel.pe(0, 0xfd)!;
  return { machine, driver, pe, device: machine.kernel.device('0000:01:00.0')! };
}

/** The endpoint's PE freezes, a load finds it, and recovery takes its course. */
function detected(setup: Setup = {}, howLongSeconds = 30): FakeMachine {
  const { machine } = booted(setup);
  machine.detect();
  machine.runFor(howLongSeconds);
  return machine;
}

function told(scripted: FakeMachine['opal']['scripted'], setup: Setup = {}): FakeMachine {
  const { machine } = booted(setup);
  machine.opal.scripted.push(...scripted);
  machine.opal.raiseError();
  machine.runFor(30);
  return machine;
}

function withFailures(calls: readonly string[], setup: Setup = {}, howLongSeconds = 30): FakeMachine {
  const { machine } = booted(setup);
  for (const call of calls) machine.opal.fail.set(call, -6);
  machine.detect();
  machine.runFor(howLongSeconds);
  return machine;
}

const FUNDAMENTAL = ({ device, machine }: ReturnType<typeof booted>): FakeMachine => {
  device.resetWish = 'fundamental';
  return machine;
};

/** Every field set, a lone frozen PE and a run of three. */
function fullDump(layout: DiagLayout): Uint8Array {
  const fields = Object.fromEntries(layout.fields.map(({ name }) => [name, 1n]));
  const pest = Array.from({ length: layout.pest.entries }, (_, pe) =>
    pe === 2 ? 1n << 63n : pe < 9 && pe > 4 ? 5n | (1n << 63n) : 0n,
  );
  return encodeDiagData(layout, { fields, pestA: pest, pestB: pest });
}

function dumped(layout: DiagLayout): FakeMachine {
  const { machine } = booted();
  machine.phb.diag = fullDump(layout);
  machine.detect();
  machine.runFor(1);
  return machine;
}

/** What the boot alone says; `boot()` of the machine would forget it. */
function boots(...options: Partial<KernelOptions>[]): FakeMachine[] {
  return options.map((kernel) => {
    const machine = new FakeMachine({ kernel });
    if (kernel.phbs !== undefined) machine.phb.functions.clear();
    machine.sim.complete('boot', machine.kernel.boot());
    return machine;
  });
}

function hub(): FakeMachine[] {
  const report = { errorType: PciError.IOC, severity: Severity.INF };
  const answers = (Object.keys(HUB_DIAG_TYPES) as HubDiagType[]).map((type) => {
    const words = { gemXfir: 1n, lemFir: 1n, rgcStatus: 1n, biLdcp0: 1n, ciPortStatus: 1n };
    return { rc: 0, data: encodeHubDiagData({ type, words }) };
  });
  const machines = [...answers, { rc: -6, data: new Uint8Array(0) }, { rc: 0, data: new Uint8Array(128) }].map(
    (hubDiag) => {
      const { machine } = booted({ phb: { hubId: 0x12n } });
      machine.opal.hubDiag = hubDiag;
      machine.opal.scripted.push(report);
      machine.opal.raiseError();
      machine.runFor(1);
      return machine;
    },
  );
  return [...machines, told([{ errorType: PciError.IOC, severity: Severity.IOC_DEAD }])];
}

function virtualFunction(): FakeMachine[] {
  return (['express', 'advanced'] as const).map((kind) => {
    const { machine, pe } = booted({ phb: { functionLevelReset: 'present' } });
    pe.type = PeType.VF;
    const edev = pe.edevs[0]!;
    edev.physicalFunction = machine.kernel.device('0000:00:00.0')!;
    if (kind === 'advanced') Object.assign(edev, { pcieCapability: 0, aerCapability: 0, advancedFeatures: 0xd0 });
    const read = machine.opal.pciConfigRead.bind(machine.opal);
    machine.opal.pciConfigRead = function* (phb, bdfn, offset, size) {
      const answer = yield* read(phb, bdfn, offset, size);
      if (offset === 0xd3) return { ...answer, value: 3 };
      const status = bdfn === 0x100 && size === 2 && (offset === edev.pcieCapability + 0xa || offset === 0xd4);
      return status ? { ...answer, value: 0x120 } : answer;
    };
    machine.detect();
    machine.runFor(10);
    return machine;
  });
}

function pulledCard(...fail: string[]): FakeMachine {
  const slot = { hotplug: 'registered', surprisePluggable: true, label: 'S1' } as const;
  const { machine } = booted({ phb: { slot } });
  for (const call of fail) machine.opal.fail.set(call, -6);
  machine.phb.freeze(0xfe);
  const port = machine.phb.functions.get(ROOT_PORT)!;
  machine.phb.card = 'gone';
  port.set('LNKSTA', 0);
  port.set('SLTSTA', 0x0100);
  machine.run(machine.kernel.slots.interrupt(machine.kernel.controllers[0]!.findBus(1)!));
  machine.runFor(5);
  return machine;
}

const RUN_TABLE = {
  aware: () => [detected()],
  unaware: () => [detected({ votes: 'unaware' })],
  'can recover': () => [detected({ votes: { error: 'can recover', mmio: 'recovered', resume: 'present' } })],
  mixed: () => {
    const drivers = [new StubDriver(AWARE), new StubDriver('unaware', { name: 'other', deviceId: 0xf002 })];
    const machine = new FakeMachine({ phbs: [{ functions: [0xf002] }], kernel: { drivers } });
    machine.sim.complete('boot', machine.kernel.boot());
    machine.detect();
    machine.runFor(30);
    return [machine];
  },
  'bound too late': () => [detected({ votes: { reset: 'recovered', resume: 'present' } })],
  forced: () => {
    const { machine, pe } = booted();
    machine.kernel.forceRecovery(pe);
    machine.runFor(30);
    return [machine];
  },
  fence: () => {
    const { machine } = booted();
    machine.phb.condition = 'fenced';
    machine.opal.raiseError();
    machine.runFor(30);
    return [machine];
  },
  'root port': () => {
    const { machine } = booted();
    machine.kernel.forceRecovery(machine.kernel.pe(0, 0xfe)!);
    machine.runFor(30);
    return [machine];
  },
  'PCI-X': () => {
    const { machine, pe } = booted();
    pe.edevs[0]!.pcixCapability = 0xe0;
    machine.detect();
    machine.runFor(1);
    return [machine];
  },
  'too many freezes': () => [detected({ kernel: { maxFreezes: 0 } })],
  'drivers told': () => [detected({ kernel: { maxFreezes: 0, version: '6.3' } })],
  'device vanishes': () => {
    const { machine, driver, pe } = booted();
    driver.errorHandlers!.slotReset = function* () {
      yield* delay(0);
      pe.edevs[0]!.device = undefined;
      return 'recovered';
    };
    machine.detect();
    machine.runFor(30);
    return [machine];
  },
  'no thaw': () => [withFailures(['CLEAR'])],
  'unaware, no thaw': () => [withFailures(['CLEAR'], { votes: 'unaware' })],
  'no DMA thaw': () => {
    const { machine } = booted();
    const clear = machine.opal.pciEehFreezeClear.bind(machine.opal);
    machine.opal.pciEehFreezeClear = function* (phb, pe, action) {
      return action === 2 ? 0 : yield* clear(phb, pe, action);
    };
    machine.detect();
    machine.runFor(30);
    return [machine];
  },
  'no firmware': () => [withFailures(['DIAG', 'SET', 'REINIT'])],
  'no reset': () => {
    const machine = FUNDAMENTAL(booted());
    machine.opal.fail.set('RESET', -6);
    machine.detect();
    machine.runFor(30);
    return [machine];
  },
  'second reset works': () => {
    const machine = FUNDAMENTAL(booted());
    machine.phb.resetScripts.push([1000, 999, -6]);
    machine.detect();
    machine.runFor(30);
    return [machine];
  },
  'no reenable': () => {
    const { machine, device } = booted();
    machine.run(machine.kernel.services.enableDevice(device));
    machine.detect();
    machine.runFor(0.5);
    device.resources[0]!.pciAddress = undefined;
    machine.runFor(30);
    return [machine];
  },
  unavailable: () => {
    const { machine } = booted();
    machine.phb.condition = 'dead';
    machine.run(machine.kernel.check.checkDevice(edevOf(machine.kernel.device('0000:01:00.0')!)));
    machine.runFor(700);
    return [machine];
  },
  dead: () => {
    const { machine } = booted();
    machine.phb.condition = 'dead';
    machine.opal.raiseError();
    machine.runFor(5);
    return [machine];
  },
  'dead, by reset': () => {
    const { machine } = booted();
    machine.phb.condition = 'fenced';
    machine.opal.raiseError();
    machine.runFor(1);
    machine.phb.condition = 'dead';
    machine.runFor(30);
    return [machine];
  },
  'no bus': () => {
    const { machine, pe } = booted();
    pe.clearState(PeState.PRI_BUS);
    pe.edevs.length = 0;
    machine.kernel.forceRecovery(pe);
    machine.runFor(1);
    return [machine];
  },
  'bus disappears': () => {
    const { machine, driver, pe } = booted({ kernel: { quirks: { busLookup: 'does-not-lock' } } });
    driver.errorHandlers!.errorDetected = function* () {
      yield* delay(0);
      pe.clearState(PeState.PRI_BUS);
      pe.edevs.length = 0;
      return 'disconnect';
    };
    machine.detect();
    machine.runFor(5);
    return [machine];
  },
  passed: () => {
    const { machine, pe } = booted();
    pe.passedDevices = 1;
    machine.kernel.forceRecovery(pe);
    machine.runFor(30);
    return [machine];
  },
  'empty slot': () => {
    const { machine } = booted({ phb: { slot: { hotplug: 'registered' } } });
    machine.phb.presence = 0;
    machine.detect();
    machine.runFor(1);
    return [machine];
  },
  parent: () => {
    const { machine } = booted();
    machine.phb.freeze(0xfe, 1);
    machine.detect();
    return [machine];
  },
  'many reads': () => {
    const { machine, pe } = booted();
    pe.markIsolated();
    pe.checkCount = 2_099_999;
    machine.detect();
    return [machine];
  },
  'odd waits': () => {
    const { machine, pe } = booted();
    for (const waitMs of [10, 999_999]) {
      let answers = 1;
      const platform = {
        *getState() {
          yield* delay(0);
          return answers-- > 0 ? { state: 1, waitMs } : { state: 0x78, waitMs: 0 };
        },
      };
      machine.run(new EehThaw(machine.kernel.context, platform as never).waitState(pe, 400_000));
    }
    return [machine];
  },
  'odd state': () => {
    const { machine, pe } = booted();
    machine.phb.freeze(0xfd, 9);
    machine.run(machine.kernel.platform.getState(pe));
    machine.run(machine.kernel.platform.setOption(pe, 9 as never));
    return [machine];
  },
  P7IOC: () => [withFailures(['RESET'], { phb: { compatible: ['ibm,p7ioc-pciex', 'ibm,ioda-phb'] } })],
  injection: () => {
    const { machine, pe } = booted();
    const inject = (type: number, which: number): number =>
      machine.run(machine.kernel.platform.injectError(pe, { type, function: which, address: 0n, mask: 0n }));
    machine.opal.fail.set('INJECT', -6);
    for (const [type, which] of [
      [2, 0],
      [0, 20],
      [0, 0],
    ] as const) {
      inject(type, which);
    }
    machine.opal.knowsInjection = 0;
    inject(0, 0);
    return [machine];
  },
  'virtual function': virtualFunction,
  'boot with a freeze': () => {
    const machine = new FakeMachine();
    machine.phb.freeze(0xff);
    machine.opal.fail.set('CLEAR', -6);
    machine.sim.complete('boot', machine.kernel.boot());
    return [machine];
  },
  'strange PHB': () => {
    const { machine, device, pe } = booted();
    const stranger = { ...pe.edevs[0]!, pe, controller: new PciController(phbNode(5, {}), 5) };
    machine.run(machine.kernel.check.checkDevice(stranger as never));
    device.node.edev = undefined;
    machine.kernel.addressCache.insertDevice(device);
    return [machine];
  },
  'no PE': () => {
    const { machine, device } = booted();
    edevOf(device)!.pe = undefined;
    machine.run(machine.kernel.resetLine.set(device, 'hot'));
    return [machine];
  },
  stall: () => [detected({ phb: { powerManagement: 'present' } }, 100)],
  'slow bridge': () => {
    const { machine } = booted({ phb: { powerManagement: 'present' }, kernel: { version: '6.1.0' } });
    machine.detect();
    machine.runFor(1);
    const read = machine.opal.pciConfigRead.bind(machine.opal);
    const until = machine.sim.now + 6e9;
    machine.opal.pciConfigRead = function* (phb, bdfn, offset, size) {
      const answer = yield* read(phb, bdfn, offset, size);
      return machine.sim.now < until ? { ...answer, value: 2 ** (8 * size) - 1 } : answer;
    };
    machine.runFor(30);
    return [machine];
  },
  'no link': () => {
    const { machine } = booted({ phb: { powerManagement: 'present' } });
    machine.phb.functions.get(ROOT_PORT)!.set('LNKSTA', 0);
    machine.detect();
    machine.runFor(30);
    return [machine];
  },
  hub,
  informative: () => {
    const { machine } = booted();
    machine.phb.informative = 'pending';
    machine.opal.raiseError();
    machine.runFor(1);
    return [machine];
  },
  interrupt: () => [
    told([{ errorType: PciError.PE, severity: Severity.PE_ER, pe: 0xfdn }]),
    told([{ errorType: PciError.PE, severity: Severity.PE_ER, pe: 0x12n }]),
    told([{ errorType: 9, severity: Severity.INF }]),
  ],
  boot: () => boots({}, { eeh: 'off' }, { phbs: [phbNode(0, {})] }),
  'recovery off': () => {
    const { machine } = booted();
    machine.kernel.settings.recovery = 'off';
    machine.detect();
    return [machine];
  },
  tools: () => {
    const { machine, device } = booted();
    const controls = new EehControls(machine.kernel);
    machine.run(controls.checkDevice(device));
    machine.run(controls.breakDevice(device));
    machine.run(controls.breakDevice(machine.kernel.device('0000:00:00.0')!));
    return [machine];
  },
  'pulled card': () => [pulledCard(), pulledCard('CLEAR')],
  'P7IOC dump': () => [dumped(P7IOC_LAYOUT)],
  'PHB3 dump': () => [dumped(PHB3_LAYOUT)],
  'PHB4 dump': () => [dumped(PHB4_LAYOUT)],
} as const satisfies Record<string, () => FakeMachine[]>;

export type RunName = keyof typeof RUN_TABLE;
export const RUN_NAMES = Object.keys(RUN_TABLE) as RunName[];

/** All records of a run, debug records included. */
export function recordsOf(run: RunName): readonly LogRecord[] {
  return RUN_TABLE[run]().flatMap((machine) => machine.kernel.log.records);
}
