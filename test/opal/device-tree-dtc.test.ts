/** What the device tree compiler says to our blobs: nothing. It checks far more than their form. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PowerSystem } from '../../src/machine/system.js';
import type { SlotOptions } from '../../src/machine/topology.js';
import { deviceTreeBlob } from '../../src/opal/device-tree-blob.js';
import { type FirmwareFacts, firmwareTree, reservationsOf } from '../../src/opal/device-tree-root.js';
import { formatDeviceTree } from '../../src/opal/fdt-text.js';

const MACHINES: Readonly<Record<string, ReadonlyMap<number, SlotOptions>>> = {
  'one network card': new Map([[1, { device: 'nic', driver: 'none' }]]),
  'an empty slot': new Map([[1, { device: 'nic', driver: 'none', phb: 1 }]]),
  'a switch with three cards': new Map([
    [1, { device: 'nic', driver: 'none' }],
    [2, { device: ['nic', 'nic'], driver: 'none' }],
    [3, { device: 'nvme', driver: 'none' }],
  ]),
  'devices behind a bridge to PCI, on three PHBs': new Map([
    [1, { device: 'pci-bridge', behind: ['edu', 'nic'], driver: 'none', phb: 0 }],
    [2, { device: 'edu', driver: 'none', phb: 2 }],
  ]),
};

function publishedBy(slots: ReadonlyMap<number, SlotOptions>): FirmwareFacts {
  const { sim, opal } = new PowerSystem({ slots });
  sim.complete('firmware boot', opal.boot());
  return opal.publishedFacts();
}

const folder = mkdtempSync(join(tmpdir(), 'phbsim-dtc-'));
afterAll(() => rmSync(folder, { recursive: true }));

function dtc(from: 'dtb' | 'dts', to: 'dtb' | 'dts', input: Uint8Array | string): { errors: string; output: Buffer } {
  const file = join(folder, `input.${from}`);
  writeFileSync(file, input);
  const { stdout, stderr, status } = spawnSync('dtc', ['-I', from, '-O', to, '-s', file]);
  return { errors: status === 0 ? stderr.toString() : `status ${status}: ${stderr.toString()}`, output: stdout };
}

const isInstalled = spawnSync('dtc', ['--version']).status === 0;
const isCi = process.env['CI'] !== undefined;
const name = isInstalled || isCi ? 'dtc' : 'dtc (skipped: not installed, apt-get install device-tree-compiler)';

describe.skipIf(!isInstalled && !isCi)(name, () => {
  it.each(Object.keys(MACHINES))('takes the blob of a machine with %s without a warning', (machine) => {
    const facts = publishedBy(MACHINES[machine]!);
    const { errors, output } = dtc('dtb', 'dts', deviceTreeBlob(facts));
    expect(errors).toBe('');
    expect(output.toString()).toContain('/memreserve/\t0x0000000030000000 ');
    expect(output.toString().match(/pciex@[0-9a-f]+ \{/g)).toHaveLength(facts.phbs.length);
  });

  it.each(['skiboot', 'corrected'] as const)(
    'takes the blob of a POWER7 with three bridges, by %s firmware',
    (firmware) => {
      const slots = new Map<number, SlotOptions>([
        [1, { device: 'nic', driver: 'none' }],
        [2, { device: ['nic', 'nvme'], driver: 'none' }],
        [3, { device: 'pci-bridge', behind: ['edu'], driver: 'none', phb: 2 }],
      ]);
      const { sim, opal } = new PowerSystem({ chip: 'p7ioc', slots, firmware });
      sim.complete('firmware boot', opal.boot());
      const { errors, output } = dtc('dtb', 'dts', deviceTreeBlob(opal.publishedFacts()));
      expect(errors).toBe('');
      expect(output.toString().match(/pciex@3ef000[8-9a]0000 \{/g)).toHaveLength(3);
      expect(output.toString().match(/io-hub@3ef00000000 \{/g)).toHaveLength(1);
    },
  );

  it.each(Object.keys(MACHINES))('compiles the source text of a machine with %s to the same tree', (machine) => {
    const facts = publishedBy(MACHINES[machine]!);
    const fromText = dtc('dts', 'dtb', formatDeviceTree(firmwareTree(facts), reservationsOf(facts)));
    expect(fromText.errors).toBe('');
    const tree = dtc('dtb', 'dts', fromText.output).output.toString();
    expect(tree).toBe(dtc('dtb', 'dts', deviceTreeBlob(facts)).output.toString());
  });

  it('would have told of a property that does not fit', () => {
    const facts = publishedBy(MACHINES['one network card']!);
    const tree = firmwareTree(facts);
    const chosen = tree.children.find((child) => child.name === 'chosen')!;
    const wrong = { ...chosen, name: 'chosen@1' };
    const text = formatDeviceTree({ ...tree, children: tree.children.map((each) => (each === chosen ? wrong : each)) });
    expect(dtc('dts', 'dtb', text).errors).toMatch(/Warning \(unit_address_vs_reg\)/);
  });
});
