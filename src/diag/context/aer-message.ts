/** Errors that Linux' own AER driver tells of, on machines where firmware leaves it to Linux. Source: linux pci/pcie/aer.c. */
export type AerSeverity = 'Corrected' | 'Uncorrected (Non-Fatal)' | 'Uncorrected (Fatal)';

export interface AerMessage {
  /** Function that found the error: "0030:0d:00.0". */
  readonly address: string;
  readonly driver: string;
  readonly severity: AerSeverity;
  /** "Transaction Layer" */
  readonly layer: string;
  /** Bits of the status register of that severity, of all its messages. */
  status: number;
  ids: string | undefined;
  /** First packet that was logged. */
  header: readonly number[] | undefined;
  outcome: 'recovered' | 'not-recovered' | 'unknown';
  readonly line: number;
  lastLine: number;
  /** The same again and again is one entry. */
  count: number;
}

const ADDRESS = '([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7])';
const BUS_ERROR = new RegExp(
  `([\\w-]{1,40}) ${ADDRESS}: (?:AER: )?PCIe Bus Error: severity=(Corrected|Uncorrected \\((?:Non-)?Fatal\\)), type=([A-Z][A-Za-z ]{1,30}),`,
);
const STATUS = new RegExp(
  `${ADDRESS}: {1,8}(?:AER: )?device \\[([0-9a-f]{4}:[0-9a-f]{4})\\] error status/mask=([0-9a-f]{8})/`,
);
const HEADER = new RegExp(`${ADDRESS}: {1,8}(?:AER: )?TLP Header: ((?:(?:0x)?[0-9a-f]{8} ?){4})`);
const OUTCOME = /AER: [Dd]evice recovery (successful|failed)/;
/** Kinds of messages that are kept. */
const KEPT = 256;

export class AerReader {
  readonly messages: AerMessage[] = [];
  #open: AerMessage | undefined;

  read(line: number, text: string): void {
    if (text.includes('PCIe Bus Error')) this.#readError(line, text);
    else if (text.includes('error status/mask')) this.#readStatus(line, text);
    else if (text.includes('TLP Header')) this.#readHeader(line, text);
    else if (text.includes('evice recovery')) this.#readOutcome(line, text);
  }

  #readError(line: number, text: string): void {
    const found = BUS_ERROR.exec(text);
    if (found === null) return;
    const [, driver, address, severity, layer] = found;
    const known = this.messages.find(
      (each) => each.address === address && each.severity === severity && each.layer === layer,
    );
    if (known !== undefined) {
      known.count += 1;
      known.lastLine = line;
      this.#open = known;
    } else if (this.messages.length < KEPT) {
      this.#open = {
        ...{ address: address!, driver: driver!, severity: severity as AerSeverity, layer: layer! },
        ...{ status: 0, ids: undefined, header: undefined, outcome: 'unknown', line, lastLine: line, count: 1 },
      };
      this.messages.push(this.#open);
    }
  }

  #readStatus(line: number, text: string): void {
    const found = STATUS.exec(text);
    const open = this.#of(found?.[1]);
    if (found === null || open === undefined) return;
    open.ids = found[2]!;
    open.status |= Number.parseInt(found[3]!, 16);
    open.lastLine = line;
  }

  #readHeader(line: number, text: string): void {
    const found = HEADER.exec(text);
    const open = this.#of(found?.[1]);
    if (found === null || open === undefined) return;
    open.header ??= found[2]!
      .trim()
      .split(' ')
      .map((word) => Number.parseInt(word, 16));
    open.lastLine = line;
  }

  #readOutcome(line: number, text: string): void {
    const said = OUTCOME.exec(text)?.[1];
    if (said === undefined || this.#open === undefined) return;
    this.#open.outcome = said === 'successful' ? 'recovered' : 'not-recovered';
    this.#open.lastLine = line;
  }

  /** The message that is being told, if this line is of the same function. */
  #of(address: string | undefined): AerMessage | undefined {
    return this.#open?.address === address ? this.#open : undefined;
  }
}
