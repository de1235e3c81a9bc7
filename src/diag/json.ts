/** An explanation as plain data for machines. 64-bit values are strings of 16 hex digits, PE numbers are numbers. */
import { hex64 } from '../hw/bits.js';
import type { DecodedRegister } from './decode.js';
import type { ExplainedDump, LogExplanation } from './explain.js';
import type { PeState } from './pe-roles.js';
import { formatRid, type PestAddress, typeText } from './pest.js';

function addressJson(address: PestAddress): unknown {
  switch (address.kind) {
    case 'not-recorded':
      return null;
    case 'config':
      return { kind: 'config', function: formatRid(address.bdfn), register: address.register };
    default:
      return { kind: address.kind, address: hex64(address.address) };
  }
}

function peJson(state: PeState): unknown {
  const { entry } = state;
  return {
    first: state.first,
    last: state.last,
    openEnded: state.openEnded,
    role: state.role,
    sameAs: state.sameAs ?? null,
    line: state.line,
    pestA: hex64(entry.a),
    pestB: hex64(entry.b),
    mmioFrozen: entry.mmioFrozen,
    dmaStopped: entry.dmaStopped,
    record: entry.hasRecord
      ? {
          type: typeText(entry),
          causes: entry.causes,
          lemBit: entry.lemBit,
          requesterId: entry.requesterId === 0 ? null : formatRid(entry.requesterId),
          msiData: entry.msiData,
          address: addressJson(entry.location),
        }
      : null,
  };
}

function registerJson(register: DecodedRegister): unknown {
  return {
    label: register.label,
    about: register.about,
    values: Object.fromEntries(
      register.words.map((word) => [word.name, word.value.toString(16).padStart(word.digits, '0')]),
    ),
    bits: register.bits.map((bit) => ({
      name: bit.name,
      bit: bit.bit,
      about: bit.about === undefined || bit.about === '' ? null : bit.about,
      class: bit.class ?? null,
      first: bit.first,
    })),
    notes: register.notes,
  };
}

function dumpJson(explained: ExplainedDump): unknown {
  const { dump } = explained;
  return {
    chip: dump.chip,
    form: dump.form,
    phb: dump.phbNumbers[0] ?? null,
    phbText: dump.phbText ?? null,
    version: dump.version ?? null,
    lines: { first: dump.firstLine, last: dump.lastLine },
    event: explained.event,
    title: explained.title,
    sentence: explained.sentence,
    scope: explained.scope,
    suspect: explained.suspect,
    certainty: explained.certainty,
    decidedBy: explained.decidedBy ?? null,
    firstErrorChain: explained.chain,
    faultedPe: explained.culprit ?? null,
    reportedPe: explained.reportedPe ?? null,
    dmaAddress: explained.address === undefined ? null : hex64(explained.address),
    sameEventAs: explained.sameEventAs ?? null,
    notes: explained.notes,
    advice: explained.advice,
    problems: dump.problems,
    registers: explained.registers.map(registerJson),
    pes: explained.pes.map(peJson),
  };
}

export function toJson(explanation: LogExplanation, name: string): string {
  const { without } = explanation;
  const plain = {
    input: name,
    lines: explanation.lineCount,
    dumps: explanation.dumps.map(dumpJson),
    withoutDump: without === undefined ? null : without,
  };
  return JSON.stringify(plain, null, 2);
}
