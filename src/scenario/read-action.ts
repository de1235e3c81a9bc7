/** Reads one action of the operator: when, what, and on whom. */
import type { TimeNs } from '../sim/time.js';
import { ACTION_KINDS, ACTIONS, type ActionDeclaration, type ActionTarget, type PlannedAction } from './action.js';
import type { Names } from './names.js';
import type { MapReader, Value } from './reader.js';

export const ACTION_KEYS = ['at', 'do', 'device', 'file', 'value'] as const;

export function readAction(value: Value, names: Names): PlannedAction | undefined {
  const map = value.map();
  if (map === undefined) return undefined;
  const kind = map.need('do')?.oneOf(ACTION_KINDS, 'action');
  const atNs = map.need('at')?.duration();
  if (kind === undefined) return undefined;
  const { on, keys = [] }: ActionDeclaration = ACTIONS[kind];
  map.only(['at', 'do', ...(on === 'nobody' ? [] : ['device']), ...keys]);
  if (kind === 'read' || kind === 'write') return readFileAction(kind, map, atNs);
  if (on === 'nobody') return atNs === undefined ? undefined : { kind, atNs };
  const allowed = targetsOf(on, names);
  const target = map.need('device')?.oneOf(allowed, 'device', `${kind} can be done to: ${allowed.join(', ')}`);
  return atNs === undefined || target === undefined ? undefined : { kind, atNs, target };
}

function readFileAction(kind: 'read' | 'write', map: MapReader, atNs: TimeNs | undefined): PlannedAction | undefined {
  const path = map.need('file');
  const file = path?.string();
  if (file !== undefined && !file.startsWith('/')) path!.fail('a file of the kernel begins with /', FILE_REMEDY);
  const value = kind === 'write' ? map.need('value')?.text() : '';
  if (atNs === undefined || file === undefined || value === undefined) return undefined;
  return { kind, atNs, file, ...(kind === 'write' ? { value } : {}) };
}

const FILE_REMEDY = { remedy: 'Such as /sys/kernel/debug/powerpc/eeh_max_freezes' };

function targetsOf(on: ActionTarget, names: Names): readonly string[] {
  return on === 'slot' ? names.slots : [...names.slots, ...names.switches, ...names.bridges, ...names.phbs];
}
