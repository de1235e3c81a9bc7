/**
 * The register interface of QEMU's educational device, as data: BAR0, 1 MiB. Source: qemu docs/specs/edu.txt,
 * hw/misc/edu.c.
 *
 * Below DOUBLE_REGISTERS registers take accesses of 4 bytes; from there on 4 or 8, and 4 bytes mean the whole register:
 * read they are its lower half, written they clear its upper half. The rest of the BAR reads ones and ignores writes;
 * the buffer that DMA goes to and from is not to be seen there.
 */

export interface EduRegisterDeclaration {
  readonly at: number;
  readonly about: string;
}

export type EduRegister =
  | 'IDENTIFICATION'
  | 'LIVENESS'
  | 'FACTORIAL'
  | 'STATUS'
  | 'INTERRUPT_STATUS'
  | 'INTERRUPT_RAISE'
  | 'INTERRUPT_ACKNOWLEDGE'
  | 'DMA_SOURCE'
  | 'DMA_DESTINATION'
  | 'DMA_COUNT'
  | 'DMA_COMMAND';

export const EDU_REGISTERS: Readonly<Record<EduRegister, EduRegisterDeclaration>> = {
  IDENTIFICATION: { at: 0x00, about: 'reads 0x010000ed: version 1.0 and a sign' },
  LIVENESS: { at: 0x04, about: 'reads the inverse of what was written' },
  FACTORIAL: { at: 0x08, about: 'takes a number, gives its factorial when COMPUTING has fallen' },
  STATUS: { at: 0x20, about: 'COMPUTING; and whether the end of a computation interrupts' },
  INTERRUPT_STATUS: { at: 0x24, about: 'what raised interrupts that were not acknowledged' },
  INTERRUPT_RAISE: { at: 0x60, about: 'sets bits of the interrupt status and interrupts' },
  INTERRUPT_ACKNOWLEDGE: { at: 0x64, about: 'clears bits of the interrupt status' },
  DMA_SOURCE: { at: 0x80, about: 'address to read from: in the buffer if the command is TO_HOST' },
  DMA_DESTINATION: { at: 0x88, about: 'address to write to: in the buffer unless the command is TO_HOST' },
  DMA_COUNT: { at: 0x90, about: 'bytes' },
  DMA_COMMAND: { at: 0x98, about: 'START (falls when done), TO_HOST, INTERRUPT. Ignored without START' },
};

export const EDU_IDENTIFICATION = 0x0100_00ed;
export const EDU_STATUS = { COMPUTING: 0x01, INTERRUPT: 0x80 } as const;
export const EDU_INTERRUPT = { FACTORIAL: 0x0000_0001, DMA: 0x0000_0100 } as const;
export const EDU_COMMAND = { START: 0x1, TO_HOST: 0x2, INTERRUPT: 0x4 } as const;

/** Registers from here on are of 8 bytes. */
export const EDU_DOUBLE_REGISTERS = 0x80;

/** Where DMA finds the device's own memory: an address of the DMA engine, not of the BAR. */
export const EDU_BUFFER_AT = 0x4_0000;
export const EDU_BUFFER_BYTES = 4096;

const BY_OFFSET: ReadonlyMap<number, EduRegister> = new Map(
  (Object.keys(EDU_REGISTERS) as EduRegister[]).map((name) => [EDU_REGISTERS[name].at, name]),
);

export function eduRegisterAt(offset: number): EduRegister | undefined {
  return BY_OFFSET.get(offset);
}
