import { describe, expect, it } from 'vitest';
import { anyNotMet, formatJunit, type Outcome } from '../../src/scenario/junit.js';
import { run } from './run.js';

const result = run({
  slots: ['{ device: nic, driver: recovering }'],
  faults: ['at: 5 ms, kind: dma-write-unmapped, device: slot1'],
  expect: ['freeze: slot1, within: 10 us', 'no-log: /a<b>&"c"/', 'freeze: slot1, cause: err-fatal'],
  more: ['until: 20 ms'],
});
const ran: Outcome = { file: 'a "b".yaml', result, again: 'phbsim run \'a "b".yaml\'' };
const broken: Outcome = {
  file: 'broken.yaml',
  error: 'broken.yaml:1:1  bad\u0000 <thing>\n    1 | x\n      | ^ so & so',
};

describe('the JUnit file', () => {
  const xml = formatJunit([ran, broken]);

  it('has a suite for each scenario and a case for each expectation, with what was seen of those not met', () => {
    expect(xml.split('\n').slice(0, 4)).toEqual([
      '<?xml version="1.0" encoding="UTF-8"?>',
      '<testsuites name="phbsim" tests="4" failures="1" errors="1" time="0.020000000">',
      '  <testsuite name="trial" file="a &quot;b&quot;.yaml" tests="3" failures="1" errors="0" skipped="0" time="0.020000000">',
      '    <properties>',
    ]);
    expect(xml).toContain('    <testcase name="freeze: slot1, within: 10 us" classname="trial" time="0.000000132"/>');
    expect(xml).toContain('<failure message="froze, but of tce-page-fault" type="not-met">');
    expect(xml).toContain(
      'seen: froze, but of tce-page-fault\nagain: phbsim run &apos;a &quot;b&quot;.yaml&apos;</failure>',
    );
    expect(xml).toContain(`<property name="digest" value="${result.digest}"/>`);
  });

  it('escapes what XML would read, and leaves out what it cannot hold', () => {
    expect(xml).toContain('name="no-log: /a&lt;b&gt;&amp;&quot;c&quot;/"');
    expect(xml).toContain('<error message="broken.yaml:1:1  bad\ufffd &lt;thing&gt;" type="unreadable">');
    expect(xml).toContain('| ^ so &amp; so</error>');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    expect(xml).not.toMatch(/[\u0000-\u0008]/);
    expect(xml.replace(/&(?:amp|lt|gt|quot|apos|#10);/g, '')).not.toContain('&');
  });

  it('closes every element it opens', () => {
    const open: string[] = [];
    for (const [, slash, name, self] of xml.matchAll(/<(\/?)([a-z]+)(?:"[^"]*"|[^">])*?(\/?)>/g)) {
      if (slash === '/') expect(open.pop()).toBe(name);
      else if (self !== '/') open.push(name!);
    }
    expect(open).toEqual([]);
  });

  it('is the same for the same runs', () => {
    expect(formatJunit([ran, broken])).toBe(xml);
    expect([anyNotMet([ran]), anyNotMet([broken]), anyNotMet([])]).toEqual([true, false, false]);
    expect(formatJunit([])).toContain(
      '<testsuites name="phbsim" tests="0" failures="0" errors="0" time="0.000000000">',
    );
  });
});
