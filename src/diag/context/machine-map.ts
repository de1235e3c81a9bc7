/** Which device sits in which PE: from boot lines, from hot-plug lines, or from `lspci -nn`. Facts: eeh-linux 13.3. */
export interface KnownFunction {
  /** "0030:0d:00.0" */
  readonly address: string;
  /** "144d:a808" */
  ids: string | undefined;
  /** What lspci calls it. */
  name: string | undefined;
}

export interface DmaWindow {
  readonly number: number;
  readonly first: bigint;
  readonly last: bigint;
}

interface WrittenWindow {
  readonly number: number;
  readonly first: string;
  readonly last: string;
}

const hex = (text: string): number => Number.parseInt(text, 16);
const ADDRESS = '[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]';

const BUS_PE = /pci ([0-9a-f]{4}):([0-9a-f]{2}) {1,9}: \[PE# ?([0-9a-f]{1,4})\]/;
const WINDOW =
  /pci ([0-9a-f]{4}):[0-9a-f:. ]{2,14}: \[PE# ?([0-9a-f]{1,4})\] Setting up window#(\d{1,2}) ([0-9a-f]{1,16})\.\.([0-9a-f]{1,16})/;
/** Where one table covers a run of segments, and in older kernels. */
const TABLE =
  /pci ([0-9a-f]{4}):[0-9a-f:. ]{2,14}: \[PE# ?([0-9a-f]{1,4})\] {1,2}Setting up 32-bit TCE table at ([0-9a-f]{1,16})\.\.([0-9a-f]{1,16})/;
const DEVICE_PE = new RegExp(`pci (${ADDRESS}): \\[PE# ?([0-9a-f]{1,4})\\] Associated device`);
const CONFIGURED = new RegExp(`pci (${ADDRESS}): (?:Configured|Added to existing) PE#([0-9a-f]{1,4})`);
const FOUND = new RegExp(`pci (${ADDRESS}): \\[([0-9a-f]{4}:[0-9a-f]{4})\\] type`);
const LSPCI = /^(?:([0-9a-f]{4}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) (.{1,160}) \[[0-9a-f]{4}\]: (.{1,200})$/i;

/** Functions kept: a bridge has at most 65,536; no machine comes near. */
const MOST = 20_000;

export class MachineMap {
  readonly #busPes = new Map<string, number>();
  readonly #devicePes = new Map<string, number>();
  readonly #functions = new Map<string, KnownFunction>();

  readonly #windows = new Map<string, DmaWindow[]>();

  read(text: string): void {
    if (text.includes('[PE#')) this.#readPe(text);
    else if (text.includes(' PE#')) this.#readOwn(CONFIGURED.exec(text));
    if (!text.includes('] type')) return;
    const found = FOUND.exec(text);
    if (found) this.#function(found[1]!).ids = found[2]!;
  }

  #readPe(text: string): void {
    const bus = BUS_PE.exec(text);
    if (bus) this.#busPes.set(`${bus[1]}:${bus[2]}`, hex(bus[3]!));
    this.#readOwn(DEVICE_PE.exec(text) ?? CONFIGURED.exec(text));
    const window = text.includes('window#') ? WINDOW.exec(text) : null;
    if (window) this.#addWindow(window, { number: Number(window[3]!), first: window[4]!, last: window[5]! });
    const table = text.includes('TCE table') ? TABLE.exec(text) : null;
    if (table) this.#addWindow(table, { number: 0, first: table[3]!, last: table[4]! });
  }

  #readOwn(own: RegExpExecArray | null): void {
    if (own && this.#devicePes.size < MOST) {
      this.#devicePes.set(own[1]!, hex(own[2]!));
      this.#function(own[1]!);
    }
  }

  /** One line of `lspci -nn` (or of `lspci`, without the numbers). */
  readLspci(text: string): boolean {
    const line = LSPCI.exec(text.trim());
    if (line === null) return false;
    const ids = /\[([0-9a-f]{4}:[0-9a-f]{4})\]/i.exec(line[4]!)?.[1];
    const known = this.#function(`${line[1] ?? '0000'}:${line[2]}`.toLowerCase());
    known.name = line[4]!.replace(/ ?\[[0-9a-f]{4}:[0-9a-f]{4}\].*$/i, '');
    if (ids !== undefined) known.ids = ids.toLowerCase();
    return true;
  }

  describe(address: string): KnownFunction | undefined {
    return this.#functions.get(address);
  }

  peOf(address: string): number | undefined {
    return this.#devicePes.get(address) ?? this.#busPes.get(address.slice(0, 7));
  }

  /** DMA windows that the kernel set up for a PE. */
  windowsOf(domain: number, pe: number): readonly DmaWindow[] {
    return this.#windows.get(`${domain}:${pe}`) ?? [];
  }

  #addWindow([, domain, number]: RegExpExecArray, { first, last, ...rest }: WrittenWindow): void {
    if (this.#windows.size >= MOST) return;
    const pe = `${hex(domain!)}:${hex(number!)}`;
    const window = { ...rest, first: BigInt(`0x${first}`), last: BigInt(`0x${last}`) };
    const others = (this.#windows.get(pe) ?? []).filter((known) => known.number !== window.number);
    this.#windows.set(pe, [...others, window]);
  }

  /** Functions of a PE, as far as the log told. */
  inPe(domain: number, pe: number): KnownFunction[] {
    const prefix = `${domain.toString(16).padStart(4, '0')}:`;
    return [...this.#functions.values()].filter(
      ({ address }) => address.startsWith(prefix) && this.peOf(address) === pe,
    );
  }

  #function(address: string): KnownFunction {
    let known = this.#functions.get(address);
    if (known === undefined) {
      known = { address, ids: undefined, name: undefined };
      if (this.#functions.size < MOST) this.#functions.set(address, known);
    }
    return known;
  }
}
