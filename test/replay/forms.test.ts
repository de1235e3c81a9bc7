import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readRecording } from '../../src/replay/read-recording.js';
import { phbsOf, type Recording, RecordingError } from '../../src/replay/recording.js';
import { formatRecordingText } from '../../src/replay/recording-text.js';
import { replay } from '../../src/replay/replay.js';
import { formatDifferences } from '../../src/replay/report.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (text: string): Recording => readRecording('in', bytes(text));

const RECORDER = [
  '{"meta":{"name":"two","qemu":"an emulator"}}',
  '[10,"R","nest0","42",8,"ffff900000000000"]',
  '[12,"W","spci1","02",8,"0211230000000000","asb:840"]',
  '[13,"#","[    0.1] hello"]',
  '[14,"MSI","64",256,4,7]',
  '[15,"#","[   10.2] @@MARK QTEST 0x3fffe40000c10 0x0000000000002000"]',
  '[16,"W","phb0","131",1,"7f"]',
].join('\n');

const TRACE = [
  '{"phase":"01-probe"}',
  '{"sp":"call","tok":15,"fn":"OPAL_X","args":["0x0","0x1"]}',
  '{"i":1,"t":4294967296,"sp":"xscom","op":"R","sz":8,"a":"0x9013c03","v":"0x0000000000000000","o":"0x3","reg":"PBCQ0.SPCI+3"}',
  '{"sp":"time","op":"A","ticks":51200000,"fn":"time_wait_ms"}',
  '{"i":2,"t":4346167360,"sp":"mmio","op":"W","sz":8,"a":"0x3fffe40000808","v":"0xd000000000000000","o":"0x808","reg":"PHB0.PHB_RESET"}',
  '{"sp":"mem","op":"D","a":"0x200020000","b":"00ff00ff"}',
  '{"sp":"ret","rc":0}',
].join('\n');

describe("a recorder's JSON lines", () => {
  it('become accesses, notes and interventions in order', () => {
    const recording = read(RECORDER);
    expect(recording).toMatchObject({ name: 'two', source: 'an emulator', values: 'binding' });
    expect(recording.steps.map((step) => step.kind)).toEqual([
      'access',
      'access',
      'note',
      'note',
      'intervention',
      'access',
    ]);
    expect(recording.steps[0]).toMatchObject({ window: 'nest', phb: 0, offset: 0x42, value: 0xffff_9000_0000_0000n });
    expect(recording.steps[1]).toMatchObject({ direction: 'write', window: 'spci', phb: 1, asbOffset: 0x840, line: 3 });
    expect(recording.steps[4]).toMatchObject({ address: 0x3_fffe_4000_0c10, value: 0x2000n });
    expect(recording.steps[5]).toMatchObject({ offset: 0x131, size: 1, value: 0x7fn });
    expect(phbsOf(recording)).toEqual([0, 1]);
  });

  it('name the software that ran, by its banners', () => {
    const banners = '\n[17,"#","[    0.1] OPAL v7.0 starting..."]\n[18,"#","[    0.0] Linux version 6.1.0-50 (gcc)"]';
    expect(read(RECORDER + banners).source).toBe('Linux 6.1.0-50 on OPAL 7.0 on an emulator');
  });

  it('are read gzipped as well', () => {
    expect(readRecording('in', gzipSync(bytes(RECORDER))).steps).toEqual(read(RECORDER).steps);
  });

  it.each([
    ['[10,"R","cpu0","42",8,"00"]', 'unknown unit "cpu0"'],
    ['[10,"R","nest0","zz",8,"00"]', 'offset "zz" is no hex number'],
    ['[10,"R","nest0","42",3,"00"]', 'size 3 is not 1, 2, 4 or 8'],
    ['[10,"R","nest0","42",8,17]', 'value 17 is no hex number'],
    ['{"t":1}', 'a line must be [time, tag, ...]'],
    ['[10,"R","nest0"', 'the line is not JSON'],
  ])('report the line of %s', (line, problem) => {
    expect(() => read(`{"meta":{}}\n${line}`)).toThrow(RecordingError);
    expect(() => read(`{"meta":{}}\n${line}`)).toThrow(`in:2  ${problem}`);
  });
});

describe('a firmware trace', () => {
  it('becomes accesses at their times, with memory, waits and calls around them', () => {
    const recording = read(TRACE);
    expect(recording.values).toBe('advisory');
    expect(recording.steps.map((step) => step.kind)).toEqual([
      'note',
      'note',
      'access',
      'note',
      'access',
      'memory',
      'note',
    ]);
    expect(recording.steps[2]).toMatchObject({ window: 'spci', offset: 3, timeUs: 0 });
    expect(recording.steps[4]).toMatchObject({ window: 'phb', offset: 0x808, direction: 'write', timeUs: 100_000 });
    expect(recording.steps[5]).toMatchObject({ address: 0x2_0002_0000, bytes: Uint8Array.of(0, 255, 0, 255) });
  });

  it.each([
    ['{"i":1,"t":1,"sp":"mmio","op":"R","sz":8,"a":"0x0","v":"0x0","o":"0x0","reg":"CAPP.?"}', 'no register of a PHB3'],
    ['{"i":1,"t":1,"sp":"mmio","op":"R","sz":5,"a":"0x0","v":"0x0","o":"0x0","reg":"PHB0.X"}', 'size 5'],
    ['{"i":1,"t":1,"sp":"mmio","op":"R","sz":8,"a":"0x0","v":"0x0","o":12,"reg":"PHB0.X"}', '12 is no hex number'],
    [
      '{"i":1,"t":1,"sp":"xscom","op":"R","sz":8,"a":"0x0","v":"0x0","o":"0x1","reg":"PBCQ0.?"}',
      'unknown register window',
    ],
    ['{"sp":"mem","a":"0x0","b":"xyz"}', 'memory line without bytes'],
    ['{"sp":"dream"}', 'unknown kind "dream"'],
    ['[1,2]', 'not a JSON object'],
    ['{"sp":', 'not a JSON object'],
  ])('reports the line of %s', (line, problem) => {
    expect(() => read(`{"phase":"x"}\n${line}`)).toThrow(problem);
    expect(() => read(`{"phase":"x"}\n${line}`)).toThrow('in:2  ');
  });
});

const P7IOC_TRACE = [
  '{"phase":"01-probe"}',
  '{"i":1,"t":512,"sp":"mmio","op":"W","sz":8,"a":"0x3ef003c00d8","v":"0x1","o":"0x3c00d8","reg":"IOC.?"}',
  '{"i":2,"t":1024,"sp":"mmio","op":"R","sz":8,"a":"0x3ef00080220","v":"0x0","o":"0x220","reg":"PHB0.PHB_IODA_ADDR"}',
].join('\n');

describe('a trace of a P7IOC, which has no model yet', () => {
  it('is read, and every access counts as undeclared', () => {
    const recording = read(P7IOC_TRACE);
    expect(recording.steps.map((step) => step.kind)).toEqual(['note', 'foreign', 'foreign']);
    const result = replay(recording);
    const { accesses, readsCompared, undeclared } = result;
    expect([accesses, readsCompared]).toEqual([2, 0]);
    expect(formatDifferences(result).split('\n')).toHaveLength(2);
    expect(undeclared.map(({ line, what }) => `${line} ${what}`)).toEqual([
      '2 P7IOC IOC.? at 0x3ef003c00d8: this chip has no model yet',
      '3 P7IOC PHB0.PHB_IODA_ADDR at 0x3ef00080220: this chip has no model yet',
    ]);
  });
});

describe("the project's own form", () => {
  it.each([
    ['recorder lines', RECORDER],
    ['a firmware trace', TRACE],
    ['a trace of another chip', P7IOC_TRACE],
  ])('keeps everything of %s but line numbers', (_, text) => {
    const withoutLines = (recording: Recording) => ({
      ...recording,
      steps: recording.steps.map((step) => ({ ...step, line: 0 })),
    });
    const original = read(text);
    expect(withoutLines(read(formatRecordingText(original)))).toEqual(withoutLines(original));
  });

  it.each(['R +1 nest0 42 8 ffff9000', 'W +1 phb0 131 1 7f00', 'R +1 nest0 42 3 ffffff'])(
    'has no line whose value is cut or too long: %s',
    (line) => {
      expect(() => read(`phbsim-recording 1\n${line}`)).toThrow(`in:2  unreadable line "${line}"`);
    },
  );

  it('counts memory that the machine has not as undeclared', () => {
    const { undeclared } = replay(read('phbsim-recording 1\nM +0 ffffffffffff 00\nR +1 nest0 42 8 0000000000000000'));
    expect(undeclared).toEqual([{ line: 2, what: 'memory at 0xffffffffffff: the machine has none' }]);
  });

  it('reports a line it cannot read', () => {
    expect(() => read('phbsim-recording 1\nname: x\nR +1 nest0 42')).toThrow('in:3  unreadable line "R +1 nest0 42"');
  });
});

describe('input that is no recording', () => {
  it.each([
    ['an empty file', bytes(''), 'the file is empty'],
    ['text of another kind', bytes('Dear all,\n'), 'this is no recording: it begins with "Dear all,'],
    ['binary data', Uint8Array.of(0xff, 0xfe, 0xfd), 'the file is binary, not text'],
    ['damaged gzip data', Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0), 'the gzip data is damaged'],
  ])('%s is refused with what would be accepted', (_, data, problem) => {
    expect(() => readRecording('in', data)).toThrow(problem);
    expect(() => readRecording('in', data)).toThrow('Known forms:');
  });
});

describe('a recording that no chip could replay', () => {
  it.each([
    ['[1,"R","phb3","0",8,"0"]', 'in:2  PHB 3 does not exist: a chip has PHB 0 to 2'],
    ['[1,"W","phb0","210",4,"1ffffffff"]', 'in:2  the value 0x1ffffffff has more than 4 bytes'],
    ['[1e300,"R","phb0","0",8,"0"]', 'in:2  the time 1e+300 us is more than a day after the beginning'],
    ['[1,"R","phb0","800",8,"0"]\n[1e400,"#","late"]', 'in:2  the time Infinity us'],
    ['[1,"#","hello"]', 'no access in it: nothing to replay'],
  ])('is refused with what is wrong: %s', (lines, problem) => {
    expect(() => read(`{"meta":{}}\n${lines}`)).toThrow(problem);
  });
});
