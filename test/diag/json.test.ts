import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { explainLog } from '../../src/diag/explain.js';
import { CAUSE_TYPES, CERTAINTIES, FAULT_CHIPS, SEVERITIES } from '../../src/diag/fault/fault.js';
import { toJson } from '../../src/diag/json.js';
import { formatDiagData } from '../../src/diag/layout.js';
import { PHB3_LAYOUT } from '../../src/diag/phb3/layout.js';
import { dataOf, LOG_FOLDER, readLog } from './support.js';

interface Schema {
  definitions: {
    causeType: { enum: string[] };
    certainty: { enum: string[] };
    event: { properties: { chip: { enum: string[] }; severity: { enum: string[] } } };
  };
}

const SCHEMA = JSON.parse(readFileSync(join(import.meta.dirname, '../../docs/explain.schema.json'), 'utf8')) as Schema;
const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(SCHEMA);

function check(text: string, name: string): unknown {
  const value = JSON.parse(toJson(explainLog(text), name)) as unknown;
  expect(validate(value), `${name}: ${JSON.stringify(validate.errors?.slice(0, 3))}`).toBe(true);
  return value;
}

describe('the JSON form', () => {
  it.each(readdirSync(LOG_FOLDER))('of %s follows the published schema', (name) => {
    check(readLog(name), name);
  });

  it('of a record with every kind of address follows it too', () => {
    const frozen = 1n << 63n;
    const text = formatDiagData(
      PHB3_LAYOUT,
      dataOf(
        PHB3_LAYOUT,
        { lemFir: 1n << 28n, lemWOF: 1n << 28n },
        {
          0: [0x8000802300000000n, frozen | 0x0800_0000_1234_0000n],
          1: [0x8480002300000000n, frozen | 0x3fe080000000n],
          2: [0xa880002300000000n, frozen | 0x0e000010n],
        },
      ),
      3,
    ).join('\n');
    const value = check(text, 'addresses') as { events: { pest: { record: { address: unknown } }[] }[] };
    expect(value.events[0]!.pest.map((entry) => entry.record.address)).toEqual([
      { kind: 'dma', address: '0800000012340000', window: 'bypass' },
      { kind: 'mmio', address: '00003fe080000000', window: null },
      { kind: 'config', function: '0e:00.0', register: 16 },
    ]);
  });

  it('uses the names that the schema publishes', () => {
    const { causeType, certainty, event } = SCHEMA.definitions;
    expect(causeType.enum).toEqual(CAUSE_TYPES);
    expect(certainty.enum).toEqual(CERTAINTIES);
    expect(event.properties.chip.enum).toEqual(FAULT_CHIPS);
    expect(event.properties.severity.enum).toEqual(SEVERITIES);
  });
});
