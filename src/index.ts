/**
 * The public API of the package `phbsim`. What is exported here stays; everything else may change between versions.
 *
 * Ways in, from the top down: `readScenario` and `runScenario` run a scenario file; `replay` feeds recorded firmware to the
 * chips; `explainLog` reads a kernel log; `PowerSystem` is a machine with firmware and Linux; `PowerNv8` is the machine alone;
 * `Simulator` is the kernel under all of it. 64-bit values are `bigint`, real addresses are numbers, times are ns.
 */

// ---- the kernel: virtual time, events, processes, chance, trace, digest ----------------------------------------------

export {
  CancelledError,
  DeadlockError,
  ProcessError,
  RunawayError,
  SimulationError,
  TimeError,
} from './sim/errors.js';
export { Priority, type PriorityLevel } from './sim/priority.js';
export {
  delay,
  join,
  type Process,
  ProcessHandle,
  type ProcessState,
  type RaceResult,
  race,
  Signal,
  type SpawnOptions,
  wait,
  waitFor,
} from './sim/process.js';
export type { RandomStream } from './sim/random.js';
export {
  type EventId,
  type Handler,
  type HandlerId,
  Simulator,
  type SimulatorOptions,
  type StopCondition,
  type StopReason,
} from './sim/simulator.js';
export { formatTime, ms, quantize, seconds, TICK_NS, type TimeNs, us } from './sim/time.js';
export { defineTraceKind, type Trace, type TraceKind, type TraceListener, type TraceRecord } from './sim/trace.js';

// ---- what software sees of a machine, and 64-bit words in IBM bit numbers --------------------------------------------

export { ALL_ONES, bit, bits, type FieldSpec, fieldMask, getField, hex64, msbMask, setField } from './hw/bits.js';
export { CpuPort } from './hw/cpu-port.js';
export type { DecodedField } from './hw/decode.js';
export type { Figure } from './hw/figure.js';
export type { AccessSize, HostPort } from './hw/host-port.js';
export { InterruptController, type PresentedInterrupt } from './hw/interrupts.js';
export { MemoryAccessError, SystemMemory, type SystemMemoryOptions } from './hw/memory.js';
export type { AccessKind, FieldInfo, Known, RegisterBank, RegisterInfo } from './hw/register.js';
export { SyncHost, UnansweredAccessError } from './hw/sync-host.js';
export { BUS_TIMING, type BusTiming, SystemBus } from './hw/system-bus.js';
export type { TableDeclaration } from './hw/table.js';

// ---- devices: the network card of the scenarios, and what a card of one's own is made of -----------------------------

export { Edu, type EduOptions } from './pcie/edu.js';
export {
  type BarRead,
  type BarWrite,
  type DeviceReset,
  Endpoint,
  type EndpointLayout,
  type EndpointOptions,
} from './pcie/endpoint.js';
export { Link, type LinkOptions, type LinkState } from './pcie/link.js';
export { Nic, type NicOptions } from './pcie/nic.js';
export { Nvme, type NvmeOptions } from './pcie/nvme.js';
export { Switch, type SwitchOptions } from './pcie/switch.js';
export type { CompletionStatus, Tlp, TlpKind } from './pcie/tlp.js';

// ---- the chip: PHB3, its registers and tables as data, its moments in the trace --------------------------------------

export { ERROR_EVENTS, type ErrorEventName } from './ioda2/error-bits/events.js';
export { Phb3 } from './ioda2/phb3.js';
export {
  PBCQ_NEST_REGISTERS,
  PBCQ_PCI_REGISTERS,
  PBCQ_SCOM_RANGES,
  PBCQ_SPCI_REGISTERS,
} from './ioda2/registers/pbcq.js';
export { PHB_REGISTERS, type PhbRegisterName } from './ioda2/registers/phb.js';
export { IODA_TABLES, type IodaTableName, MEMORY_TABLES } from './ioda2/tables.js';
export { PHB3_TIMING } from './ioda2/timing.js';
export * as PHB3_TRACE from './ioda2/trace.js';

// ---- the chip before it: P7IOC, its registers and tables as data ------------------------------------------------------

export { P7ioc, type P7iocOptions } from './ioda1/p7ioc.js';
export {
  HUB_REGISTERS as P7IOC_HUB_REGISTERS,
  type HubRegisterName as P7iocHubRegisterName,
} from './ioda1/registers/hub.js';
export {
  PHB_REGISTERS as P7IOC_PHB_REGISTERS,
  type PhbRegisterName as P7iocPhbRegisterName,
} from './ioda1/registers/phb.js';
export { IODA_TABLES as IODA1_TABLES, type IodaTableName as Ioda1TableName } from './ioda1/tables.js';
export { P7IOC_TIMING } from './ioda1/timing.js';
export * as P7IOC_TRACE from './ioda1/trace.js';

// ---- the machine, alone and with firmware and Linux on it -------------------------------------------------------------

export { firstTimes, hang, load, loadWithDecodingOff, staleRing } from './eeh/drivers/deeds.js';
export type { PciDriver } from './eeh/drivers/driver.js';
export type { DriverPlan } from './eeh/drivers/driver-plan.js';
export { E1000eDriver } from './eeh/drivers/e1000e-driver.js';
export { NicDriver, type NicDriverOptions, type NicFlavour } from './eeh/drivers/nic-driver.js';
export { NvmeDriver, type NvmeDriverOptions } from './eeh/drivers/nvme-driver.js';
export {
  CALLBACKS,
  type CallbackCall,
  type CallbackName,
  type CallbackScript,
  type Deed,
  type DriverScript,
  ScriptedDriver,
} from './eeh/drivers/scripted-driver.js';
export type { DmaBuffer, DriverServices } from './eeh/drivers/services.js';
export { type ErsVote, VOTES } from './eeh/drivers/votes.js';
export type { ChannelState } from './eeh/eeh-flags.js';
export { EehControls } from './eeh/interfaces/controls.js';
export { KernelFileError, KernelFiles } from './eeh/interfaces/files.js';
export { type CommandResult, Shell } from './eeh/interfaces/shell.js';
export { UsageError } from './eeh/interfaces/usage-error.js';
export { type KernelOptions, LinuxKernel } from './eeh/kernel.js';
export {
  KERNEL_VERSIONS,
  type KernelQuirks,
  type KernelVersion,
  quirksOf,
  UnknownKernelVersionError,
} from './eeh/kernel-versions.js';
export { OwnerState, VfioEehOp } from './eeh/passthrough.js';
export type { BoundDriver, PciDevice, PciErrorHandlers } from './eeh/pci/device.js';
export { type HungTask, KernelHungTaskError } from './eeh/rescan-lock.js';
export { CHIP_NAMES, type ChipName } from './machine/chips.js';
export { type AddressMap, QEMU_POWERNV8, REAL_MACHINE } from './machine/hostboot.js';
export { type GxPlace, PowerNv7, type PowerNv7Options } from './machine/powernv7.js';
export { type Card, PHBS_PER_CHIP, PowerNv8, type PowerNv8Options, type SlotBuilder } from './machine/powernv8.js';
export type { DriverLabel } from './machine/slot-driver.js';
export {
  type AnySystem,
  type BootOptions,
  NotBootedError,
  PowerSystem,
  type SystemOptions,
  SystemSlot,
} from './machine/system.js';
export { POWER7_TIMING, POWER8_TIMING, type TimingProfile } from './machine/timing-profile.js';
export {
  type DeviceModel,
  type DriverFactory,
  type DriverKind,
  type PlacedSlot,
  type PortFeatures,
  type SlotDriver,
  type SlotOptions,
  type Topology,
  TopologyError,
} from './machine/topology.js';
export type { FirmwarePlaces } from './opal/boot.js';
export { deviceTreeBlob } from './opal/device-tree-blob.js';
export { type FirmwareFacts, firmwareTree } from './opal/device-tree-root.js';
export type { FdtNode, FdtProperty, FdtValue, MemoryReservation } from './opal/fdt.js';
export { formatDeviceTree } from './opal/fdt-text.js';
export {
  FIRMWARE_SWITCHES,
  type FirmwareProfile,
  type FirmwareProfileChoice,
  FirmwareProfileError,
  firmwareProfile,
} from './opal/firmware-profile.js';
export { Opal, type OpalOptions } from './opal/opal.js';
export { invokeToken, OPAL_CALLS } from './opal/opal-abi.js';
export { OpalStatus } from './opal/opal-api.js';
export type { HubPlace } from './opal/p7ioc/hub.js';

// ---- replay: recorded firmware against the chips -----------------------------------------------------------------------

export { checkFinalState, type FinalState } from './replay/final-state.js';
export {
  compareFirmware,
  type FirmwareComparison,
  isExplained as isFirmwareExplained,
} from './replay/firmware-comparison.js';
export { formatFirmwareComparison } from './replay/firmware-comparison-report.js';
export type { FirmwareCallRecording } from './replay/firmware-phases.js';
export { compareLinux, type LinuxComparison, unexplained as linuxDifferences } from './replay/linux-comparison.js';
export { formatLinuxComparison } from './replay/linux-comparison-report.js';
export { readFirmwareCalls } from './replay/read-firmware-calls.js';
export { readRecording } from './replay/read-recording.js';
export { type Recording, RecordingError } from './replay/recording.js';
export { formatRecordingText } from './replay/recording-text.js';
export { type Mismatch, type ReplayProgress, type ReplayResult, replay } from './replay/replay.js';
export {
  formatDifferences,
  formatReplayReport,
  isClean as isReplayClean,
  type ReplaySummary,
  summarize as summarizeReplay,
} from './replay/report.js';

// ---- explain: register dumps of real machines ---------------------------------------------------------------------------

export { dumpFromBytes, explainBinary } from './diag/binary.js';
export type { Dump } from './diag/dump.js';
export { type ExplainedDump, explainLog, type LogExplanation } from './diag/explain.js';
export { toJson as explanationToJson } from './diag/json.js';
export { formatReport as formatExplanation } from './diag/report.js';

// ---- scenarios: faults, expectations, verdicts ---------------------------------------------------------------------------

export { FAULT_KINDS, FAULTS, type FaultDeclaration, type FaultKind } from './faults/catalogue.js';
export type { PlannedFault } from './faults/engine.js';
export { type LogScenario, NoScenarioError, scenarioFromLog } from './scenario/from-log.js';
export type { Verdict } from './scenario/judge.js';
export { formatJunit, type Outcome as RunOutcome } from './scenario/junit.js';
export { type ProcedureResult, runCommands, runProcedure, type SessionResult } from './scenario/kernel-session.js';
export { ScenarioError } from './scenario/problems.js';
export { type OpTestResult, opTest } from './scenario/procedures/op-test.js';
export { type SelftestResult, selftest } from './scenario/procedures/selftest.js';
export { UserSpace } from './scenario/procedures/user-space.js';
export { type OpenProfile, readTimingProfile } from './scenario/read-profile.js';
export { readScenario } from './scenario/read-scenario.js';
export { allMet, formatRun, type ReportOptions, runToJson } from './scenario/report.js';
export { type RunOptions, type RunProgress, type RunResult, runScenario } from './scenario/runner.js';
export type { Expectation, Scenario } from './scenario/scenario.js';
export { formatTimeline, type TimelineEntry, timelineOf } from './scenario/timeline.js';
