/** An explanation as plain data for machines: docs/explain.schema.json. 64-bit values are strings of hex digits. */
import { hex64 } from '../hw/bits.js';
import type { DecodedRegister } from './decode.js';
import type { LogExplanation } from './explain.js';
import type { FaultEvent } from './fault/fault.js';
import type { PeState } from './pe-roles.js';
import { formatRid, type PestAddress, typeText } from './pest.js';

function addressJson(address: PestAddress): unknown {
  switch (address.kind) {
    case 'not-recorded':
      return null;
    case 'config':
      return { kind: 'config', function: formatRid(address.bdfn), register: address.register };
    default:
      return { kind: address.kind, address: hex64(address.address), window: address.window ?? null };
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

function eventJson(event: FaultEvent): unknown {
  const { primary, cause, recovery } = event;
  return {
    chip: event.chip,
    phb: event.phb ?? null,
    lines: event.lines,
    severity: event.severity,
    title: event.title,
    verdict: event.verdict,
    basis: event.basis,
    suspect: event.suspect,
    location: event.location ?? null,
    reportedPe: event.reportedPe ?? null,
    faultedPe: event.faultedPe ?? null,
    frozenPes: event.frozenPes,
    cause: {
      type: cause.type,
      certainty: cause.certainty,
      address: cause.address === undefined ? null : hex64(cause.address),
      direction: cause.direction ?? null,
      requester: cause.requester ?? null,
    },
    alternatives: event.alternatives,
    evidence: event.evidence.map(({ text, line }) => ({ text, line: line ?? null })),
    advice: event.advice,
    devices: event.devices.map((device) => ({
      address: device.address,
      driver: device.driver ?? null,
      ids: device.ids ?? null,
      name: device.name ?? null,
      pe: device.pe ?? null,
      part: device.part,
    })),
    firstErrorChain: primary?.chain ?? [],
    registers: (primary?.registers ?? []).map(registerJson),
    pest: (primary?.pes ?? []).map(peJson),
    recovery:
      recovery === undefined
        ? null
        : { ...recovery, failures: recovery.failures ?? null, limit: recovery.limit ?? null },
    dumps: event.dumps.map(({ dump }) => ({
      chip: dump.chip,
      form: dump.form,
      version: dump.version ?? null,
      lines: { first: dump.firstLine, last: dump.lastLine },
      problems: dump.problems,
    })),
    rtas: event.rtas === undefined ? null : rtasJson(event.rtas),
  };
}

function rtasJson(record: NonNullable<FaultEvent['rtas']>): unknown {
  const { version, severity, disposition, type, referenceCode, effect, interpretation } = record;
  return {
    id: record.id,
    version: version ?? null,
    severity: severity ?? null,
    disposition: disposition ?? null,
    type: type ?? null,
    referenceCode: referenceCode ?? null,
    effect: effect ?? null,
    outlook: record.outlook ?? null,
    subsystem: record.subsystem ?? null,
    machine: record.machine ?? null,
    interpretation:
      interpretation === undefined
        ? null
        : {
            cause: interpretation.cause,
            injected: interpretation.injected,
            pestA: hex64(interpretation.pestA),
            pestB: hex64(interpretation.pestB),
          },
    callouts: record.callouts,
    sections: record.sections,
    problems: record.problems,
  };
}

/** What `toJson` prints, as a value. */
export function toPlain(explanation: LogExplanation, name: string): unknown {
  return {
    input: name,
    lines: explanation.lineCount,
    stoppedAt: explanation.stoppedAt ?? null,
    events: explanation.events.map(eventJson),
    remarks: explanation.without?.found ?? [],
  };
}

export function toJson(explanation: LogExplanation, name: string): string {
  return JSON.stringify(toPlain(explanation, name), null, 2);
}
