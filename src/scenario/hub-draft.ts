/**
 * From a dump of the hub of a P7IOC, or from one of a bridge that answered ones, to a machine whose hub finds such an
 * error. Facts: ioda1-p7ioc 7.4, 7.7, 12.3.
 */
import type { FaultEvent, HubError } from '../diag/fault/fault.js';
import type { HubClass } from '../diag/p7ioc/hub-text.js';
import type { HubErrorKind } from '../faults/bridge-errors.js';
import { dumpHopes, type Hope, outcomeSteps, phbOf, phbRemarks, type ScenarioDraft } from './log-draft.js';

const ERROR_OF: Readonly<Record<HubClass, HubErrorKind>> = {
  'hub dead': 'fatal',
  clock: 'clock',
  'register access': 'register-access',
  malfunction: 'malfunction',
  informational: 'informational',
  bridge: 'bridge',
};

const WITHIN = '1 s';

/** "BI Upbound" is bi-up, "CI Port 0" ci-p0. */
const unitKey = (unit: string): string =>
  unit.toLowerCase().replace('upbound', 'up').replace('downbound', 'down').replace('port ', 'p').replace(' ', '-');

/** What shows that it struck. Only firmware that tells of them has the kernel print errors that stop nothing. */
function proofOf({ unit, kind }: HubError): Hope {
  const proofs: Readonly<Record<HubErrorKind, string>> = {
    informational: `log: "P7IOC diag-data for ${unit}"`,
    malfunction: `log: "P7IOC diag-data for ${unit}"`,
    bridge: 'log: "EEH: Fenced PHB"',
    'register-access': 'log: "EEH: dead IOC detected"',
    clock: 'log: "EEH: dead IOC detected"',
    fatal: 'all-ones: slot1',
  };
  return { item: `{ ${proofs[ERROR_OF[kind]]}, within: ${WITHIN} }`, essential: true };
}

const REMARKS: Partial<Readonly<Record<HubErrorKind, string>>> = {
  informational: 'Firmware as it is finds this and tells nobody; here it is mended, so that the registers are printed.',
  malfunction: 'Firmware as it is finds this and tells nobody; here it is mended, so that the registers are printed.',
  fatal: 'Here the hub answers nothing any more, so that nobody can print its registers.',
};

export function draftHubScenario({ cause, severity }: FaultEvent, hub: HubError): ScenarioDraft {
  const error = ERROR_OF[hub.kind];
  const remark = REMARKS[error];
  const told = severity === 'informative';
  return {
    machine: [
      '  chip: p7ioc',
      ...(told ? ['  firmware: corrected'] : []),
      '  slots:',
      '    1: { device: nic, driver: recovering }',
    ],
    faults: [`  - { at: 50 ms, kind: hub-error, device: hub, unit: ${unitKey(hub.unit)}, error: ${error} }`],
    actions: [],
    hopes: [proofOf(hub), ...(told ? [{ item: '{ untouched: slot1 }' }] : [])],
    remarks: [
      `The cause is ${cause.certainty}, not certain: the scenario is one way to get there.`,
      ...(remark === undefined ? [] : [remark]),
    ],
  };
}

const SILENT_WITHIN = '60 s';

/**
 * A bridge whose registers all read as ones: the hub above it stopped its link to the processor. Firmware takes the ones for
 * a fence that it cannot lift, and Linux gives the bridge up. `phbs`: how many the simulated chip has.
 */
export function draftSilentHub(event: FaultEvent, phbs: number): ScenarioDraft {
  const phb = phbOf(event, phbs);
  return {
    machine: [
      '  chip: p7ioc',
      '  slots:',
      `    1: { device: nic, driver: recovering${phb === 0 ? '' : `, phb: ${phb}`} }`,
    ],
    faults: ['  - { at: 50 ms, kind: hub-error, device: hub, unit: bi-up, error: fatal }'],
    actions: [],
    hopes: [
      { item: `{ all-ones: slot1, within: ${WITHIN} }`, essential: true },
      ...dumpHopes(event, SILENT_WITHIN),
      ...outcomeSteps(event, SILENT_WITHIN),
      { item: `{ failed: phb${phb}, within: ${SILENT_WITHIN} }`, essential: true },
      { item: '{ removed: slot1 }' },
    ],
    remarks: [
      ...phbRemarks(event, { phb }),
      'Registers of ones do not tell what stopped answering; here it is the whole hub, with every bridge behind it.',
    ],
  };
}
