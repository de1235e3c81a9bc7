/**
 * How sure a verdict from registers is. "Certain" needs independent registers that agree, so that a lost or damaged line
 * lowers it and never makes a wrong verdict sure. Facts: phb4-diag 3.1, 5.4.
 */
import type { Known } from '../../hw/register.js';
import { setBits } from '../bit-table.js';
import { word } from '../dump.js';
import { Proof } from '../evidence.js';
import type { ExplainedDump, Reading } from '../interpret.js';
import { hasCause } from '../pest.js';
import { saysAbort } from '../verdict.js';
import { GUESSED_EVENTS } from './cause-of-event.js';
import type { Certainty } from './fault.js';

/** Events that concern one PE: its record has to say the same. */
const PE_EVENTS: readonly string[] = [
  'dma-unmapped',
  'dma-permission',
  'dma-out-of-window',
  'dma-no-window',
  'msi-wrong-pe',
  'completion-ur',
  'completion-ca',
];

const subset = (part: bigint, whole: bigint): boolean => (part & ~whole) === 0n;

/** The WOF takes no masked bit; a bit that stands alone came first all the same. Facts: ioda2-phb3 7.4. */
function isOneMaskedBit(fir: bigint, mask: bigint): boolean {
  return setBits(fir).length === 1 && subset(fir, mask);
}

/** First-error words never hold a bit that their status does not: else a line is damaged. */
function isConsistent({ evidence }: Reading): boolean {
  const { dump, chip } = evidence;
  const wof = word(dump, 'lemWOF');
  const fir = word(dump, 'lemFir');
  if (wof === 0n ? !isOneMaskedBit(fir, word(dump, 'lemErrorMask')) : !subset(wof, fir)) return false;
  return chip.traps.every(
    (trap) => !dump.words.has(trap.first) || subset(word(dump, trap.first), word(dump, trap.status)),
  );
}

/** The LEM bit that came first is the one which the root bit feeds, or the pointer to the PCIe core. */
function lemAgrees({ evidence, cause }: Reading): boolean {
  const { chip, lemFirst } = evidence;
  const root = chip.traps.flatMap((trap) =>
    setBits(word(evidence.dump, trap.first)).map((bit) => ({
      name: `${trap.table.register}[${bit}]`,
      lem: trap.table.byBit.get(bit)?.lem,
    })),
  );
  const decided = root.find((entry) => entry.name === cause.by?.name);
  if (decided === undefined) return false;
  if (chip.lemPointer !== undefined && lemFirst.includes(chip.lemPointer)) return true;
  return decided.lem !== undefined && lemFirst.includes(decided.lem);
}

/** What the record of the culprit says on its own. */
function recordAgrees({ evidence: { chip, dump }, culprit, cause }: Reading): boolean {
  if (culprit === undefined || culprit.role !== 'faulted') return false;
  const { entry } = culprit;
  switch (cause.event) {
    case 'dma-unmapped':
      return hasCause(entry, 'TCE_PAGE_FAULT');
    case 'dma-permission':
      return hasCause(entry, 'TCE_ACCESS_FAULT') && !hasCause(entry, 'TCE_PAGE_FAULT');
    case 'dma-out-of-window':
    case 'dma-no-window':
    case 'msi-wrong-pe':
      return hasCause(entry, 'IODA_ERROR', 'TVT_RANGE');
    case 'completion-ur':
      return hasCause(entry, 'UNSUPPORTED_REQUEST');
    case 'completion-ca':
      // One bit for two causes: the root port has to have received the abort.
      return hasCause(entry, 'COMPLETER_ABORT') && (chip.chip === 'phb4' || saysAbort(dump));
    default:
      return true;
  }
}

/** The root port's own AER says the same as the bridge. */
function rootPortAgrees({ evidence, cause }: Reading): boolean {
  const uncorrectable = word(evidence.dump, 'uncorrErrorStatus');
  // Firmware lets a completion timeout fence the bridge: without the fence some of the dump is lost.
  if (cause.event === 'completion-timeout') return evidence.fenced && (uncorrectable & 0x4000n) !== 0n;
  if (cause.event === 'malformed-tlp') return (uncorrectable & 0x40000n) !== 0n;
  if (cause.event === 'link-lost') return (uncorrectable & 0x20n) !== 0n || evidence.link?.active === false;
  return cause.event === 'injected';
}

/** Their record only says "refused": the trap bit alone names the reason. */
const NAMED_BY_TRAP: readonly string[] = ['dma-out-of-window', 'dma-no-window', 'msi-wrong-pe'];
const SURE_NAMES: readonly Known[] = ['stated', 'derived'];

/** Whether somebody ever said what the deciding bit means, where nothing else in the dump says it. */
function isNameKnown({ evidence, cause }: Reading): boolean {
  const { chip } = evidence;
  // Names of the P7IOC are those of its successors.
  if (chip.chip === 'p7ioc') return false;
  if (!NAMED_BY_TRAP.includes(cause.event)) return true;
  return chip.traps.some(({ table }) =>
    [...table.byBit.values()].some(
      ({ bit, known = table.known }) => `${table.register}[${bit}]` === cause.by?.name && SURE_NAMES.includes(known),
    ),
  );
}

function fromChain(explained: ExplainedDump, reading: Reading): Certainty {
  if (!isConsistent(reading) || !lemAgrees(reading) || explained.dump.problems.length > 0) return 'likely';
  if (GUESSED_EVENTS.includes(explained.event) || !isNameKnown(reading)) return 'likely';
  const agrees = PE_EVENTS.includes(explained.event) ? recordAgrees(reading) : rootPortAgrees(reading);
  return agrees ? 'certain' : 'likely';
}

export function certaintyOf(explained: ExplainedDump): Certainty {
  const { reading } = explained;
  if (reading === undefined || reading.cause.proof === undefined) return 'possible';
  switch (reading.cause.proof) {
    case Proof.CHAIN:
      return fromChain(explained, reading);
    case Proof.NEST:
    case Proof.FIRST:
      return 'likely';
    case Proof.LEM:
      return recordAgrees(reading) ? 'likely' : 'possible';
    default:
      return 'possible';
  }
}
