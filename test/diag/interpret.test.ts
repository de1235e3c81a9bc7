import { describe, expect, it } from 'vitest';
import type { Phb3DiagField } from '../../src/diag/phb3/layout.js';
import type { Phb4DiagField } from '../../src/diag/phb4/layout.js';
import { ALL_ONES } from '../../src/hw/bits.js';
import { bitsOf, explainPhb3, explainPhb4, type PestByPe } from './support.js';

type Phb4Fields = Partial<Record<Phb4DiagField, bigint>>;
type Phb3Fields = Partial<Record<Phb3DiagField, bigint>>;

const FROZEN = bitsOf(0);
const FENCE: Phb4Fields = { nFir: bitsOf(16), nFirMask: 0x0030001c00000000n, nFirWOF: bitsOf(16) };

/** A trap word with status and first set to the same bits. */
const phb = (...bits: number[]): Phb4Fields => ({
  phbErrorStatus: bitsOf(...bits),
  phbFirstErrorStatus: bitsOf(...bits),
});
const lem = (...bits: number[]): Phb4Fields => ({ lemFir: bitsOf(...bits), lemWOF: bitsOf(...bits) });
const arb = (...bits: number[]): Phb4Fields => ({
  ...phb(20),
  phbRxeArbErrorStatus: bitsOf(...bits),
  phbRxeArbFirstErrorStatus: bitsOf(...bits),
});
const tce = (...bits: number[]): Phb4Fields => ({
  ...phb(22),
  phbRxeTceErrorStatus: bitsOf(...bits),
  phbRxeTceFirstErrorStatus: bitsOf(...bits),
});
const txe = (...bits: number[]): Phb4Fields => ({
  ...phb(23),
  phbTxeErrorStatus: bitsOf(...bits),
  phbTxeFirstErrorStatus: bitsOf(...bits),
});
const mrg = (...bits: number[]): Phb4Fields => ({
  ...phb(21),
  phbRxeMrgErrorStatus: bitsOf(...bits),
  phbRxeMrgFirstErrorStatus: bitsOf(...bits),
});
const regb = (...bits: number[]): Phb4Fields => ({
  ...lem(31),
  ...phb(25),
  phbRegbErrorStatus: bitsOf(...bits),
  phbRegbFirstErrorStatus: bitsOf(...bits),
});
const pbl = (...bits: number[]): Phb4Fields => ({
  ...regb(25),
  ...phb(24),
  phbPblErrorStatus: bitsOf(...bits),
  phbPblFirstErrorStatus: bitsOf(...bits),
});
/** PEST A with bit 0, the type in 5:7, the LEM bit in 26:31, further bits and a RID. */
const pestA = (type: number, lemBit: number, bits: number[] = [], rid = 0): bigint =>
  bitsOf(0, ...bits) | (BigInt(type) << 56n) | (BigInt(lemBit) << 32n) | (BigInt(rid) << 16n);

/** A row of a table: what is expected, how it is known, the registers, the PEST. */
type Row<F> = readonly [event: string, known: string, fields: F, pest?: PestByPe];
const rows = <F>(table: readonly Row<F>[]) =>
  table.map(([event, known, fields, pest]) => ({ event, known, fields, pest: pest ?? {} }));

describe('a first-error chain of PHB4', () => {
  const cases: readonly Row<Phb4Fields>[] = [
    ['injected', 'TXE[30]', { ...lem(3), ...txe(30) }, { 0: [pestA(7, 3, [2]), FROZEN] }],
    ['injected', 'RXE_ARB[39]', { ...lem(39), ...arb(39) }],
    ['dma-unmapped', 'RXE_TCE[1]', { ...lem(56), ...tce(1) }, { 5: [pestA(0, 56, [16, 18, 19]), FROZEN] }],
    ['dma-permission', 'RXE_TCE[2]', { ...lem(56), ...tce(2) }, { 5: [pestA(3, 56, [16, 19]), FROZEN] }],
    ['dma-refused', 'RXE_TCE[2]', { ...lem(56), ...tce(2) }],
    ['dma-secure', 'RXE_TCE[33]', { ...lem(56), ...tce(33) }],
    [
      'dma-out-of-window',
      'RXE_ARB[28]',
      { ...lem(35), ...arb(28) },
      { 5: [pestA(0, 35, [16]), FROZEN | 0x203974c00000n] },
    ],
    ['dma-no-window', 'RXE_ARB[26]', { ...lem(35), ...arb(26) }],
    ['dma-window', 'LEM[35]', lem(35)],
    ['rid-without-pe', 'RXE_ARB[40]', { ...lem(47), ...arb(40) }],
    ['msi-wrong-pe', 'RXE_ARB[27]', { ...lem(33), ...arb(27) }],
    ['msi-malformed', 'RXE_ARB[3]', { ...lem(34), ...arb(3), ...FENCE }],
    ['poisoned', 'RXE_ARB[24]', { ...lem(46), ...arb(24) }],
    ['completion-ur', 'PBL[39]', { ...pbl(39), lemFir: bitsOf(31, 42) }, { 7: [pestA(4, 42, [2, 9], 0x500), FROZEN] }],
    ['completion-ca', 'PBL[36]', { ...pbl(36) }],
    [
      'config-write-refused',
      'TXE[17]',
      { ...lem(12), ...txe(17) },
      { 7: [pestA(7, 12, [2, 4, 9]), FROZEN | 0xe000010n] },
    ],
    ['completion-timeout', 'PBL[47]', { ...pbl(47), ...FENCE }],
    ['completion-lost', 'RXE_ARB[34]', { ...lem(43), ...arb(34), ...FENCE }],
    ['completion-unexpected', 'RXE_ARB[35]', { ...lem(43), ...arb(35), ...FENCE }],
    ['config-write-timeout', 'TXE[29]', { ...lem(15), ...txe(29), ...FENCE }],
    ['config-request', 'LEM[15]', lem(15)],
    ['link-lost', 'REGB[8]', regb(8, 9)],
    ['message-fatal', 'RXE_ARB[57]', { ...lem(36), ...arb(57) }],
    ['message-nonfatal', 'RXE_ARB[58]', { ...lem(37), ...arb(58) }],
    ['message-correctable', 'RXE_ARB[59]', { ...lem(38), ...arb(59), sourceId: 0x0100n }],
    ['malformed-tlp', 'PBL[41]', { ...pbl(41), ...FENCE }],
    ['outbound-dropped', 'PBL[33]', pbl(33)],
    ['link-stuck', 'PBL[53]', { ...pbl(53), ...FENCE }],
    ['mmio-no-window', 'TXE[2]', { ...lem(1), ...txe(2) }],
    ['memory-timeout', 'RXE_TCE[8]', { ...lem(57), ...tce(8), ...FENCE }],
    ['migration', 'RXE_MRG[18]', { ...lem(53), ...mrg(18) }],
    ['table-bar-disabled', 'RXE_MRG[51]', { ...lem(49), ...mrg(51) }],
    ['bad-register-access', 'PHB_ERR[2]', { ...lem(17), ...phb(2) }],
    ['nest-hardware', 'NEST_FIR[12]', { ...lem(55), ...mrg(63), nFir: bitsOf(12, 16), nFirWOF: bitsOf(12) }],
    ['capp', 'NEST_FIR[24]', { ...lem(55), ...mrg(63), nFir: bitsOf(16, 24), nFirWOF: bitsOf(24) }],
    ['forced-fence', 'NEST_FIR[26]', { ...lem(55), ...mrg(63), nFir: bitsOf(16, 26), nFirWOF: bitsOf(26) }],
    ['internal', 'RXE_ARB[33]', { ...lem(32), ...arb(33), ...FENCE }],
  ];
  it.each(rows(cases))('is $event when $known came first', ({ event, known, fields, pest }) => {
    const explained = explainPhb4(fields, pest);
    expect([explained.event, explained.decidedBy]).toEqual([event, known]);
    expect(explained.sentence.length).toBeGreaterThan(30);
    expect(explained.scope).toBe(fields.nFir !== undefined ? 'bridge' : explained.scope);
  });
});

describe('without a bit that names a reason', () => {
  const cases: readonly Row<Phb4Fields>[] = [
    ['nest-fence', 'nothing', { ...lem(55), ...mrg(63), ...FENCE }],
    ['software-freeze', 'nothing', {}, { 4: [FROZEN, FROZEN] }],
    ['link-down', 'nothing', { linkStatus: 0xc101_0008n }],
    ['link-noise', 'nothing', { phbRegbErrorStatus: bitsOf(35), phbPcieDlpErrorStatus: bitsOf(1) }],
    ['corrected', 'nothing', { ...lem(60), ...tce(9) }],
    ['informational', 'nothing', { phbRegbErrorStatus: bitsOf(9) }],
    ['nothing-recorded', 'nothing', {}],
  ];
  it.each(rows(cases))('a dump is called $event', ({ event, fields, pest }) => {
    const explained = explainPhb4(fields, pest);
    expect([explained.event, explained.decidedBy]).toEqual([event, undefined]);
  });
});

describe('when the chain is broken', () => {
  it.each(
    rows<Phb4Fields>([
      ['dma-unmapped', 'PEST record only', {}, { 5: [pestA(0, 56, [16, 18, 19]), FROZEN] }],
      ['completion-ur', 'PEST record only', {}, { 5: [pestA(4, 42, [2, 9]), FROZEN] }],
      ['completion-ca', 'PEST record only', {}, { 5: [pestA(4, 42, [2, 8]), FROZEN] }],
      ['config-write-refused', 'PEST record only', {}, { 5: [pestA(7, 12, [2, 4, 9]), FROZEN] }],
      ['message-fatal', 'PEST record only', {}, { 5: [pestA(7, 36, [11]), FROZEN] }],
      ['msi-wrong-pe', 'PEST record only', {}, { 5: [pestA(1, 33, [16]), FROZEN] }],
      ['completion-timeout', 'root port registers only', { uncorrErrorStatus: 0x4000n }],
      ['completion-ur', 'LEM bits only', lem(42), { 5: [pestA(4, 42, [2, 9]), FROZEN] }],
      ['completion-timeout', 'LEM bits only', { ...lem(42), uncorrErrorStatus: 0x4000n }],
      ['completion-error', 'LEM bits only', lem(42)],
    ]),
  )('$event is found from the $known', ({ event, known, fields, pest }) => {
    const explained = explainPhb4(fields, pest);
    expect([explained.event, explained.certainty]).toEqual([event, known]);
  });

  it('a dump whose words are all ones is a bridge that does not answer', () => {
    const ones = {
      brdgCtl: 0xffffn,
      deviceStatus: 0xffff_ffffn,
      slotStatus: 0xffff_ffffn,
      linkStatus: 0xffff_ffffn,
      devCmdStatus: 0xffff_ffffn,
      devSecStatus: 0xffffn,
      lemFir: ALL_ONES,
      lemErrorMask: ALL_ONES,
      lemWOF: ALL_ONES,
    };
    const explained = explainPhb4(ones, { 0: [ALL_ONES, ALL_ONES], 1: [FROZEN, FROZEN] });
    expect(explained.event).toBe('dead');
    expect(explained.registers.flatMap((register) => register.notes)).toContain(
      'all ones: the root port did not answer',
    );
  });
});

describe('a DMA address in the record', () => {
  const range = (address: bigint) =>
    explainPhb4({ ...lem(35), ...arb(28) }, { 5: [pestA(0, 35, [16]), FROZEN | address] });

  it('above 2 GiB without bit 59 has lost its upper bits: iommu=nobypass is the cure', () => {
    const explained = range(0x203974c00000n);
    expect(explained.address).toBe(0x203974c00000n);
    expect(explained.sentence).toContain('DMA write by the device in PE 005 at PCI address 0x0000203974c00000');
    expect(explained.notes.join(' ')).toContain('upper bits the device dropped');
    expect(explained.advice[0]).toContain('iommu=nobypass');
  });

  it('with bit 59 is in the bypass window, and its memory address is named', () => {
    expect(range(0x0800_0000_1234_0000n).notes.join(' ')).toContain('memory address 0x12340000');
  });

  it('below 2 GiB is in the translated window', () => {
    expect(range(0x1000n).notes.join(' ')).toContain('0 to 2 GiB');
  });
});

describe('the PEs of a dump', () => {
  const roles = (fields: Phb4Fields, pest: PestByPe) => explainPhb4(fields, pest).pes.map((pe) => [pe.first, pe.role]);

  it('keep their parts: faulted, later, stale, without own record', () => {
    const fields = { ...lem(56), ...tce(1), lemFir: bitsOf(56, 42) };
    const pest = {
      1: [pestA(0, 56, [16, 18, 19]), FROZEN],
      2: [pestA(4, 42, [2, 9]), FROZEN],
      3: [pestA(1, 33, [16]), FROZEN],
      4: [FROZEN, FROZEN],
    } as const;
    expect(roles(fields, pest)).toEqual([
      [1, 'faulted'],
      [2, 'related'],
      [3, 'stale'],
      [4, 'no-own-cause'],
    ]);
  });

  it('with a different record of the same error do not count as the culprit the IOMMU log names', () => {
    const fields = { ...lem(56), ...tce(2), phbRxeTceErrorLog0: (3n << 62n) | 2n };
    const pest = { 1: [pestA(0, 56, [16, 18, 19]), FROZEN], 2: [pestA(3, 56, [16, 18, 19]), FROZEN] } as const;
    expect(roles(fields, pest)).toEqual([
      [1, 'related'],
      [2, 'faulted'],
    ]);
  });

  it('beyond a table of 256 can be words no chip wrote', () => {
    const explained = explainPhb4(
      { ...lem(3), ...txe(30) },
      { 0: [pestA(7, 3, [2]), FROZEN | 0x01010000n], 256: [0x80000007f8c97c00n, 0x80000000300d2243n] },
    );
    expect(explained.pes.map((pe) => pe.role)).toEqual(['faulted', 'artefact']);
    expect(explained.notes.join(' ')).toContain('PE 100 holds words no chip writes');
    expect(explained.pes[0]!.entry.location).toEqual({ kind: 'config', bdfn: 0x101, register: 0 });
  });

  it('of a fenced bridge may all be behind a single line', () => {
    const explained = explainPhb4(
      { ...FENCE, ...pbl(47) },
      Object.fromEntries(Array.from({ length: 512 }, (_, pe) => [pe, [FROZEN, FROZEN]])),
    );
    expect(explained.pes).toHaveLength(1);
    expect(explained.pes[0]).toMatchObject({ first: 0, last: 0, openEnded: true, role: 'fenced' });
    expect(explained.notes.join(' ')).toContain('PE 000 alone or for all PEs');
  });

  it('may carry a refused config write that belongs to another PE', () => {
    const notes = explainPhb4(
      { ...pbl(39), lemFir: bitsOf(31, 42, 12) },
      { 506: [pestA(7, 42, [2, 3, 9], 0x238), FROZEN], 507: [pestA(7, 12, [2, 4, 9]), FROZEN | 0xe000010n] },
    ).notes;
    expect(notes.join(' ')).toContain('PE 1fb also records a refused config write to 0e:00.0');
  });

  it('are all frozen when the link is lost', () => {
    const explained = explainPhb4(regb(8), { 0: [pestA(7, 31, [15]), FROZEN] });
    expect(explained.scope).toBe('all-pes');
    expect(explained.pes[0]!.openEnded).toBe(true);
  });
});

describe('the words around a dump', () => {
  const eehLines = (pe: string) =>
    `EEH: Recovering PHB#30-PE#${pe}\nEEH: Frozen PHB#30-PE#${pe} detected\nPCI 0030:0d:00.0#01fb: EEH: Invoking nvme->error_detected(IO frozen)\n`;

  it('name the device that answered itself', () => {
    const explained = explainPhb4(
      { ...pbl(39), lemFir: bitsOf(31, 42) },
      { 507: [pestA(7, 42, [2, 3, 9], 0x0d00), FROZEN] },
      eehLines('1fb'),
    );
    expect(explained.notes.join(' ')).toContain('The device itself (0d:00.0) answered');
  });

  it('show when the reported PE is not in the dump at all', () => {
    const explained = explainPhb4(
      { ...lem(56), ...tce(1) },
      { 5: [pestA(0, 56, [16, 18, 19]), FROZEN] },
      eehLines('1fb'),
    );
    expect(explained.notes.join(' ')).toContain(
      'Linux reported PE 1fb (0030:0d:00.0, nvme); the dump has no record of it',
    );
  });

  it('of another bridge do not count', () => {
    const explained = explainPhb4({ ...lem(56), ...tce(1) }, {}, eehLines('1fb').replaceAll('PHB#30', 'PHB#31'));
    expect(explained.reportedPe).toBeUndefined();
  });

  it('of the root port are named, a copied secondary status is not believed', () => {
    const explained = explainPhb4({
      ...arb(58),
      ...lem(37),
      devSecStatus: 0x00100107n,
      rootErrorStatus: 0x24n,
      sourceId: 0x0100_0208n,
      tlpHdr1: 1n,
      phbRegbErrorStatus: bitsOf(11, 35),
    });
    expect(explained.sentence).toContain('A device from 01:00.0 reported an uncorrected');
    const notes = explained.registers.flatMap((register) => register.notes);
    expect(notes).toEqual(
      expect.arrayContaining(['non-fatal message seen', 'fatal or non-fatal from 01:00.0', 'correctable from 02:01.0']),
    );
    expect(notes.join(' ')).toContain('copy of the command word');
    expect(explained.notes.join(' ')).toContain('Link errors were counted too');
    expect(explained.notes.join(' ')).toContain('The link retrained');
  });
});

describe('a PHB3 dump', () => {
  const trap = (name: 'phb' | 'mmio' | 'dma0' | 'dma1', ...bits: number[]): Phb3Fields => ({
    [`${name}ErrorStatus`]: bitsOf(...bits),
    [`${name}FirstErrorStatus`]: bitsOf(...bits),
  });

  it('of 2014 is a request that was aborted or timed out, although its LEM bit is masked', () => {
    const explained = explainPhb3(
      { lemFir: bitsOf(43), lemErrorMask: 0x42498e327f502eaen, ...trap('dma0', 0), dma0ErrorLog0: 0x0402030000000000n },
      { 8: [0x8480002b00000000n, FROZEN] },
    );
    expect(explained.event).toBe('completion-ca');
    expect(explained.chain).toEqual(['LEM[43]', 'INA[0]']);
    expect(explained.sentence).toContain('aborted or did not answer an MMIO load or config read');
    expect(explained.notes.join(' ')).toContain('this may be a timeout');
    expect(explained.pes[0]).toMatchObject({ first: 8, role: 'faulted' });
  });

  it.each(
    rows<Phb3Fields>([
      [
        'dma-unmapped',
        'INA[49]',
        { lemFir: bitsOf(58), ...trap('dma0', 49) },
        { 5: [pestA(0, 58, [16, 18, 19], 0x100), FROZEN | 0x1000n] },
      ],
      ['dma-no-window', 'INA[26]', { lemFir: bitsOf(35), ...trap('dma0', 26) }],
      ['msi-wrong-pe', 'INA[31]', { lemFir: bitsOf(33), ...trap('dma0', 31) }],
      ['completion-timeout', 'INA[0]', { lemFir: bitsOf(43), ...trap('dma0', 0), uncorrErrorStatus: 0x4000n }],
      ['injected', 'OUT[28]', { lemFir: bitsOf(27), ...trap('mmio', 28) }],
      ['message-nonfatal', 'INB[58]', { lemFir: bitsOf(37), ...trap('dma1', 58) }],
      ['pcie-core', 'PHB[32]', { lemFir: bitsOf(60), ...trap('phb', 32) }, { 0: [pestA(7, 60, [15]), FROZEN] }],
      ['link-lost', 'UTL port[11]', { portStatusReg: 1n << 20n }],
      [
        'internal',
        'OUT[32]',
        { lemFir: bitsOf(5), lemWOF: bitsOf(5), ...trap('mmio', 32), nFir: bitsOf(16), nFirWOF: bitsOf(16) },
      ],
      ['forced-fence', 'NFIR[24]', { nFir: bitsOf(16, 24, 25, 26, 27), nFirWOF: bitsOf(24, 25, 26, 27) }],
      ['capp', 'NFIR[27]', { nFir: bitsOf(16, 27), nFirWOF: bitsOf(27) }],
    ]),
  )('is $event when $known came first', ({ event, known, fields, pest }) => {
    const explained = explainPhb3(fields, pest);
    expect([explained.event, explained.decidedBy]).toEqual([event, known]);
  });

  it('names a bit without public meaning by its number', () => {
    const bits = explainPhb3({ mmioErrorStatus: bitsOf(47) }).registers.flatMap((register) => register.bits);
    expect(bits).toMatchObject([{ name: 'OUT[47]', about: '' }]);
  });
});
