/**
 * The OPAL calls as an operating system makes them: a token, registers, and results behind pointers.
 * Source: skiboot include/opal-api.h, core/pci-opal.c, core/interrupts.c, core/opal-msg.c, hw/cec.c.
 * Facts: opal-pci 1, 2, 5, 9.
 */
import { PHB3_LAYOUT } from '../diag/phb3/layout.js';
import type { SystemMemory } from '../hw/memory.js';
import type { Process } from '../sim/process.js';
import { CallFrame, declareArguments, type OpalArgument } from './call-frame.js';
import type { Opal } from './opal.js';
import { FreezeState, OpalStatus } from './opal-api.js';
import type { FreezeStatus } from './phb3-eeh.js';
import type { MsiMessage } from './phb3-interrupts.js';

type Handler = (opal: Opal, frame: CallFrame) => Process<number>;

export interface OpalCall {
  readonly token: number;
  readonly name: string;
  readonly arguments: readonly OpalArgument[];
  readonly run: Handler;
}

const { SUCCESS, PARAMETER, UNSUPPORTED, RESOURCE, BUSY } = OpalStatus;
/** What OPAL_TEST answers. */
const TEST_ANSWER = 0xfeed_f00d;
const MESSAGE_BYTES = 72;
const LAST_POWER_STATE = 3;
const LOW_WORD = 0xffff_ffffn;

const CALLS: readonly OpalCall[] = [
  call(0, 'OPAL_TEST', 'argument u64', answers(TEST_ANSWER)),
  call(9, 'OPAL_HANDLE_INTERRUPT', 'isn u32, events be64*?', function* (opal, frame) {
    const { rc, events } = yield* opal.handleInterrupt(frame.number('isn'));
    frame.put('events', events);
    return rc;
  }),
  call(10, 'OPAL_POLL_EVENTS', 'events be64*?', function* (opal, frame) {
    const { rc, events } = yield* opal.pollEvents();
    frame.put('events', events);
    return rc;
  }),
  // Machines of this kind have no hubs, so no hub number is known.
  call(11, 'OPAL_PCI_SET_HUB_TCE_MEMORY', 'hub u64, address u64, size u64', answers(PARAMETER)),
  call(12, 'OPAL_PCI_SET_PHB_TCE_MEMORY', 'phb u64, address u64, size u64', unsupported),
  call(13, 'OPAL_PCI_CONFIG_READ_BYTE', 'phb u64, bdfn u64, offset u64, data u8*', configRead(1)),
  call(14, 'OPAL_PCI_CONFIG_READ_HALF_WORD', 'phb u64, bdfn u64, offset u64, data be16*', configRead(2)),
  call(15, 'OPAL_PCI_CONFIG_READ_WORD', 'phb u64, bdfn u64, offset u64, data be32*', configRead(4)),
  call(16, 'OPAL_PCI_CONFIG_WRITE_BYTE', 'phb u64, bdfn u64, offset u64, data u8', configWrite(1)),
  call(17, 'OPAL_PCI_CONFIG_WRITE_HALF_WORD', 'phb u64, bdfn u64, offset u64, data u16', configWrite(2)),
  call(18, 'OPAL_PCI_CONFIG_WRITE_WORD', 'phb u64, bdfn u64, offset u64, data u32', configWrite(4)),
  call(19, 'OPAL_SET_XIVE', 'isn u32, server u16, priority u8', (opal, frame) =>
    opal.setXive(frame.number('isn'), frame.number('server'), frame.number('priority')),
  ),
  call(20, 'OPAL_GET_XIVE', 'isn u32, server be16*, priority u8*', function* (opal, frame) {
    const { rc, server, priority } = yield* opal.getXive(frame.number('isn'));
    if (rc !== SUCCESS) return rc;
    frame.put('server', server);
    frame.put('priority', priority);
    return rc;
  }),
  call(
    23,
    'OPAL_PCI_EEH_FREEZE_STATUS',
    'phb u64, pe u64, state u8*, error be16*, phb_status be64*?',
    function* (opal, frame) {
      return putFreezeStatus(frame, yield* opal.pciEehFreezeStatus(frame.number('phb'), frame.number('pe')));
    },
  ),
  call(26, 'OPAL_PCI_EEH_FREEZE_CLEAR', 'phb u64, pe u64, action u64', (opal, frame) =>
    opal.pciEehFreezeClear(frame.number('phb'), frame.number('pe'), Number(frame.word('action') & LOW_WORD)),
  ),
  call(27, 'OPAL_PCI_PHB_MMIO_ENABLE', 'phb u64, type u16, window u16, enable u16', (opal, frame) =>
    opal.pciPhbMmioEnable(frame.number('phb'), frame.number('type'), frame.number('window'), frame.number('enable')),
  ),
  call(
    28,
    'OPAL_PCI_SET_PHB_MEM_WINDOW',
    'phb u64, type u16, window u16, address u64, pci_address u64, size u64',
    (opal, frame) =>
      opal.pciSetPhbMemWindow(frame.number('phb'), {
        type: frame.number('type'),
        window: frame.number('window'),
        address: frame.word('address'),
        size: frame.word('size'),
      }),
  ),
  call(29, 'OPAL_PCI_MAP_PE_MMIO_WINDOW', 'phb u64, pe u64, type u16, window u16, segment u16', (opal, frame) =>
    opal.pciMapPeMmioWindow(frame.number('phb'), {
      pe: frame.number('pe'),
      type: frame.number('type'),
      window: frame.number('window'),
      segment: frame.number('segment'),
    }),
  ),
  call(
    30,
    'OPAL_PCI_SET_PHB_TABLE_MEMORY',
    'phb u64, rtt u64, peltv u64, pest u64, ivt u64, rejects u64',
    answers(UNSUPPORTED),
  ),
  call(31, 'OPAL_PCI_SET_PE', 'phb u64, pe u64, bdfn u64, bus u8, device u8, function u8, action u8', (opal, frame) =>
    opal.pciSetPe(frame.number('phb'), {
      pe: frame.number('pe'),
      rid: frame.number('bdfn'),
      match: { bus: frame.number('bus'), device: frame.number('device'), function: frame.number('function') },
      action: frame.number('action'),
    }),
  ),
  call(32, 'OPAL_PCI_SET_PELTV', 'phb u64, parent u32, child u32, state u8', (opal, frame) =>
    opal.pciSetPeltv(
      frame.number('phb'),
      frame.number('parent'),
      frame.number('child'),
      // Anything but "remove" adds.
      Math.min(frame.number('state'), 1),
    ),
  ),
  call(33, 'OPAL_PCI_SET_MVE', 'phb u64, mve u32, pe u64', unsupported),
  call(34, 'OPAL_PCI_SET_MVE_ENABLE', 'phb u64, mve u32, state u32', unsupported),
  call(35, 'OPAL_PCI_GET_XIVE_REISSUE', 'phb u64, xive u32, p u64, q u64', answers(UNSUPPORTED)),
  call(36, 'OPAL_PCI_SET_XIVE_REISSUE', 'phb u64, xive u32, p u64, q u64', answers(UNSUPPORTED)),
  call(37, 'OPAL_PCI_SET_XIVE_PE', 'phb u64, pe u64, xive u32', (opal, frame) =>
    opal.pciSetXivePe(frame.number('phb'), frame.number('pe'), frame.number('xive')),
  ),
  call(38, 'OPAL_GET_XIVE_SOURCE', 'phb u64, xive u32, isn be32*', unsupported),
  call(39, 'OPAL_GET_MSI_32', 'phb u64, pe u32, xive u32, range u8, address be32*, data be32*', msi('getMsi32')),
  call(40, 'OPAL_GET_MSI_64', 'phb u64, pe u32, xive u32, range u8, address be64*, data be32*', msi('getMsi64')),
  call(
    44,
    'OPAL_PCI_MAP_PE_DMA_WINDOW',
    'phb u64, pe u64, window u16, levels u16, table u64, table_size u64, page_size u64',
    (opal, frame) =>
      opal.pciMapPeDmaWindow(frame.number('phb'), {
        pe: frame.number('pe'),
        window: frame.number('window'),
        levels: frame.number('levels'),
        tableAddress: frame.word('table'),
        tableBytes: frame.word('table_size'),
        pageBytes: frame.word('page_size'),
      }),
  ),
  call(45, 'OPAL_PCI_MAP_PE_DMA_WINDOW_REAL', 'phb u64, pe u64, window u16, pci_start u64, size u64', (opal, frame) =>
    opal.pciMapPeDmaWindowReal(frame.number('phb'), {
      pe: frame.number('pe'),
      window: frame.number('window'),
      pciStart: frame.word('pci_start'),
      size: frame.word('size'),
    }),
  ),
  call(49, 'OPAL_PCI_RESET', 'id u64, scope u8, assert u8', (opal, frame) =>
    opal.pciReset(frame.word('id'), frame.number('scope'), frame.number('assert')),
  ),
  call(50, 'OPAL_PCI_GET_HUB_DIAG_DATA', 'hub u64, buffer buffer*, length u64', answers(PARAMETER)),
  call(51, 'OPAL_PCI_GET_PHB_DIAG_DATA', 'phb u64, buffer buffer*, length u64', unsupported),
  call(53, 'OPAL_PCI_REINIT', 'phb u64, scope u64, data u64', (opal, frame) =>
    opal.pciReinit(frame.number('phb'), Number(BigInt.asUintN(16, frame.word('data'))), frame.number('scope')),
  ),
  call(60, 'OPAL_PCI_NEXT_ERROR', 'phb u64, pe be64*, error be16*, severity be16*', function* (opal, frame) {
    const next = yield* opal.pciNextError(frame.number('phb'));
    if (next.rc !== SUCCESS) return next.rc;
    frame.put('pe', next.firstFrozenPe);
    frame.put('error', next.errorType);
    frame.put('severity', next.severity);
    return next.rc;
  }),
  call(
    61,
    'OPAL_PCI_EEH_FREEZE_STATUS2',
    'phb u64, pe u64, state u8*, error be16*, severity be16*?, phb_status be64*?',
    function* (opal, frame) {
      const status = yield* opal.pciEehFreezeStatus(frame.number('phb'), frame.number('pe'));
      // The caller's severity stays as it is where nothing is frozen.
      if (status.rc !== PARAMETER && status.freezeState !== FreezeState.NOT_FROZEN) {
        frame.put('severity', status.severity);
      }
      return putFreezeStatus(frame, status);
    },
  ),
  call(62, 'OPAL_PCI_POLL', 'id u64', (opal, frame) => opal.pciPoll(frame.word('id'))),
  call(63, 'OPAL_PCI_MSI_EOI', 'phb u64, irq u32', (opal, frame) =>
    opal.pciMsiEoi(frame.number('phb'), frame.number('irq')),
  ),
  call(64, 'OPAL_PCI_GET_PHB_DIAG_DATA2', 'phb u64, buffer buffer*, length u64', diagData),
  call(80, 'OPAL_CHECK_TOKEN', 'token u64', function* (_, frame) {
    return opalCall(frame.number('token')) === undefined ? 0 : 1;
  }),
  // Nothing here completes later, so no message ever waits.
  call(85, 'OPAL_GET_MSG', 'buffer buffer*, length u64', function* (_, frame) {
    return frame.word('length') < MESSAGE_BYTES ? PARAMETER : RESOURCE;
  }),
  call(86, 'OPAL_CHECK_ASYNC_COMPLETION', 'buffer buffer*, length u64, token u64', answers(BUSY)),
  call(93, 'OPAL_PCI_SET_PHB_CAPI_MODE', 'phb u64, mode u64, pe u64', unsupported),
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
  // (M) No slot of these machines lets firmware switch its power.
  call(121, 'OPAL_PCI_SET_POWER_STATE', 'token u64, id u64, state u8*', function* (opal, frame) {
    const { rc } = yield* opal.pciGetPowerState(frame.word('id'));
    if (rc === PARAMETER) return PARAMETER;
    return frame.byteAt('state') > LAST_POWER_STATE ? PARAMETER : UNSUPPORTED;
  }),
  call(126, 'OPAL_PCI_TCE_KILL', 'phb u64, kind u32, pe u64, tce_size u32, address u64, pages u32', unsupported),
  call(157, 'OPAL_PCI_SET_P2P', 'phb_init u64, phb_target u64, description u64, pe u16', answers(UNSUPPORTED)),
  call(164, 'OPAL_PCI_GET_PBCQ_TUNNEL_BAR', 'phb u64, address be64*', unsupported),
  call(165, 'OPAL_PCI_SET_PBCQ_TUNNEL_BAR', 'phb u64, address u64', unsupported),
  call(179, 'OPAL_PHB_SET_OPTION', 'phb u64, option u64, setting u64', unsupported),
  call(180, 'OPAL_PHB_GET_OPTION', 'phb u64, option u64, setting be64*', unsupported),
];

const BY_TOKEN: ReadonlyMap<number, OpalCall> = new Map(CALLS.map((each) => [each.token, each]));
const BY_NAME: ReadonlyMap<string, OpalCall> = new Map(CALLS.map((each) => [each.name, each]));

/** By token or name; undefined: firmware has no such call. */
export function opalCall(tokenOrName: number | string): OpalCall | undefined {
  return typeof tokenOrName === 'number' ? BY_TOKEN.get(tokenOrName) : BY_NAME.get(tokenOrName);
}

/** Every call, in order of token. */
export const OPAL_CALLS: readonly OpalCall[] = CALLS;

/** One call with its registers. Pointers are looked at before anything else. */
export function* invokeOpal(
  opal: Opal,
  memory: SystemMemory,
  { call: { arguments: declared, run }, registers }: { call: OpalCall; registers: readonly bigint[] },
): Process<number> {
  const frame = new CallFrame(declared, registers, memory);
  return frame.pointersAreValid ? yield* run(opal, frame) : PARAMETER;
}

function call(token: number, name: string, declared: string, run: Handler): OpalCall {
  return { token, name, arguments: declareArguments(declared), run };
}

function answers(rc: number): Handler {
  return function* () {
    return rc;
  };
}

/** A call that this bridge's driver has no answer for; that of a bridge that is not there comes first. */
function unsupported(opal: Opal, frame: CallFrame): Process<number> {
  return opal.pciTceKill(frame.number('phb'));
}

function configRead(size: 1 | 2 | 4): Handler {
  return function* (opal, frame) {
    const [phb, bdfn, offset] = [frame.number('phb'), frame.number('bdfn'), frame.number('offset')];
    const { rc, value } = yield* opal.pciConfigRead(phb, bdfn, offset, size);
    // Ones, if it failed: the caller's variable never keeps what it held.
    frame.put('data', value);
    return rc;
  };
}

function configWrite(size: 1 | 2 | 4): Handler {
  return (opal, frame) => {
    const [phb, bdfn, offset] = [frame.number('phb'), frame.number('bdfn'), frame.number('offset')];
    return opal.pciConfigWrite(phb, bdfn, offset, size, frame.number('data'));
  };
}

function msi(width: 'getMsi32' | 'getMsi64'): Handler {
  return function* (opal, frame) {
    const [phb, pe, xive] = [frame.number('phb'), frame.number('pe'), frame.number('xive')];
    const message: MsiMessage = yield* opal[width](phb, pe, xive, frame.number('range'));
    if (message.rc !== SUCCESS) return message.rc;
    frame.put('address', message.address);
    frame.put('data', message.data);
    return message.rc;
  };
}

/** `phb_status` is a thing of the past: firmware never stores it. */
function putFreezeStatus(frame: CallFrame, { rc, freezeState, errorType }: FreezeStatus): number {
  if (rc === PARAMETER) return rc;
  frame.put('state', freezeState);
  frame.put('error', errorType);
  return rc;
}

function putState(frame: CallFrame, { rc, state }: { rc: number; state: number }): number {
  if (rc === SUCCESS) frame.put('state', state);
  return rc;
}

function* diagData(opal: Opal, frame: CallFrame): Process<number> {
  const length = frame.number('length');
  // A length that is too short is refused further down, for bridges that exist.
  if (length >= PHB3_LAYOUT.totalBytes && !frame.bufferFits('buffer', PHB3_LAYOUT.totalBytes)) return PARAMETER;
  const { rc, data } = yield* opal.pciGetPhbDiagData2(frame.number('phb'), length);
  if (rc === SUCCESS) frame.putBlock('buffer', data);
  return rc;
}
