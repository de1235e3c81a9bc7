// What the lines around a dump tell: devices, windows, other machines' forms of the same messages.
import { describe, expect, it } from 'vitest';
import { explain, explainLog } from '../../src/diag/index.js';
import { formatDiagData } from '../../src/diag/layout.js';
import { P7IOC_LAYOUT } from '../../src/diag/p7ioc/layout.js';
import { PHB4_LAYOUT } from '../../src/diag/phb4/layout.js';
import { formatReport } from '../../src/diag/report.js';
import { bitsOf, dataOf, readLog } from './support.js';

const FROZEN = 1n << 63n;
const eventOf = (text: string, lspci?: string) => explain(text, lspci === undefined ? {} : { lspci }).events[0]!;

/** A DMA of PE 1fa outside its window. */
function outOfWindow(address: bigint): string {
  return formatDiagData(
    PHB4_LAYOUT,
    dataOf(
      PHB4_LAYOUT,
      {
        brdgCtl: 2n,
        lemFir: bitsOf(35),
        lemWOF: bitsOf(35),
        phbErrorStatus: bitsOf(20),
        phbFirstErrorStatus: bitsOf(20),
        phbRxeArbErrorStatus: bitsOf(28),
        phbRxeArbFirstErrorStatus: bitsOf(28),
      },
      { 506: [FROZEN | (2n << 56n) | bitsOf(16) | (35n << 32n), FROZEN | address] },
    ),
    48,
  ).join('\n');
}

const BOOT = [
  '[    1.0] pci 0030:0d:00.0: [144d:a808] type 00 class 0x010802',
  '[    1.1] pci 0030:0d     : [PE# 1fa] Secondary bus 0x000000000000000d associated with PE#1fa',
  '[    1.2] pci 0030:0d     : [PE# 1fa] Setting up window#0 0..7fffffff pg=10000',
  '[    1.3] pci 0030:0d     : [PE# 1fa] Setting up window#1 800000000000000..80000ffffffffff pg=10000',
  '[    1.4] pci 0030:0d:00.0: Configured PE#1fa',
].join('\n');

describe('boot lines in front of a dump', () => {
  it('name the device of the PE that faulted', () => {
    const { devices, faultedPe } = eventOf(`${BOOT}\n${outOfWindow(0x203974c00000n)}`);
    expect(faultedPe).toBe(0x1fa);
    expect(devices).toEqual([
      { address: '0030:0d:00.0', driver: undefined, ids: '144d:a808', name: undefined, pe: 0x1fa, part: 'faulted' },
    ]);
  });

  it.each([
    [0x8000_1000n, '0x00001001 bytes beyond window 0'],
    [0x1000n, 'inside window 0'],
    [0x0800_0100_0000_0fffn, '0x00001000 bytes beyond window 1'],
  ])('tell how far address %x is from a window', (address, text) => {
    const { evidence, cause } = eventOf(`${BOOT}\n${outOfWindow(address)}`);
    expect(cause.address).toBe(address);
    expect(evidence.map((item) => item.text).join(' | ')).toContain(text);
  });

  it('do not matter for another bridge', () => {
    const { devices } = eventOf(`${BOOT.replaceAll('0030:', '0031:')}\n${outOfWindow(0x1000n)}`);
    expect(devices).toEqual([]);
  });
});

describe('lspci -nn', () => {
  const line = '0030:0d:00.0 Non-Volatile memory controller [0108]: Samsung NVMe SSD SM981 [144d:a808] (rev 01)';

  it('given beside the log names devices', () => {
    const event = eventOf(`${BOOT}\n${outOfWindow(0x1000n)}`, line);
    expect(event.devices[0]).toMatchObject({ name: 'Samsung NVMe SSD SM981', ids: '144d:a808' });
  });

  it('pasted into the log does too', () => {
    const event = eventOf(`${BOOT}\n${line}\n${outOfWindow(0x1000n)}`);
    expect(event.devices[0]).toMatchObject({ name: 'Samsung NVMe SSD SM981' });
  });
});

describe('an address above the 32-bit window', () => {
  it('without bit 59 asks for iommu=nobypass, and says why', () => {
    const { advice } = eventOf(outOfWindow(0x203974c00000n));
    expect(advice[0]!.text).toContain('iommu=nobypass');
    expect(advice[0]!.why).toContain('upper bits the device dropped');
  });

  it('with bit 59 is the bypass window', () => {
    const { primary, advice } = eventOf(outOfWindow(0x0800_0100_0000_1000n));
    expect(primary!.pes[0]!.entry.location).toMatchObject({ kind: 'dma', window: 'bypass' });
    expect(advice.map(({ text }) => text).join()).not.toContain('Boot with iommu=nobypass');
  });
});

describe('an address of DMA on a P7IOC', () => {
  /** The TVE does not cover it, or there is none. */
  function refused(address: bigint, data = 'own'): string {
    const fields = {
      brdgCtl: 2n,
      lemFir: bitsOf(35),
      lemWOF: bitsOf(35),
      phbErrorStatus: bitsOf(46),
      phbFirstErrorStatus: bitsOf(46),
      dma0ErrorStatus: bitsOf(26),
      dma0FirstErrorStatus: bitsOf(26),
    };
    const pest = { 5: [FROZEN | bitsOf(16) | (35n << 32n), FROZEN | (data === 'own' ? address : 0n)] } as const;
    return formatDiagData(P7IOC_LAYOUT, dataOf(P7IOC_LAYOUT, fields, pest), 1).join('\n');
  }
  const said = (text: string): string => formatReport(explain(text), 'dmesg').replace(/\s+/g, ' ');

  it.each([
    [0x1000n, 'segment 0 of the eight 256 MiB segments for DMA (0x00000000 to 0x0fffffff): TVE 0 must be of this PE'],
    [0x7fff_ffffn, 'segment 7 of the eight 256 MiB segments for DMA (0x70000000 to 0x7fffffff)'],
    [0x8000_0000n, 'between 2 and 4 GiB, in the M32 window'],
    [0xfffe_ffffn, 'between 2 and 4 GiB, in the M32 window'],
    [0xffff_0000n, 'the last 64 KiB below 4 GiB, which are for MSIs'],
    [0x1_0000_0000n, 'above 4 GiB, where this chip has no bypass'],
    // Bit 59 means nothing here.
    [0x0800_0000_0000_1000n, 'above 4 GiB, where this chip has no bypass'],
  ])('%x is told by segments, not by the windows of later chips', (address, words) => {
    const report = said(refused(address));
    expect(report).toContain(words);
    expect(report).not.toMatch(/nobypass|bit 59|32-bit window/);
    const { advice, primary } = explain(refused(address)).events[0]!;
    expect(advice.some(({ text }) => text.includes('the DMA API gave it'))).toBe(
      address > 0x7fff_ffffn && (address < 0xffff_0000n || address > 0xffff_ffffn),
    );
    const { location } = primary!.pes.find(({ first }) => first === 5)!.entry;
    expect(location).toMatchObject({ kind: 'dma', window: address < 0x8000_0000n ? '32-bit' : 'none' });
  });

  it('that was not recorded asks for no boot without a bypass that is not there', () => {
    expect(said(refused(0n, 'none'))).not.toContain('nobypass');
  });

  it('is compared with the run of segments that the kernel gave the PE', () => {
    const boot = '[    1.2] pci 0001:01     : [PE# 05]  Setting up 32-bit TCE table at 20000000..3fffffff';
    const evidence = (address: bigint): string =>
      eventOf(`${boot}\n${refused(address)}`)
        .evidence.map(({ text }) => text)
        .join(' | ');
    expect(evidence(0x4000_0fffn)).toContain('0x00001000 bytes beyond window 0 of the PE (0x20000000 to 0x3fffffff)');
    expect(evidence(0x2000_0000n)).toContain('inside window 0');
  });
});

describe('EEH messages', () => {
  it('of a dead bridge are an event of their own', () => {
    expect(eventOf('EEH: dead PHB#5 detected, location: N/A\n')).toMatchObject({ severity: 'phb-dead', phb: 5 });
  });

  it('of an informative error harm nothing', () => {
    expect(eventOf('EEH: PHB#5 informative error detected, location: N/A\n')).toMatchObject({
      severity: 'informative',
      phb: 5,
    });
  });

  it('after an injection name the operator', () => {
    const text =
      'root: echo 0:0:4:0:0 > /sys/kernel/debug/powerpc/PCI0000/err_injct\nEEH: Frozen PHB#0-PE#fd detected\n';
    expect(eventOf(text).cause).toMatchObject({ type: 'operator-injected', certainty: 'likely' });
  });

  it('with AER bits of the device name the cause', () => {
    const text = [
      'EEH: Frozen PHB#1-PE#fd detected',
      'EEH: of node=0001:04:00.0',
      'EEH: PCI device/vendor: 034a1014',
      'EEH: PCI cmd/status register: 00104142',
      'EEH: PCI-E 00: 0002a410 10008fc2 0004283e 0003f503 ',
      'EEH: PCI-E 10: 10830000 00000000 00000000 00000000 ',
      'EEH: PCI-E AER 00: 14820001 00004000 00400000 00462030 ',
      'EEH: PCI-E AER 10: 00002001 0000e000 000001e0 04000001 ',
      'EEH: PCI-E AER 20: 0000000f 04000010 00000000 00000000 ',
    ].join('\n');
    const event = eventOf(text);
    expect(event.cause).toMatchObject({ type: 'completion-timeout', certainty: 'likely' });
    const words = event.evidence.map((item) => item.text).join(' | ');
    expect(words).toContain('AER uncorrectable: completion timeout');
    expect(words).toContain('AER correctable: receiver error, advisory non-fatal error');
    expect(words).toContain('AER header log: CfgRd0 from 00:00.0 to 04:00.0 register 0x010');
    expect(words).toContain('its link runs at gen3 x8');
    expect(words).toContain('fatal error detected');
  });

  it('of two bridges in turns keep their own details', () => {
    const text = [
      'EEH: Frozen PHB#1-PE#fd detected',
      'EEH: Frozen PHB#2-PE#fc detected',
      'PCI 0001:04:00.0#00fd: EEH: Invoking ipr->error_detected(IO frozen)',
      'EEH: Unable to recover from failure from PHB#1-PE#fd.',
    ].join('\n');
    const events = explainLog(text).events;
    expect(events.map(({ phb, recovery }) => [phb, recovery?.outcome])).toEqual([
      [1, 'not-recovered'],
      [2, 'unknown'],
    ]);
  });

  it('whose bridge number is decimal in the dump and hex elsewhere are one event', () => {
    const events = explainLog(readLog('110-phb4-nvme-6.15rc2-event1-pe1fa-1fb.txt')).events;
    expect(events).toHaveLength(1);
    expect(events[0]!.phb).toBe(0x30);
  });
});

describe("firmware's link trace", () => {
  it.each([
    ['LINK: Timeout waiting for link up', 'did not come up in time'],
    ['LINK: Went down waiting for stabilty', 'went down again before it was stable'],
    ['TRACE: PHB fenced.', 'was fenced while the link was being trained'],
  ])('"%s" is an event', (words, verdict) => {
    const event = eventOf(
      ` PHB#0001[0:1]: CRESET: Starts\n PHB#0001[0:1]: FRESET: Deassert\n PHB#0001[0:1]: ${words}\n`,
    );
    expect(event.verdict).toContain(verdict);
    expect(event.cause.type).toBe('link-loss');
  });

  it('of a link that came up is none', () => {
    const text =
      ' PHB#0001[0:1]: FRESET: Deassert\n PHB#0001[0:1]: TRACE:0x0000154883000000 33ms trained  GEN3:x08:L0\n';
    expect(explainLog(`${text} PHB#0001[0:1]: LINK: Link is stable\n`).events).toEqual([]);
  });
});

describe('lines out of order', () => {
  const lines = readLog('106-phb4-aacraid-5.15.10-event1-page-fault-8000.txt').split('\n');
  const header = lines.findIndex((line) => line.includes('Diag-data'));

  it('with the header behind the first registers are one dump', () => {
    const order = [
      ...lines.slice(0, header),
      lines[header + 1]!,
      lines[header + 2]!,
      lines[header]!,
      ...lines.slice(header + 3),
    ];
    const { events, dumps } = explainLog(order.join('\n'));
    expect(dumps).toHaveLength(1);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ phb: 2, cause: { type: 'dma-iommu-fault', certainty: 'certain' } });
  });

  it('a cut dump right before a whole one stays two', () => {
    const cut = lines.slice(header + 1, header + 5);
    const { dumps } = explainLog([...cut, ...lines.slice(header)].join('\n'));
    expect(dumps.map(({ dump }) => dump.phbText)).toEqual([undefined, '2']);
  });

  it('a range whose first entry is lost says so instead of inventing ones', () => {
    const text = readLog('110-phb4-nvme-6.15rc2-event1-pe1fa-1fb.txt')
      .split('\n')
      .filter((line) => !line.includes('PE[1fa]'));
    const { dumps, events } = explainLog(text.join('\n'));
    expect(dumps[0]!.dump.problems[0]!.text).toContain('is lost');
    expect(events[0]!.cause).toMatchObject({ type: 'dma-iommu-fault', certainty: 'likely' });
  });
});
