// One client program for any server of the qtest protocol: the same accesses, over and over, and how many a second it gets through.
import { connect } from 'node:net';

const PHB = 0x3fffe40000000;
/** Where SCOM 0x2012045 (BAR enable of the first PHB's queue) stands in the XSCOM window. */
const BAR_ENABLE = 0x3fc0020120428;
const ALL_BARS = 0xf800000000000000n;
const RTT_BAR = PHB + 0x168;
const IODA_ADDRESS = PHB + 0x220;
const IODA_DATA = PHB + 0x228;
/** The TVT from entry 0 on, going on by itself. */
const TVT = (1n << 63n) | (9n << 48n);
const REGISTER_VALUES = 8;
const ENTRIES = 8;

const hex = (value) => `0x${value.toString(16)}`;

/** Register write and read, table entries in a row, SCOMs. */
function accesses() {
  const lines = [];
  for (let i = 1; i <= REGISTER_VALUES; i++)
    lines.push(`writeq ${hex(RTT_BAR)} ${hex(0x100000 * i)}`, `readq ${hex(RTT_BAR)}`);
  lines.push(`writeq ${hex(IODA_ADDRESS)} ${hex(TVT)}`);
  for (let i = 0; i < ENTRIES; i++) lines.push(`writeq ${hex(IODA_DATA)} ${hex(0x1000001 * i)}`);
  lines.push(`writeq ${hex(IODA_ADDRESS)} ${hex(TVT)}`);
  for (let i = 0; i < ENTRIES; i++) lines.push(`readq ${hex(IODA_DATA)}`);
  for (let i = 0; i < 4; i++) lines.push(`writeq ${hex(BAR_ENABLE)} ${hex(ALL_BARS)}`, `readq ${hex(BAR_ENABLE)}`);
  return lines;
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const NEWLINE = 10;

export class QtestLoad {
  /** @param {number} perRequest commands sent at once; the next ones follow when all of them are answered */
  constructor(socket, perRequest) {
    this.socket = socket;
    this.requests = [];
    const lines = accesses();
    for (let at = 0; at < lines.length; at += perRequest) {
      const part = lines.slice(at, at + perRequest);
      this.requests.push({ bytes: Buffer.from(`${part.join('\n')}\n`), replies: part.length });
    }
    socket.setNoDelay?.(true);
    socket.on('data', (chunk) => this.received(chunk));
  }

  static async to(path, perRequest) {
    const socket = connect({ path });
    await new Promise((done, failed) => {
      socket.once('connect', done);
      socket.once('error', failed);
    });
    const load = new QtestLoad(socket, perRequest);
    await load.round();
    return load;
  }

  /** All accesses once; the checksum of the replies. */
  async round() {
    this.checksum = FNV_OFFSET;
    await this.runRequests(this.requests.length);
    const { checksum } = this;
    this.checksum = undefined;
    return checksum >>> 0;
  }

  /** Accesses a second over at least this long, in whole rounds. */
  async rate(seconds) {
    const begun = process.hrtime.bigint();
    let replies = 0;
    for (;;) {
      replies += await this.runRequests(this.requests.length * 32);
      const passed = Number(process.hrtime.bigint() - begun) / 1e9;
      if (passed >= seconds) return replies / passed;
    }
  }

  close() {
    this.socket.destroy();
  }

  runRequests(count) {
    this.left = count;
    this.next = 0;
    this.total = 0;
    const finished = new Promise((done) => {
      this.finished = done;
    });
    this.send();
    return finished;
  }

  send() {
    const { bytes, replies } = this.requests[this.next];
    this.next = (this.next + 1) % this.requests.length;
    this.outstanding = replies;
    this.total += replies;
    this.left--;
    this.socket.write(bytes);
  }

  received(chunk) {
    for (const byte of chunk) {
      if (byte === NEWLINE) this.outstanding--;
      if (this.checksum !== undefined) this.checksum = Math.imul(this.checksum ^ byte, FNV_PRIME);
    }
    if (this.outstanding > 0) return;
    if (this.left > 0) this.send();
    else this.finished(this.total);
  }
}
