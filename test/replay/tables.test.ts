/**
 * The tables of a recorded machine, dumped while it ran, against those of the chips that its recording is replayed to.
 * What the recorder could not see, firmware's stores to memory, is worked out from what firmware told the chip.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SystemMemory } from '../../src/hw/memory.js';
import { PHB_REGISTERS } from '../../src/ioda2/registers/phb.js';
import type { PowerNv8 } from '../../src/machine/powernv8.js';
import { memoryWrite } from '../../src/pcie/tlp.js';
import { withMemoryWrites } from '../../src/replay/memory-writes.js';
import { readRecording } from '../../src/replay/read-recording.js';
import { isAccess, type RecordedNote } from '../../src/replay/recording.js';
import { replay } from '../../src/replay/replay.js';
import {
  compareTables,
  type TableDifference,
  type TableDump,
  tableBase,
  untilMark,
} from '../../src/replay/table-dump.js';
import { us } from '../../src/sim/time.js';

const NAME = 'scenarios/recordings/linux-simple.rec.gz';
const recording = withMemoryWrites(readRecording(NAME, readFileSync(NAME)));
const [boot, final] = (
  JSON.parse(readFileSync('test/replay/linux-simple.tables.json', 'utf8')) as { moments: TableDump[] }
).moments as [TableDump, TableDump];

/** Registers, on-chip tables and tables in memory of one PHB. */
const COMPARED = 6 + (8 + 32 + 8 + 256 + 256 + 512 + 16 + 256 + 4) + (65536 + 256 + 256 + 2048);

/** An interrupt that the recorder presented, and a message that its network card, below PHB1, sent. */
const IRQ_NOTE = /^IRQ (\d+) ([0-9a-f]+) ([0-9a-f]+)$/;
const MESSAGE_NOTE = /^MSI msi64 10{15} 4 ([0-9a-f]+)$/;
const END_NOTE = /^OPAL PCI_MSI_EOI \["0x([0-9a-f]+)","0x([0-9a-f]+)"/;
const NETWORK_CARD = 1;
const RID = 0x0100;
const CARD_PE = 0xfd;
const ISNS = 0x800;
/** A requester that no bus has. */
const NOBODY = 0xffff;
const ADDRESS = 0x3_ffff_fffe_0000n;
const FROZEN = '8000000000000000';
const CONFIG_ADDRESS = PHB_REGISTERS.get('PHB_CONFIG_ADDRESS').offset;

/** `again`: the recorder's processor was busy with its equal and had bounced the interrupt; ours takes all at once. */
type Outcome = 'presented' | 'again' | 'its PE is frozen' | 'presented though frozen' | 'lost';

/**
 * Lets the devices send what they sent when the recording was made, so that the chip goes through RTT and IVT and
 * writes P and Q. The drive's messages were recorded only as the interrupts they became.
 */
class Messages {
  /** What became of each recorded interrupt, in order. */
  readonly outcomes: { readonly irq: number; readonly outcome: Outcome }[] = [];
  /** Presented, and not ended yet. */
  private readonly inService = new Set<number>();

  readonly witness = (note: RecordedNote, machine: PowerNv8): void => {
    const message = MESSAGE_NOTE.exec(note.text);
    if (message) this.send(machine, NETWORK_CARD, Number.parseInt(message[1]!, 16));
    const ended = END_NOTE.exec(note.text);
    if (ended) this.inService.delete((Number.parseInt(ended[1]!, 16) + 1) * ISNS + Number.parseInt(ended[2]!, 16));
    const [, server, irqHex, priority] = IRQ_NOTE.exec(note.text) ?? [];
    const irq = Number.parseInt(irqHex ?? '0', 16);
    const phb = Math.floor(irq / ISNS) - 1;
    if (phb < 0) return;
    if (this.inService.has(irq)) {
      this.outcomes.push({ irq, outcome: 'again' });
      return;
    }
    if (phb !== NETWORK_CARD) this.send(machine, phb, irq % ISNS);
    const taken = this.take(machine).find((each) => each.irq === irq);
    const frozen = machine.phbs[phb]!.peekTable('PESTB', CARD_PE) !== 0n;
    if (taken) expect(taken).toEqual({ irq, server: Number(server), priority: Number.parseInt(priority!, 16) });
    if (taken) this.inService.add(irq);
    this.outcomes.push({
      irq,
      outcome: taken ? (frozen ? 'presented though frozen' : 'presented') : frozen ? 'its PE is frozen' : 'lost',
    });
  };

  private send(machine: PowerNv8, phb: number, isn: number): void {
    const address = { hi: 0x1000_0000, lo: (isn << 4) & 0xfe00 };
    machine.phbs[phb]!.link.down.send(memoryWrite(RID, address, Uint8Array.of(isn & 0x1f, 0, 0, 0)));
  }

  private take({ sim, interrupts }: PowerNv8) {
    sim.run({ untilNs: sim.now + us(1) });
    const all = [];
    for (let taken = interrupts.take(); taken !== undefined; taken = interrupts.take()) {
      interrupts.eoi(taken.irq);
      all.push(taken);
    }
    return all;
  }

  count(outcome: string): number {
    return this.outcomes.filter((each) => each.outcome === outcome).length;
  }
}

function tablesAt(dump: TableDump): {
  compared: number;
  differences: readonly TableDifference[];
  messages: Messages;
  machine: PowerNv8;
} {
  const messages = new Messages();
  const { machine } = replay(untilMark(recording, dump.mark), undefined, messages.witness);
  return { ...compareTables(dump, machine.phbs, machine.memory), messages, machine };
}

describe('after the recorded boot', () => {
  const { compared, differences, machine } = tablesAt(boot);

  it('every table is as it was dumped: bases, on-chip tables, RTT, PELT-V, PEST and IVT of three PHBs', () => {
    expect(differences).toEqual([]);
    expect(compared).toBe(3 * COMPARED);
  });

  it('no TCE was written yet, on either machine', () => {
    expect(boot.phbs.flatMap(({ tceTables }) => tceTables.map(({ nonzero }) => nonzero))).toEqual([0, 0, 0]);
    for (const phb of machine.phbs)
      expect(firstLevelOf(machine, phb.peekTable('TVT', 0x1fa)).some((byte) => byte !== 0)).toBe(false);
  });
});

/** The first-level TCE table of a TVE. */
function firstLevelOf({ memory }: PowerNv8, tve: bigint): Uint8Array {
  return memory.readBlock(Number(tve >> 16n) * 4096, 2 ** (Number((tve >> 8n) & 31n) + 11));
}

describe('at the end of the recording, after injections, recoveries, removal and rescan', () => {
  const { compared, differences, messages } = tablesAt(final);

  it('every table is as it was dumped but one word of the PEEV, which only the chip derives from PESTA and PESTB', () => {
    // The last recovery froze PEs fd and fe by software. The recorder stores the PEEV and never computes it.
    const [a, b] = [final.phbs[0]!.onChip.PESTA, final.phbs[0]!.onChip.PESTB];
    expect([a, b]).toEqual([[['fd-fe', FROZEN]], [['fd-fe', FROZEN]]]);
    expect(differences).toEqual([{ phb: 0, what: 'PEEV[3]', dumped: '0000000000000000', held: '0000000000000006' }]);
    expect(compared).toBe(3 * COMPARED);
  });

  it('every interrupt of the recording came through RTT and IVT, unless the chip had frozen its PE', () => {
    expect(messages.outcomes).toHaveLength(182);
    expect([messages.count('lost'), messages.count('presented though frozen')]).toEqual([0, 0]);
    // Software had frozen it to recover it. The recorder lets a frozen PE interrupt all the same.
    expect(messages.count('its PE is frozen')).toBeLessThan(80);
    expect(messages.count('presented')).toBeGreaterThan(100);
  });
});

describe('the tables worked out from the recording', () => {
  it('agree with the PE that firmware put into every configuration cycle, at the time of the cycle', () => {
    const memory = new SystemMemory({ sizeBytes: 2 ** 31 });
    const rtts = boot.phbs.map(({ registers }) => Number(BigInt(`0x${registers.PHB_RTT_BAR}`) & ADDRESS));
    let cycles = 0;
    for (const step of recording.steps) {
      if (step.kind === 'memory') memory.writeBlock(step.address, step.bytes);
      if (!isAccess(step) || step.window !== 'phb' || step.offset !== CONFIG_ADDRESS || step.direction !== 'write')
        continue;
      const rid = Number((step.value >> 44n) & 0xffffn);
      const pe = Number((step.value >> 16n) & 0xffn);
      // Firmware reaches the root port before it has an RTT.
      if (memory.read16(rtts[step.phb]! + 2 * NOBODY) !== 0xff) continue;
      cycles++;
      expect([step.line, rid, memory.read16(rtts[step.phb]! + 2 * rid)]).toEqual([step.line, rid, pe]);
    }
    expect(cycles).toBeGreaterThan(3000);
  });

  it('differ from a dump where the chip, or memory, holds anything else', () => {
    const { phbs, memory } = replay(untilMark(recording, boot.mark)).machine;
    const compare = (): string[] =>
      compareTables(boot, phbs, memory).differences.map(({ phb, what }) => `${phb} ${what}`);
    memory.write16(tableBase(phbs[1]!, 'RTT')! + 2 * RID, 5);
    memory.write8(tableBase(phbs[2]!, 'IVT')! + 128 * 3 + 7, 1);
    memory.write8(tableBase(phbs[0]!, 'PEST')! + 16 * 9, 1);
    phbs[0]!.registers.set('PHB_RTT_BAR', 0n);
    expect(compare()).toEqual(
      expect.arrayContaining(['0 PHB_RTT_BAR', '0 RTT[0]', '0 PEST[9]', '1 RTT[100]', '2 IVT[3]']),
    );
    expect(() => untilMark(recording, '@@MARK nowhere')).toThrow(/no mark/);
    expect(() => compareTables(boot, phbs.slice(0, 1), memory)).toThrow(/PHB1/);
  });
});
