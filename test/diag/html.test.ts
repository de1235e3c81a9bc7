import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { explainLog, formatHtml } from '../../src/diag/index.js';
import { LOG_FOLDER, readLog } from './support.js';

const page = (name: string): string => formatHtml(explainLog(readLog(name)), name);

describe('the HTML page', () => {
  it.each(readdirSync(LOG_FOLDER))('of %s loads nothing and closes what it opens', (name) => {
    const html = page(name);
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).not.toMatch(/<script|<link |<img|src=|https?:\/\/|@import|url\((?!#)/);
    for (const tag of [
      'article',
      'section',
      'table',
      'tr',
      'td',
      'th',
      'ul',
      'li',
      'svg',
      'g',
      'dl',
      'h2',
      'h3',
      'h4',
      'p',
      'b',
      'i',
    ]) {
      const opened = html.match(new RegExp(`<${tag}(?=[ >])`, 'g'))?.length ?? 0;
      expect(html.match(new RegExp(`</${tag}>`, 'g'))?.length ?? 0, tag).toBe(opened);
    }
  });

  it('marks the broken place in the picture', () => {
    const dma = page('110-phb4-nvme-6.15rc2-event1-pe1fa-1fb.txt');
    expect(dma).toContain('broken at the table');
    expect(dma).toContain('broken here');
    expect(dma).toMatch(/<g class="broken"><rect[^>]*\/><text[^>]*>IOMMU table/);
    expect(dma).toMatch(/>Device<\/text><text[^>]*>not named</);
    expect(page('111-phb4-nvme-6.15rc2-event2-ur-permanent-failure.txt')).toContain('broken at the device');
    expect(page('116-phb5-skiboot280-iperf-link-down-TRUNCATED.txt')).toContain('perhaps here');
    expect(page('002-phb3-skiboot136-ipr-frozen-pefd-boot-TRUNCATED.txt')).toContain('the broken place is not known');
  });

  it('draws 64 cells a word, the first error apart from the others', () => {
    const html = page('101-phb4-tce-fault-bcm5719-48bit-mask.txt');
    const row = /<th scope="row">phbRxeTceErrorStatus<\/th>.*?<\/tr>/.exec(html)![0];
    expect(row.match(/<i/g)).toHaveLength(64);
    expect(row).toContain('class="set first" title="bit 2: TCE permission conflict');
  });

  it('counts the bits of a word, and prints the colours that carry meaning', () => {
    const html = page('101-phb4-tce-fault-bcm5719-48bit-mask.txt');
    const row = /<th scope="row">phbRxeTceErrorStatus<\/th>.*?<\/tr>/.exec(html)![0];
    expect([...row.matchAll(/data-bit="(\d+)"/g)].map(([, bit]) => bit)).toEqual('0 8 16 24 32 40 48 56'.split(' '));
    expect(html).toMatch(/@media print\{.*print-color-adjust:exact/s);
  });

  it('lists the events of a log with several, each with a link to it', () => {
    const html = page('204-rtas-ipr-reset-5.15rc1-6-freezes.txt');
    const ids = [...html.matchAll(/<article id="([\w-]+)"/g)].map(([, id]) => id);
    expect([...html.matchAll(/<a href="#([\w-]+)"/g)].map(([, id]) => id)).toEqual(ids);
    expect(ids).toEqual(['event-1', 'event-2', 'event-3']);
    expect(page('101-phb4-tce-fault-bcm5719-48bit-mask.txt')).not.toContain('<nav');
  });

  it('keeps markup of a log as text', () => {
    const name = '<b>&"\'\u0007';
    const html = formatHtml(
      explainLog('EEH: Frozen PHB#1-PE#2 detected\nEEH: PE location: <script>alert(1)</script>, PHB location: N/A\n'),
      name,
    );
    expect(html).not.toContain('<script>');
    expect(html).toContain('&lt;script&gt;');
    expect(html).toContain('&lt;b&gt;&amp;&quot;&#39;\ufffd');
  });
});
