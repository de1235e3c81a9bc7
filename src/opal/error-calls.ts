/**
 * OPAL calls about errors, resets and slots. Source: skiboot include/opal-api.h, core/pci-opal.c, hw/cec.c.
 * Facts: opal-pci 2, 5.9 to 5.18, 6.
 */
import type { CallFrame } from './call-frame.js';
import { FreezeState, OpalStatus } from './opal-api.js';
import { call, type Handler, type OpalCall, unsupported } from './opal-call.js';
import type { DiagResult } from './opal-results.js';

const { SUCCESS, PARAMETER, UNSUPPORTED } = OpalStatus;

export const ERROR_CALLS: readonly OpalCall[] = [
  call(
    23,
    'OPAL_PCI_EEH_FREEZE_STATUS',
    'phb u64, pe u64, state u8*, error be16*, phb_status be64*?',
    freezeStatus('opal_pci_eeh_freeze_status'),
  ),
  call(26, 'OPAL_PCI_EEH_FREEZE_CLEAR', 'phb u64, pe u64, action u64', (opal, frame) =>
    opal.pciEehFreezeClear(frame.number('phb'), frame.number('pe'), frame.number('action')),
  ),
  call(49, 'OPAL_PCI_RESET', 'id u64, scope u8, assert u8', (opal, frame) =>
    opal.pciReset(frame.word('id'), frame.number('scope'), frame.number('assert')),
  ),
  call(50, 'OPAL_PCI_GET_HUB_DIAG_DATA', 'hub u64, buffer buffer*, length u64', function* (opal, frame) {
    return putData(frame, yield* opal.pciGetHubDiagData(frame.number('hub'), frame.number('length')));
  }),
  call(51, 'OPAL_PCI_GET_PHB_DIAG_DATA', 'phb u64, buffer buffer*, length u64', unsupported),
  call(53, 'OPAL_PCI_REINIT', 'phb u64, scope u64, data u64', (opal, frame) =>
    opal.pciReinit(frame.number('phb'), Number(BigInt.asUintN(16, frame.word('data'))), frame.number('scope')),
  ),
  call(60, 'OPAL_PCI_NEXT_ERROR', 'phb u64, pe be64*, error be16*, severity be16*', function* (opal, frame) {
    const next = yield* opal.pciNextError(frame.number('phb'));
    if (next.rc !== SUCCESS) return next.rc;
    if (next.untouched !== 'first-frozen-pe') frame.put('pe', next.firstFrozenPe);
    frame.put('error', next.errorType);
    frame.put('severity', next.severity);
    return next.rc;
  }),
  call(
    61,
    'OPAL_PCI_EEH_FREEZE_STATUS2',
    'phb u64, pe u64, state u8*, error be16*, severity be16*?, phb_status be64*?',
    freezeStatus('opal_pci_eeh_freeze_status2'),
  ),
  call(62, 'OPAL_PCI_POLL', 'id u64', (opal, frame) => opal.pciPoll(frame.word('id'))),
  call(64, 'OPAL_PCI_GET_PHB_DIAG_DATA2', 'phb u64, buffer buffer*, length u64', function* (opal, frame) {
    const [phb, length] = [frame.number('phb'), frame.number('length')];
    const bytes = opal.diagDataBytes(phb);
    // A length that is too short is refused further down, for bridges that exist.
    if (length >= bytes && !frame.bufferFits('buffer', bytes)) return PARAMETER;
    return putData(frame, yield* opal.pciGetPhbDiagData2(phb, length));
  }),
  call(96, 'OPAL_PCI_ERR_INJECT', 'phb u64, pe u64, type u32, function u32, address u64, mask u64', (opal, frame) =>
    opal.pciErrInject(frame.number('phb'), {
      pe: frame.number('pe'),
      type: frame.number('type'),
      function: frame.number('function'),
      address: frame.word('address'),
      mask: frame.word('mask'),
    }),
  ),
  call(97, 'OPAL_PCI_EEH_FREEZE_SET', 'phb u64, pe u64, action u64', (opal, frame) =>
    opal.pciEehFreezeSet(frame.number('phb'), frame.number('pe'), frame.number('action')),
  ),
  call(119, 'OPAL_PCI_GET_PRESENCE_STATE', 'id u64, state u8*', function* (opal, frame) {
    return putState(frame, yield* opal.pciGetPresenceState(frame.word('id')));
  }),
  call(120, 'OPAL_PCI_GET_POWER_STATE', 'id u64, state u8*', function* (opal, frame) {
    return putState(frame, yield* opal.pciGetPowerState(frame.word('id')));
  }),
  call(121, 'OPAL_PCI_SET_POWER_STATE', 'token u64, id u64, state u8*', (opal, frame) =>
    opal.pciOrderPowerState(frame.word('token'), frame.word('id'), frame.byteAt('state')),
  ),
];

/** `phb_status` is a thing of the past: firmware never stores it. */
function freezeStatus(name: string): Handler {
  return function* (opal, frame) {
    const status = yield* opal.pciEehFreezeStatus(frame.number('phb'), frame.number('pe'));
    const { rc, freezeState } = status;
    if (rc === PARAMETER || rc === UNSUPPORTED) return rc;
    if (frame.word('phb_status') !== 0n) opal.log(`${phbText(frame.number('phb'))}: ${name}: deprecated PHB status`);
    frame.put('state', freezeState);
    frame.put('error', status.errorType);
    // The caller's severity stays as it is where nothing is frozen.
    if (frame.has('severity') && freezeState !== FreezeState.NOT_FROZEN) frame.put('severity', status.severity);
    return rc;
  };
}

const phbText = (id: number): string => `PHB#${id.toString(16).padStart(4, '0')}`;

function putState(frame: CallFrame, { rc, state }: { rc: number; state: number }): number {
  if (rc === SUCCESS) frame.put('state', state);
  return rc;
}

function putData(frame: CallFrame, { rc, data, written }: DiagResult): number {
  if (rc !== SUCCESS) return rc;
  if (!frame.bufferFits('buffer', data.length)) return PARAMETER;
  for (const { at, bytes } of written ?? [{ at: 0, bytes: data.length }])
    frame.putBlock('buffer', data.subarray(at, at + bytes), at);
  return rc;
}
