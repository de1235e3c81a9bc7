/** Input that a person wrote, or a machine for people: bytes to text, and a clear answer where they are none. */
import { UnreadableInputError } from './host-streams.js';

const SAMPLE_BYTES = 65_536;
/** One odd byte in so many is an accident of a terminal; more is no text. */
const ODD_SHARE = 20;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const ESCAPE = 0x1b;
const PLAIN_CONTROLS: readonly number[] = [TAB, LINE_FEED, CARRIAGE_RETURN, ESCAPE];

/** Reads UTF-16 where the byte order mark says so, else UTF-8. `otherwise`: what binary data are not, and what to give. */
export function decodeText(name: string, bytes: Uint8Array, otherwise: string): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  if (isBinary(bytes.subarray(0, SAMPLE_BYTES))) throw new UnreadableInputError(`${name}: binary data, ${otherwise}`);
  return new TextDecoder('utf-8').decode(bytes);
}

function isBinary(sample: Uint8Array): boolean {
  const odd = sample.filter((byte) => byte < 0x20 && !PLAIN_CONTROLS.includes(byte)).length;
  return sample.includes(0) || odd * ODD_SHARE > sample.length;
}
