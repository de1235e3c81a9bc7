/** Answers to requests: completions with and without data, and their cutting. PCI Express base specification 2.2.9, 2.3.1.1. */
import { type CompletionStatus, draftTlp, isAtomic, NO_ADDRESS, type Tlp, type TlpDraft } from './tlp.js';

/** A completion without data: of a configuration write, or with a failing status. */
export function completion(request: Tlp, completerId: number, status: CompletionStatus): Tlp {
  const tlp = answerTo(request, 'Cpl', 0);
  tlp.completerId = completerId;
  tlp.status = status;
  tlp.byteCount = completionBytes(request);
  tlp.lowerAddress = 0;
  return tlp;
}

/** The completion has the attributes and the traffic class of its request, where that has any. */
function answerTo(request: Tlp, kind: 'Cpl' | 'CplD', lengthBytes: number): TlpDraft {
  const tlp = draftTlp(kind, request, NO_ADDRESS, lengthBytes);
  tlp.attributes = request.attributes;
  tlp.trafficClass = request.trafficClass;
  return tlp;
}

/** The data a completion carries, and its place in the answer. */
interface CompletionPart {
  readonly data: Uint8Array;
  readonly byteCount: number;
  readonly lowerAddress: number;
}

function completionPart(request: Tlp, completerId: number, { data, byteCount, lowerAddress }: CompletionPart): Tlp {
  const tlp = answerTo(request, 'CplD', data.length);
  tlp.data = data;
  tlp.completerId = completerId;
  tlp.status = 'SC';
  tlp.byteCount = byteCount;
  tlp.lowerAddress = lowerAddress;
  return tlp;
}

/** Byte count of a completion that ends its request. An atomic returns one operand; compare-and-swap carries two. */
function completionBytes(request: Tlp): number {
  if (request.kind === 'CAS') return request.lengthBytes / 2;
  return request.kind === 'MRd' || isAtomic(request) ? request.lengthBytes : 4;
}

/** A single completion that carries all the data of a configuration read or of a short memory read. */
export function completionWithData(request: Tlp, completerId: number, data: Uint8Array): Tlp {
  const lowerAddress = request.kind === 'MRd' ? request.addressLo & 0x7f : 0;
  return completionPart(request, completerId, { data, byteCount: data.length, lowerAddress });
}

/** How a completer may cut its answer: by Max_Payload_Size, at multiples of the Read Completion Boundary. */
export interface CompletionCut {
  readonly maxPayloadBytes: number;
  readonly boundaryBytes: 64 | 128;
}

/**
 * The completions of one memory read, in order. Each but the last ends on a read completion boundary
 * (PCI Express base specification 2.3.1.1).
 */
export function splitCompletions(request: Tlp, completerId: number, data: Uint8Array, cut: CompletionCut): Tlp[] {
  const out: Tlp[] = [];
  let done = 0;
  while (done < data.length) {
    const start = request.addressLo + done;
    const limit = start + cut.maxPayloadBytes;
    const aligned = limit - (limit % cut.boundaryBytes);
    const room = (aligned > start ? aligned : limit) - start;
    const take = Math.min(data.length - done, room);
    const part = data.subarray(done, done + take);
    const byteCount = data.length - done;
    out.push(completionPart(request, completerId, { data: part, byteCount, lowerAddress: start & 0x7f }));
    done += take;
  }
  return out;
}
