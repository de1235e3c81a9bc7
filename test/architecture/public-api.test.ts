import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as api from '../../src/index.js';

const ROOT = resolve(import.meta.dirname, '../..');

/** Every value that the package gives. A name that goes is a breaking change; a new one is promised from then on. */
const NAMES = [
  ...['CancelledError', 'DeadlockError', 'ProcessError', 'RunawayError', 'SimulationError', 'TimeError'],
  ...['Priority', 'delay', 'join', 'ProcessHandle', 'race', 'Signal', 'wait', 'waitFor', 'Simulator'],
  ...['formatTime', 'ms', 'quantize', 'seconds', 'TICK_NS', 'us', 'defineTraceKind'],
  ...['ALL_ONES', 'bit', 'bits', 'fieldMask', 'getField', 'hex64', 'msbMask', 'setField'],
  ...['CpuPort', 'InterruptController', 'MemoryAccessError', 'SystemMemory', 'SyncHost', 'UnansweredAccessError'],
  ...['BUS_TIMING', 'SystemBus', 'Edu', 'Endpoint', 'Link', 'Nic', 'Nvme', 'Switch'],
  ...['ERROR_EVENTS', 'Phb3', 'PBCQ_NEST_REGISTERS', 'PBCQ_PCI_REGISTERS', 'PBCQ_SCOM_RANGES', 'PBCQ_SPCI_REGISTERS'],
  ...['PHB_REGISTERS', 'IODA_TABLES', 'MEMORY_TABLES', 'PHB3_TIMING', 'PHB3_TRACE'],
  ...['P7ioc', 'P7IOC_HUB_REGISTERS', 'P7IOC_PHB_REGISTERS', 'IODA1_TABLES', 'P7IOC_TIMING', 'P7IOC_TRACE'],
  ...['CALLBACKS', 'ScriptedDriver', 'VOTES', 'firstTimes', 'hang', 'load', 'loadWithDecodingOff', 'staleRing'],
  ...['formatJunit', 'NoScenarioError', 'scenarioFromLog'],
  ...['NicDriver', 'LinuxKernel', 'QEMU_POWERNV8', 'REAL_MACHINE', 'PHBS_PER_CHIP', 'POWER8_TIMING', 'PowerNv8'],
  ...['CHIP_NAMES', 'POWER7_TIMING', 'PowerNv7'],
  ...['NotBootedError', 'PowerSystem', 'SystemSlot', 'TopologyError', 'Opal', 'OpalStatus'],
  ...['FIRMWARE_SWITCHES', 'FirmwareProfileError', 'firmwareProfile', 'invokeToken', 'OPAL_CALLS'],
  ...['KERNEL_VERSIONS', 'KernelHungTaskError', 'OwnerState', 'UnknownKernelVersionError', 'VfioEehOp', 'quirksOf'],
  ...['EehControls', 'KernelFileError', 'KernelFiles', 'Shell', 'UsageError', 'UserSpace'],
  ...['opTest', 'runCommands', 'runProcedure', 'selftest'],
  ...['deviceTreeBlob', 'firmwareTree', 'formatDeviceTree'],
  ...['compareFirmware', 'formatFirmwareComparison', 'isFirmwareExplained', 'readFirmwareCalls'],
  ...['compareLinux', 'formatLinuxComparison', 'linuxDifferences', 'E1000eDriver', 'NvmeDriver'],
  ...['checkFinalState', 'readRecording', 'RecordingError', 'formatRecordingText', 'replay'],
  ...['formatDifferences', 'formatReplayReport', 'isReplayClean', 'summarizeReplay'],
  ...['dumpFromBytes', 'explainBinary', 'explainLog', 'explanationToJson', 'formatExplanation'],
  ...[
    'FAULT_KINDS',
    'FAULTS',
    'ScenarioError',
    'readScenario',
    'readTimingProfile',
    'allMet',
    'formatRun',
    'formatTimeline',
    'timelineOf',
    'runToJson',
    'runScenario',
  ],
];

/** A person's own program: what it says comes from the block after it in the README. */
function exampleOfReadme(): { program: string; output: string } {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, program, output] = /```ts\n(.*?)```.*?```text\n(.*?)```/s.exec(text) ?? [];
  return { program: program ?? '', output: output ?? '' };
}

/** Uses one type of each part of the package, and nothing but its main entry. */
const TYPED_PROGRAM = `
import type {
  AccessSize, Card, CompletionStatus, EndpointOptions, EventId, FaultKind, HostPort, Known, LogExplanation, PhbRegisterName,
  Process, Recording, ReplaySummary, RunResult, Scenario, SimulatorOptions, SlotBuilder, TimeNs, Tlp, TraceRecord,
} from 'phbsim';
import { delay, Endpoint, PowerNv8, PHB_REGISTERS, Signal, us, wait } from 'phbsim';

export type Used = [
  AccessSize, Card, CompletionStatus, EndpointOptions, EventId, FaultKind, Known, LogExplanation, PhbRegisterName, Recording,
  ReplaySummary, RunResult, Scenario, SimulatorOptions, TimeNs, Tlp, TraceRecord,
];

class Silent extends Endpoint {
  protected override readBar(_bar: number, _offset: number, lengthBytes: number): Uint8Array {
    return new Uint8Array(lengthBytes);
  }
}
export type Model = typeof Silent;

const slot: SlotBuilder = (_sim, _phb) => undefined;
const machine = new PowerNv8({ seed: 'a', phbs: 2, slot });
const done = new Signal<bigint>(machine.sim, 'done');

function* firmware(port: HostPort): Process<bigint> {
  yield* delay(us(1));
  const version: bigint = yield* port.load(machine.addressMap.phbBase(0) + PHB_REGISTERS.get('PHB_VERSION').offset, 8);
  done.emit(version);
  return version;
}

function* listener(): Process<void> {
  const version: bigint = yield* wait(done);
  machine.memory.write64(0, version);
}

machine.sim.spawn('listener', listener());
console.log(machine.sim.complete('firmware', firmware(machine.cpu())).toString(16));
// @ts-expect-error a misspelt register is refused by the compiler
export const misspelt = (): unknown => PHB_REGISTERS.get('PHB_VERSOIN');
`;

describe('the package phbsim', () => {
  it('exports these names and no others', () => {
    expect(Object.keys(api).sort()).toEqual([...NAMES].sort());
  });

  it('gives a value for each name', () => {
    const empty = Object.entries(api).filter(([, value]) => value === undefined || value === null);
    expect(empty).toEqual([]);
  });

  it('explains each group of names at the top of its source', () => {
    const text = readFileSync(join(ROOT, 'src/index.ts'), 'utf8');
    expect(text.match(/^\/\/ ---- .+ -{3,}$/gm)?.length).toBeGreaterThan(6);
    // The border re-exports and does nothing else.
    expect(text.replace(/\/\*.*?\*\/|\/\/.*|export [^;]*;|\s/gs, '')).toBe('');
  });
});

describe('a program that depends on phbsim', { timeout: 180_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'phbsim-user-'));
  const { program, output } = exampleOfReadme();

  beforeAll(() => {
    const build =
      "import { ensureInstalled, ensureBuilt } from './scripts/setup.mjs'; ensureInstalled(); ensureBuilt();";
    const built = spawnSync(process.execPath, ['--input-type=module', '-e', build], { cwd: ROOT, encoding: 'utf8' });
    expect(built.stderr + built.stdout).not.toContain('error');
    expect(built.status).toBe(0);
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(ROOT, join(folder, 'node_modules', 'phbsim'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'readme.ts'), program);
    writeFileSync(join(folder, 'typed.ts'), TYPED_PROGRAM);
  }, 180_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Strict, without any type that phbsim itself does not bring: DOM only for the console. */
  function complaints(file: string): string[] {
    const checked = ts.createProgram([join(folder, file)], {
      target: ts.ScriptTarget.ES2023,
      lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: [],
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
    });
    return ts
      .getPreEmitDiagnostics(checked)
      .map((each) => `${each.file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(each.messageText, '\n')}`);
  }

  function run(file: string): { status: number | null; stdout: string; stderr: string } {
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
    const script = file.replace(/\.ts$/, '.js');
    const { outputText } = ts.transpileModule(readFileSync(join(folder, file), 'utf8'), { compilerOptions: options });
    writeFileSync(join(folder, script), outputText);
    return spawnSync(process.execPath, [join(folder, script)], { cwd: folder, encoding: 'utf8' });
  }

  it('type-checks as the README shows it', () => {
    expect(program).toContain("from 'phbsim'");
    expect(complaints('readme.ts')).toEqual([]);
  });

  it('prints what the README says', () => {
    expect(run('readme.ts')).toEqual(expect.objectContaining({ status: 0, stdout: output, stderr: '' }));
  });

  it('finds every type it needs at the main entry', () => {
    expect(complaints('typed.ts')).toEqual([]);
    expect(run('typed.ts')).toEqual(expect.objectContaining({ status: 0, stdout: 'a300000005\n', stderr: '' }));
  });

  it('cannot reach behind the main entry', () => {
    writeFileSync(
      join(folder, 'deep.ts'),
      "import { Simulator } from 'phbsim/dist/sim/simulator.js';\nexport const s = Simulator;\n",
    );
    expect(complaints('deep.ts').join()).toContain('Cannot find module');
    expect(run('deep.ts').stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });
});
