/**
 * Our firmware against the real one, access by access. Source of the recording: the first lines of the fixture.
 * No access, value, order or delay deviates. What is not compared: phase 03 (a dump of the device tree, no accesses).
 */
import { describe, expect, it } from 'vitest';
import { Opal } from '../../src/opal/opal.js';
import { delay, type Process } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';
import { us } from '../../src/sim/time.js';
import { readTrace, TRACED_MACHINE, type TraceCall, type TracePhase, TracePort } from './firmware-trace.js';

const ER_LSI = 0xfff;
const IVE_OF_ISN_10 = 0x2_0008_0800;

/** What the recorder did by hand before a phase. */
const BEFORE: Readonly<Record<string, (port: TracePort, opal: Opal, sim: Simulator) => void>> = {
  '17-msi_eoi_q_set': (port) => {
    port.memory.write8(IVE_OF_ISN_10 + 4, port.memory.read8(IVE_OF_ISN_10 + 4) | 1);
    port.memory.write8(IVE_OF_ISN_10 + 5, 1);
  },
  '18-msi_unmask_q_set': (port) => port.memory.write8(IVE_OF_ISN_10 + 5, 1),
  '72-next_error_inf': (_, opal, sim) => void sim.complete('interrupt', opal.handleInterrupt(ER_LSI)),
  '74-next_error_lem_fenced': (_, opal, sim) => void sim.complete('interrupt', opal.handleInterrupt(ER_LSI)),
};
/** Memory recorded after the recorder had prepared the next phase. */
const MEMORY_ALREADY_PREPARED = ['16-msi_eoi', '17-msi_eoi_q_set'];

const n = (value: bigint | undefined): number => Number(value);

/** One call of the recording as a call of ours; both give a return code. */
function* call(opal: Opal, { name, args }: TraceCall): Process<number> {
  const [a0, a1, a2, a3, a4, a5, a6] = args;
  const phb = n(a0);
  switch (name) {
    case 'OPAL_PCI_CONFIG_READ_BYTE':
      return (yield* opal.pciConfigRead(phb, n(a1), n(a2), 1)).rc;
    case 'OPAL_PCI_CONFIG_READ_HALF_WORD':
      return (yield* opal.pciConfigRead(phb, n(a1), n(a2), 2)).rc;
    case 'OPAL_PCI_CONFIG_READ_WORD':
      return (yield* opal.pciConfigRead(phb, n(a1), n(a2), 4)).rc;
    case 'OPAL_PCI_CONFIG_WRITE_BYTE':
      return yield* opal.pciConfigWrite(phb, n(a1), n(a2), 1, n(a3));
    case 'OPAL_PCI_CONFIG_WRITE_HALF_WORD':
      return yield* opal.pciConfigWrite(phb, n(a1), n(a2), 2, n(a3));
    case 'OPAL_PCI_CONFIG_WRITE_WORD':
      return yield* opal.pciConfigWrite(phb, n(a1), n(a2), 4, n(a3));
    case 'OPAL_PCI_SET_PE': {
      const match = { bus: n(a3), device: n(a4), function: n(a5) };
      return yield* opal.pciSetPe(phb, { pe: n(a1), rid: n(a2), match, action: n(a6) });
    }
    case 'OPAL_PCI_SET_PELTV':
      return yield* opal.pciSetPeltv(phb, n(a1), n(a2), n(a3));
    case 'OPAL_PCI_MAP_PE_MMIO_WINDOW':
      return yield* opal.pciMapPeMmioWindow(phb, { pe: n(a1), type: n(a2), window: n(a3), segment: n(a4) });
    case 'OPAL_PCI_SET_PHB_MEM_WINDOW':
      return yield* opal.pciSetPhbMemWindow(phb, { type: n(a1), window: n(a2), address: a3!, size: a5! });
    case 'OPAL_PCI_PHB_MMIO_ENABLE':
      return yield* opal.pciPhbMmioEnable(phb, n(a1), n(a2), n(a3));
    case 'OPAL_PCI_MAP_PE_DMA_WINDOW':
      return yield* opal.pciMapPeDmaWindow(phb, {
        ...{ pe: n(a1), window: n(a2), levels: n(a3) },
        ...{ tableAddress: a4!, tableBytes: a5!, pageBytes: a6! },
      });
    case 'OPAL_PCI_MAP_PE_DMA_WINDOW_REAL':
      return yield* opal.pciMapPeDmaWindowReal(phb, { pe: n(a1), window: n(a2), pciStart: a3!, size: a4! });
    case 'OPAL_PCI_TCE_KILL':
      return yield* opal.pciTceKill(phb);
    default:
      return yield* secondHalf(opal, { name, args });
  }
}

function* secondHalf(opal: Opal, { name, args }: Pick<TraceCall, 'name' | 'args'>): Process<number> {
  const [a0, a1, a2, a3, a4, a5] = args;
  const phb = n(a0);
  switch (name) {
    case 'OPAL_PCI_SET_XIVE_PE':
      return yield* opal.pciSetXivePe(phb, n(a1), n(a2));
    case 'OPAL_GET_MSI_32':
      return (yield* opal.getMsi32(phb, n(a1), n(a2), n(a3))).rc;
    case 'OPAL_GET_MSI_64':
      return (yield* opal.getMsi64(phb, n(a1), n(a2), n(a3))).rc;
    case 'OPAL_SET_XIVE':
      return yield* opal.setXive(n(a0), n(a1), n(a2));
    case 'OPAL_GET_XIVE':
      return (yield* opal.getXive(n(a0))).rc;
    case 'OPAL_PCI_MSI_EOI':
      return yield* opal.pciMsiEoi(phb, n(a1));
    case 'OPAL_PCI_EEH_FREEZE_STATUS':
      return (yield* opal.pciEehFreezeStatus(phb, n(a1))).rc;
    case 'OPAL_PCI_EEH_FREEZE_SET':
      return yield* opal.pciEehFreezeSet(phb, n(a1), n(a2));
    case 'OPAL_PCI_EEH_FREEZE_CLEAR':
      return yield* opal.pciEehFreezeClear(phb, n(a1), n(a2));
    case 'OPAL_PCI_NEXT_ERROR':
      return (yield* opal.pciNextError(phb)).rc;
    case 'OPAL_PCI_ERR_INJECT':
      return yield* opal.pciErrInject(phb, { pe: n(a1), type: n(a2), function: n(a3), address: a4!, mask: a5! });
    case 'OPAL_PCI_GET_PHB_DIAG_DATA2':
      return (yield* opal.pciGetPhbDiagData2(phb, n(a2))).rc;
    case 'OPAL_PCI_GET_PRESENCE_STATE':
      return (yield* opal.pciGetPresenceState(a0!)).rc;
    case 'OPAL_PCI_GET_POWER_STATE':
      return (yield* opal.pciGetPowerState(a0!)).rc;
    case 'OPAL_PCI_REINIT':
      return yield* opal.pciReinit(phb, n(a2), n(a1));
    case 'OPAL_PCI_RESET':
      return yield* opal.pciReset(a0!, n(a1), n(a2));
    case 'OPAL_PCI_POLL':
      return yield* opal.pciPoll(a0!);
    default:
      throw new Error(`the recording calls ${name}, which the test does not know`);
  }
}

class Rig {
  readonly sim = new Simulator();
  readonly port = new TracePort(this.sim);
  readonly opal = new Opal(this.port, TRACED_MACHINE);

  boot(init: TracePhase, scan: TracePhase): void {
    const offset = init.accesses.at(-1)!.timeUs;
    const later = scan.accesses.map((access) => ({ ...access, timeUs: access.timeUs + offset }));
    this.port.expect('boot', [...init.accesses, ...later]);
    this.sim.complete('boot', this.opal.boot());
    expect(this.port.missing).toEqual([]);
  }

  replay(phase: TracePhase): void {
    BEFORE[phase.name]?.(this.port, this.opal, this.sim);
    for (const recorded of phase.calls) {
      const where = `${phase.name} ${recorded.name}(${recorded.args.map((arg) => arg.toString(16)).join(', ')})`;
      this.port.expect(where, recorded.accesses);
      const rc = this.sim.complete(where, call(this.opal, recorded));
      expect({ where, rc, missing: this.port.missing }).toEqual({ where, rc: recorded.rc, missing: [] });
      if (recorded.sleepUs > 0) this.sim.complete('sleep', delay(us(recorded.sleepUs)));
    }
    if (!MEMORY_ALREADY_PREPARED.includes(phase.name)) this.compareMemory(phase);
  }

  private compareMemory(phase: TracePhase): void {
    const wrong = phase.memory.filter(({ address, value }) => this.port.memory.read64(address) !== value);
    expect(wrong).toEqual([]);
  }
}

describe('firmware does to the chip what the real firmware does', () => {
  const [init, scan, ...calls] = readTrace() as [TracePhase, TracePhase, ...TracePhase[]];
  const rig = new Rig();

  it('probes, initialises, trains the link and scans the bus with the same accesses, values and delays', () => {
    expect(init.accesses.length + scan.accesses.length).toBeGreaterThan(2700);
    rig.boot(init, scan);
    const wrong = init.memory.filter(({ address, value }) => rig.port.memory.read64(address) !== value);
    expect(wrong).toEqual([]);
  });

  // One after the other: each call finds what the ones before left behind.
  it.each(calls.filter((phase) => phase.calls.length > 0).map((phase) => [phase.name, phase] as const))(
    '%s',
    (_, phase) => {
      rig.replay(phase);
    },
  );
});
