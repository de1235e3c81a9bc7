/**
 * What the bits of a dump say, ordered by how much they prove: the first-error chain before later bits.
 * Facts: phb4-diag 3.1, 5.1, 5.2; for PHB3 the LEM choice of skiboot hw/phb3.c: phb3_err_check_lem.
 */
import { type NamedBit, nameBits, setBits } from './bit-table.js';
import { CHIPS, type ChipDescription, type TrapDescription } from './chip.js';
import { type Dump, word } from './dump.js';
import { decodeLink, type LinkWord } from './pci-words.js';
import { isCause, type Signal } from './signals.js';

/** How strongly a bit points to the reason; smaller is stronger. */
export const Proof = {
  NEST: 0,
  CHAIN: 1,
  FIRST: 2,
  LEM: 3,
  STATUS: 4,
  LEM_LATER: 5,
  RECORD: 6,
  ROOT_PORT: 7,
  ECHO: 8,
} as const;
export type ProofLevel = (typeof Proof)[keyof typeof Proof];

export interface Finding {
  readonly name: string;
  readonly about: string | undefined;
  readonly signal: Signal;
  readonly proof: ProofLevel;
}

export interface Evidence {
  readonly dump: Dump;
  readonly chip: ChipDescription;
  /** LEM bits the event is charged to. */
  readonly lemFirst: readonly number[];
  readonly lemSet: readonly number[];
  readonly hasLem: boolean;
  /** From the LEM to the root bit, as printed. */
  readonly chain: readonly NamedBit[];
  readonly findings: readonly Finding[];
  readonly fenced: boolean;
  readonly link: LinkWord | undefined;
  readonly dead: boolean;
}

/** WOF without masked bits; else WOF; else the same with the FIR. */
function chosenLem(fir: bigint, mask: bigint, wof: bigint): bigint {
  for (const candidate of [wof & ~mask, wof, fir & ~mask, fir]) if (candidate !== 0n) return candidate;
  return 0n;
}

function firstBits(dump: Dump, trap: TrapDescription): NamedBit[] {
  return nameBits(trap.table, word(dump, trap.first));
}

/** Follows the summary bits of PHB4 from PHB_ERR down; each trap once. */
function followSummaries(dump: Dump, chip: ChipDescription): { path: NamedBit[]; leaves: NamedBit[] } {
  const path: NamedBit[] = [];
  const leaves: NamedBit[] = [];
  const visited = new Set<string>();
  const visit = (trap: TrapDescription): void => {
    if (visited.has(trap.label)) return;
    visited.add(trap.label);
    for (const entry of firstBits(dump, trap)) {
      path.push(entry);
      const next = chip.traps.find((candidate) => candidate.label === trap.pointsTo?.[entry.bit]);
      if (next === undefined) leaves.push(entry);
      else visit(next);
    }
  };
  visit(chip.traps[0]!);
  return { path, leaves };
}

/** PHB3 has no summary bits: the chain is the first bits that feed the LEM bit in charge. */
function followLem(
  dump: Dump,
  chip: ChipDescription,
  lemFirst: readonly number[],
): { path: NamedBit[]; leaves: NamedBit[] } {
  const path = chip.traps.flatMap((trap) =>
    firstBits(dump, trap).filter((entry) => entry.lem !== undefined && lemFirst.includes(entry.lem)),
  );
  return { path, leaves: path };
}

function toFinding(entry: NamedBit, proof: ProofLevel): Finding {
  return { name: entry.name, about: entry.about, signal: entry.signal ?? 'informational', proof };
}

/** A nest bit other than the fence itself comes first when the PHB's own registers only echo the fence. */
function nestFindings(dump: Dump, chip: ChipDescription, lemFirst: readonly number[]): Finding[] {
  const wof = word(dump, 'nFirWOF') & ~word(dump, 'nFirMask');
  const named = nameBits(chip.nest, wof);
  // The mask keeps some of them out of the WOF.
  const status = setBits(word(dump, 'nFir') | wof);
  const forced = chip.forcedFence.length > 0 && chip.forcedFence.every((bit) => status.includes(bit));
  const onlyEcho = lemFirst.every((bit) => chip.lem.byBit.get(bit)?.signal === 'fence-echo');
  return named.map((entry) => {
    if (forced && chip.forcedFence.includes(entry.bit)) {
      return { ...toFinding(entry, Proof.ECHO), signal: 'forced-fence' as const };
    }
    if (entry.signal === 'fence-echo') return toFinding(entry, Proof.ECHO);
    return toFinding(entry, onlyEcho ? Proof.NEST : Proof.STATUS);
  });
}

/** AER bits of the root port that name an event by themselves. Facts: phb4-diag 5.1 rows 15, 20 to 22. */
const ROOT_PORT_SIGNALS: readonly (readonly [field: string, mask: bigint, name: string, signal: Signal])[] = [
  ['rootErrorStatus', 0x40n, 'AER root: fatal message', 'message-fatal'],
  ['rootErrorStatus', 0x20n, 'AER root: non-fatal message', 'message-nonfatal'],
  ['uncorrErrorStatus', 0x20n, 'AER: surprise link down', 'link-lost'],
  ['uncorrErrorStatus', 0x4000n, 'AER: completion timeout', 'completion-timeout'],
  ['uncorrErrorStatus', 0x40000n, 'AER: malformed packet', 'malformed-tlp'],
  ['uncorrErrorStatus', 0x1000n, 'AER: poisoned packet', 'poisoned'],
  ['rootErrorStatus', 0x1n, 'AER root: correctable message', 'message-correctable'],
];

function rootPortFindings(dump: Dump): Finding[] {
  return ROOT_PORT_SIGNALS.filter(([field, mask]) => (word(dump, field) & mask) !== 0n).map(([, , name, signal]) => ({
    name,
    about: undefined,
    signal,
    proof: Proof.ROOT_PORT,
  }));
}

/** Set by firmware on PHB3's UTL when the link drops; the PHB trap only says "PCIe core". */
function utlFindings(dump: Dump): Finding[] {
  const linkDown = ((word(dump, 'portStatusReg') >> 20n) & 1n) === 1n;
  if (dump.chip === 'phb4' || !linkDown) return [];
  return [{ name: 'UTL port[11]', about: 'link went down', signal: 'link-lost', proof: Proof.FIRST }];
}

function trapFindings(dump: Dump, chip: ChipDescription): Finding[] {
  return chip.traps.flatMap((trap) => {
    const first = firstBits(dump, trap);
    const names = new Set(first.map((entry) => entry.name));
    const later = nameBits(trap.table, word(dump, trap.status)).filter((entry) => !names.has(entry.name));
    return [
      ...first.map((entry) => toFinding(entry, Proof.FIRST)),
      ...later.map((entry) => toFinding(entry, Proof.STATUS)),
    ];
  });
}

/** Stronger proof first; a named reason before "internal error", causes before companions. */
function byProof(a: Finding, b: Finding): number {
  const weight = (f: Finding) => (isCause(f.signal) ? 0 : 100) + f.proof + (f.signal === 'internal' ? 0.5 : 0);
  return weight(a) - weight(b);
}

function withoutRepeats(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter((finding) => {
    if (seen.has(finding.name)) return false;
    seen.add(finding.name);
    return true;
  });
}

function isDead(dump: Dump): boolean {
  const words = [...dump.words.entries()].filter(([, entry]) => entry.value !== 0n);
  return (
    words.length >= 3 &&
    words.every(
      ([name, { value }]) =>
        value === 0xffff_ffff_ffff_ffffn ||
        value === 0xffff_ffffn ||
        (value === 0xffffn && (name === 'brdgCtl' || name === 'devSecStatus')),
    )
  );
}

/** A chip without a fence bit in its dump: errors of the class that firmware lets fence. Facts: ioda1-p7ioc 7.5. */
function isFenced(dump: Dump, chip: ChipDescription, nest: bigint): boolean {
  if (chip.fenceBit !== undefined) return setBits(nest).includes(chip.fenceBit);
  return chip.traps.some((trap) => firstBits(dump, trap).some((entry) => entry.class === 'Fatal'));
}

/** Words that nobody answered: no bit of them was ever set. */
function withoutAnswer(dump: Dump, chip: ChipDescription): Evidence {
  const link = dump.words.get('linkStatus');
  return {
    ...{ dump, chip, lemFirst: [], lemSet: [], hasLem: false, chain: [], findings: [] },
    ...{ fenced: true, link: link === undefined ? undefined : decodeLink(link.value), dead: true },
  };
}

export function gatherEvidence(dump: Dump): Evidence {
  const chip = CHIPS[dump.chip];
  if (isDead(dump)) return withoutAnswer(dump, chip);
  const fir = word(dump, 'lemFir');
  const wof = word(dump, 'lemWOF');
  const chosen = chosenLem(fir, word(dump, 'lemErrorMask'), wof);
  const lemFirst = setBits(chosen);
  const { path, leaves } =
    chip.lemPointer === undefined ? followLem(dump, chip, lemFirst) : followSummaries(dump, chip);
  const findings = [
    ...nestFindings(dump, chip, lemFirst),
    ...leaves.map((entry) => toFinding(entry, Proof.CHAIN)),
    ...utlFindings(dump),
    ...trapFindings(dump, chip),
    ...nameBits(chip.lem, chosen).map((entry) => toFinding(entry, Proof.LEM)),
    ...nameBits(chip.lem, fir).map((entry) => toFinding(entry, Proof.LEM_LATER)),
    ...rootPortFindings(dump),
  ];
  const nest = word(dump, 'nFir') | word(dump, 'nFirWOF');
  const link = dump.words.get('linkStatus');
  return {
    dump,
    chip,
    lemFirst,
    lemSet: setBits(fir | wof),
    hasLem: dump.words.has('lemFir') && fir !== 0n,
    chain: [...nameBits(chip.lem, chosen), ...path],
    findings: withoutRepeats(findings.sort(byProof)),
    fenced: dump.fenceDetected || isFenced(dump, chip, nest),
    link: link === undefined ? undefined : decodeLink(link.value),
    dead: false,
  };
}
