import { describe, expect, it } from 'vitest';
import type { Dump } from '../../src/diag/dump.js';
import { findDumps } from '../../src/diag/dump-finder.js';
import { cleanLines } from '../../src/diag/text/clean.js';
import { ALL_ONES } from '../../src/hw/bits.js';

const find = (...lines: string[]) => findDumps(cleanLines(lines.join('\n')));
const only = (...lines: string[]): Dump => {
  const { dumps } = find(...lines);
  expect(dumps).toHaveLength(1);
  return dumps[0]!;
};
const runs = (dump: Dump) => dump.pest.map((run) => [run.first, run.last]);
const HEADER = 'PHB4 PHB#48 Diag-data (Version: 1)';
const A = '8300b03800000000';
const B = '8000000000000000';

describe('a record of a dump', () => {
  it('is found behind a message glued in front of it', () => {
    const dump = only(
      HEADER,
      "EEH: Finished with state:'need reset'[  140.302109] PhbSts:     0000001c00000000 0000001c00000000",
    );
    expect(dump.words.get('phbCsr')?.value).toBe(0x1c00000000n);
  });

  it('goes on after firmware output that cut it in the middle of a number', () => {
    const dump = find(
      HEADER,
      'PhbErr:     0000028000000000 0000[ 1392.284584276,3] PHB#0002[0:2]:                  brdgCtl = 00000002',
      '020000000000 2148000098000240 a008400000000000',
    ).dumps.find((found) => found.form === 'linux')!;
    expect(dump.words.get('phbFirstErrorStatus')?.value).toBe(0x0000020000000000n);
    expect(dump.words.get('phbErrorLog1')?.value).toBe(0xa008400000000000n);
    expect(dump.problems).toEqual([]);
  });

  it('goes on in a line that a logger stamped again', () => {
    const dump = only(
      HEADER,
      '[    4.1] Lem:        0000000000000080 0000000000000000',
      '[    4.248329] 0000000000000080',
      '[    4.248330] PE[1fa] A/B: ',
      `[    4.248331] ${A} ${B}`,
    );
    expect(dump.words.get('lemWOF')?.value).toBe(0x80n);
    expect(runs(dump)).toEqual([[0x1fa, 0x1fa]]);
  });

  it('that lost words keeps what is there and says so', () => {
    const dump = only(
      HEADER,
      'Lem:        0000000000000080 0000000000000000',
      'EEH: Reset without hotplug activity',
      'x',
      'y',
      `PE[0fd] A/B: ${A}`,
      'end',
    );
    expect(dump.words.get('lemFir')?.value).toBe(0x80n);
    expect(dump.words.has('lemWOF')).toBe(false);
    expect(dump.problems).toEqual([
      { line: 2, text: 'Lem has 2 of 3 values' },
      { line: 6, text: 'PE[0fd] has only its first word' },
    ]);
  });

  it('is not filled up with words of another kind', () => {
    const dump = only(HEADER, 'Lem:        0000000000000080 0000000000000000', 'dead', '00000080', '0000000000000080');
    expect(dump.words.get('lemWOF')?.value).toBe(0x80n);
    const glued = only(HEADER, 'PhbSts:     0000001c00000000 0000001c00000000aacraid 0002:01:00.0');
    expect(glued.words.has('phbCsr')).toBe(false);
    expect(glued.problems).toHaveLength(1);
  });
});

describe('the extent of a dump', () => {
  it('ends where a label comes again or a new header starts', () => {
    const { dumps } = find(
      HEADER,
      'brdgCtl:    00000002',
      'PHB4 PHB#49 Diag-data (Version: 1)',
      'brdgCtl:    00000042',
      'brdgCtl:    00000001',
    );
    expect(dumps.map((dump) => [dump.phbText, dump.words.get('brdgCtl')?.value])).toEqual([
      ['48', 2n],
      ['49', 0x42n],
      [undefined, 1n],
    ]);
    expect(dumps[2]!.problems[0]?.text).toContain('header line of the dump is missing');
  });

  it('without a header takes the chip from a label only that chip prints', () => {
    expect(
      only('brdgCtl:     00000002', 'InAErr:      8000000000000000 8000000000000000 0402030000000000 0000000000000000')
        .chip,
    ).toBe('phb3');
    expect(only('RxeTceErr:  2000000000000000 2000000000000000 c0000000000001fa 0000000000000000').chip).toBe('phb4');
    const lone = only(`PE[1fa] A/B: ${A} ${B}`);
    expect(lone.chip).toBe('phb4');
    expect(lone.problems.map((problem) => problem.text)).toContain('no line names the chip: read as PHB4');
  });

  it('splits when a label belongs to the other chip', () => {
    expect(find(HEADER, 'UtlSts:      00100000 00000000 00000000').dumps.map((dump) => dump.chip)).toEqual([
      'phb4',
      'phb3',
    ]);
  });

  it('does not take a lone label for a dump', () => {
    expect(find('Lem: the cat', 'nFir: none').dumps).toEqual([]);
  });
});

describe('the number of a bridge', () => {
  it('is decimal in a PHB4 header, hex or decimal in a PHB3 header, hex on the console', () => {
    expect(only(HEADER, 'brdgCtl:    00000002').phbNumbers).toEqual([48]);
    expect(only('PHB3 PHB#10 Diag-data (Version: 1)', 'brdgCtl:     00000002').phbNumbers).toEqual([16, 10]);
    expect(only('PHB3 PHB#1f Diag-data (Version: 1)', 'brdgCtl:     00000002').phbNumbers).toEqual([31]);
    expect(only('[ 1.000000001,3] PHB#0030[8:0]: brdgCtl = 00000002').phbNumbers).toEqual([48]);
  });
});

describe('a PEST list', () => {
  it('names a range by its last entry', () => {
    expect(runs(only(HEADER, `PE[000] A/B: ${B} ${B}`, 'PE[..1fe] A/B: as above', `PE[1ff] A/B: ${A} ${B}`))).toEqual([
      [0, 0x1fe],
      [0x1ff, 0x1ff],
    ]);
  });

  it('that starts with a range is a table of ones', () => {
    const dump = only(HEADER, 'PE[..0ff] A/B: as above');
    expect(runs(dump)).toEqual([[0, 0xff]]);
    expect(dump.pest[0]!.a).toBe(ALL_ONES);
  });

  it('of an old kernel counts in decimal', () => {
    const old = 'PHB3 PHB#2 Diag-data (Version: 1)';
    expect(runs(only(old, `PE[  8] A/B: ${A} ${B}`, `PE[ 12] A/B: ${A} ${B}`))).toEqual([
      [8, 8],
      [12, 12],
    ]);
    expect(runs(only(old, `PE[253] A/B: ${A} ${B}`))).toEqual([[253, 253]]);
    expect(runs(only(old, `PE[012] A/B: ${A} ${B}`))).toEqual([[0x12, 0x12]]);
  });

  it('of old firmware counts in decimal, of new firmware in hex', () => {
    const line = (index: string) => `[ 1.000000001,3] PHB#0002[0:2]:                PEST[${index}] = ${A} ${B}`;
    expect(runs(only(line('511')))).toEqual([[511, 511]]);
    expect(runs(only(line('0fd')))).toEqual([[0xfd, 0xfd]]);
    const guessed = only('[ 1.000000001,3] PHB#0002[0:2]: brdgCtl        = 00000002', line('100'));
    expect(runs(guessed)).toEqual([[100, 100]]);
    expect(guessed.problems[0]?.text).toContain('decimal');
  });
});

describe('the firmware console', () => {
  const at = (text: string, phb = '0002') => `[ 1392.284584276,3] PHB#${phb}[0:2]: ${text}`;

  it('is read per bridge, also when two bridges print at once', () => {
    const { dumps } = find(
      at('brdgCtl = 00000002'),
      at('brdgCtl = 00000042', '0003'),
      at('lemFir = 0000000000000080'),
      at('lemFir = 0000000000000001', '0003'),
    );
    expect(dumps.map((dump) => [dump.phbText, dump.words.get('lemFir')?.value])).toEqual([
      ['0002', 0x80n],
      ['0003', 1n],
    ]);
  });

  it('starts a new dump when the same name comes again', () => {
    const { dumps } = find(
      at('brdgCtl = 00000002'),
      at(`PEST[0fd] = ${A} ${B}`),
      at(`PEST[0fe] = ${A} ${B}`),
      at('brdgCtl = 00000001'),
    );
    expect(dumps.map((dump) => [dump.words.get('brdgCtl')?.value, dump.pest.length])).toEqual([
      [2n, 2],
      [1n, 0],
    ]);
  });

  it('keeps the FIRs of the fence with the registers that follow', () => {
    const dump = only(
      at('PHB Freeze/Fence detected !'),
      at('            NEST FIR=0000800000000000'),
      at('        NEST FIR WOF=0000800000000000'),
      at('             PCI FIR=1000000000000000'),
      at('nFir = 0000800000000000'),
      at('phbRxeTceFrstErrorStatus = 2000000000000000'),
    );
    expect(dump.fenceDetected).toBe(true);
    expect(dump.words.get('pciFir')?.value).toBe(1n << 60n);
    expect(dump.words.get('phbRxeTceFirstErrorStatus')?.value).toBe(1n << 61n);
  });

  it('without its prefix is still one dump', () => {
    expect(only('brdgCtl = 00000002', 'lemFir = 0000000000000080').phbText).toBeUndefined();
  });
});

describe('text that only looks like a dump', () => {
  it('of a chip nobody knows is left alone', () => {
    expect(find('PHB9 PHB#3 Diag-data (Version: 1)').dumps).toEqual([]);
  });

  it('costs little, however long its lines are', { timeout: 10_000 }, () => {
    const tenMegabytes = 10 * 1024 * 1024;
    const megabyte = 1024 * 1024;
    const lines = [
      'PE['.repeat(tenMegabytes / 3),
      ' '.repeat(tenMegabytes),
      '> '.repeat(tenMegabytes / 2),
      'a'.repeat(megabyte),
      `Lem: ${'0 '.repeat(megabyte / 2)}`,
      '[ 1.'.repeat(megabyte / 4),
      '=3D'.repeat(megabyte / 3),
    ];
    for (const line of lines)
      expect(find(HEADER, line, 'brdgCtl:    00000002').dumps[0]!.words.get('brdgCtl')?.value).toBe(2n);
  });
});

describe('cleaning', () => {
  const texts = (text: string) => cleanLines(text).map((line) => line.text);

  it('removes quotes, colours, entities and line ends', () => {
    expect(texts('> > PE[1]\r\nJD> x\n\u001b[31mred\u001b[0m\n&lt;6&gt;a\u00a0b   ')).toEqual([
      'PE[1]',
      'x',
      'red',
      '<6>a b',
    ]);
  });

  it('joins soft breaks inside numbers and keeps the line numbers of the text', () => {
    const lines = cleanLines(
      'quoted-printable\nPhbErr:     0000028000000000 0000020000000000 2148000098000240 a008=\n400000000000\nname =3D 1=20\nlast',
    );
    expect(lines).toEqual([
      { number: 1, text: 'quoted-printable' },
      { number: 2, text: 'PhbErr:     0000028000000000 0000020000000000 2148000098000240 a008400000000000' },
      { number: 4, text: 'name = 1 ' },
      { number: 5, text: 'last' },
    ]);
  });

  it('leaves an equals sign alone where nothing is quoted-printable', () => {
    expect(texts('rw=20, x=3d\nfoo=')).toEqual(['rw=20, x=3d', 'foo=']);
    expect(texts(`${'x'.repeat(60)}=`)).toEqual(['x'.repeat(60)]);
  });
});
