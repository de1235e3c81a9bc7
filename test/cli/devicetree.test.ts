import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { deviceTreeCommand, runDeviceTree } from '../../src/cli/devicetree.js';
import type { Streams } from '../../src/cli/host-streams.js';
import { nodeAt, readFdt } from '../opal/fdt-reader.js';

class Captured implements Streams {
  readonly interactive = false;
  readonly written = new Map<string, Uint8Array>();
  stdout = '';
  stderr = '';
  readFile = (path: string): Uint8Array => readFileSync(path);
  writeFile = (path: string, data: Uint8Array): void => {
    if (path.startsWith('/nowhere/')) throw Object.assign(new Error('no'), { code: 'ENOENT' });
    this.written.set(path, data);
  };
  out = (text: string): void => {
    this.stdout += `${text}\n`;
  };
  err = (text: string): void => {
    this.stderr += `${text}\n`;
  };
}

interface JsonNode {
  readonly name: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly children: readonly JsonNode[];
}

describe('phbsim devicetree', () => {
  it('prints the tree of a machine with one network card as source text', () => {
    const streams = new Captured();
    expect(runDeviceTree(undefined, {}, streams)).toBe(0);
    expect(streams.stdout).toMatch(/^\/dts-v1\/;\n\n\/memreserve\/ 0x30000000 0x[0-9a-f]+;\n\n\/ \{\n/);
    expect(streams.stdout).toMatch(/^\tpciex@3fffe40000000 \{$/m);
    expect(streams.stdout).toContain('compatible = "ibm,power8-pciex", "ibm,ioda2-phb";');
    expect(streams.stdout).toMatch(/^\t{3}ethernet@0 \{$/m);
  });

  it('boots the machine of a scenario', () => {
    const streams = new Captured();
    expect(runDeviceTree('scenarios/two-functions-fall-together.yaml', {}, streams)).toBe(0);
    expect(streams.stdout).toMatch(/ethernet@0,1 \{/);
  });

  it('boots on the chip that is asked for, if it has the PHBs', () => {
    const streams = new Captured();
    expect(runDeviceTree(undefined, { chip: 'p7ioc' }, streams)).toBe(0);
    expect(streams.stdout).toContain('compatible = "ibm,p7ioc", "ibm,ioda-hub";');
    expect(runDeviceTree('scenarios/p7ioc-page-fault-on-one-of-six-bridges.yaml', { chip: 'phb3' }, streams)).toBe(2);
    expect(streams.stderr).toBe(
      'phbsim devicetree: scenarios/p7ioc-page-fault-on-one-of-six-bridges.yaml: PHB 5 does not exist: a chip has PHB 0 to 2\n',
    );
  });

  it('boots a POWER7 where the scenario has one', () => {
    const streams = new Captured();
    expect(runDeviceTree('scenarios/p7ioc-fenced-bridge.yaml', {}, streams)).toBe(0);
    expect(streams.stdout).toContain('compatible = "ibm,p7ioc", "ibm,ioda-hub";');
    expect(streams.stdout.match(/pciex@3ef000[89]0000 \{/g)).toHaveLength(2);
  });

  it('writes the blob that the text describes', () => {
    const streams = new Captured();
    expect(runDeviceTree(undefined, { blob: 'machine.dtb' }, streams)).toBe(0);
    expect(streams.stdout).toBe('');
    const [root] = readFdt(streams.written.get('machine.dtb')!).roots;
    expect(nodeAt(root!, '/pciex@3fffe40000000/pci@0/ethernet@0').properties.has('vendor-id')).toBe(true);
  });

  it('prints the tree as JSON', () => {
    const streams = new Captured();
    expect(runDeviceTree(undefined, { json: true }, streams)).toBe(0);
    const root = JSON.parse(streams.stdout) as JsonNode;
    const phb = root.children.find((child) => child.name.startsWith('pciex@'))!;
    expect(phb.properties).toMatchObject({
      ...{ 'ibm,opal-num-pes': [256], compatible: ['ibm,power8-pciex', 'ibm,ioda2-phb'], 'ibm,opal-single-pe': [] },
    });
    expect(phb.children[0]!.children[0]!.name).toBe('ethernet@0');
  });

  it('says what is wrong with a scenario or a place to write, and exits with 2', () => {
    const broken = new Captured();
    expect(runDeviceTree('README.md', {}, broken)).toBe(2);
    expect(broken.stderr).toMatch(/^README\.md:\d+/);
    const missing = new Captured();
    expect(runDeviceTree('nowhere.yaml', {}, missing)).toBe(2);
    expect(missing.stderr).toContain('phbsim devicetree: nowhere.yaml: no such file');
    const unwritable = new Captured();
    expect(runDeviceTree(undefined, { blob: '/nowhere/x.dtb' }, unwritable)).toBe(2);
    expect(unwritable.stderr).toContain('/nowhere/x.dtb: no such folder: make it first');
  });

  it('has help with examples', () => {
    let help = '';
    deviceTreeCommand()
      .configureOutput({ writeOut: (text) => (help += text) })
      .outputHelp();
    expect(help).toContain('phbsim devicetree --blob - | dtc -I dtb -O dts');
  });
});
