/**
 * OPAL calls about interrupts, events, messages and firmware itself.
 * Source: skiboot include/opal-api.h, core/opal.c, core/interrupts.c, core/opal-msg.c, core/fdt.c. Facts: opal-pci 1, 2, 9.
 */
import type { CallFrame } from './call-frame.js';
import { encodeMessage, MESSAGE_BYTES } from './messages.js';
import { OpalStatus } from './opal-api.js';
import { answers, call, type OpalCall } from './opal-call.js';

const { SUCCESS, PARAMETER } = OpalStatus;
/** What OPAL_TEST answers. */
const TEST_ANSWER = 0xfeed_f00d;

/** `isToken` tells which tokens the whole table has. */
export const eventCalls = (isToken: (token: number) => boolean): readonly OpalCall[] => [
  ...INTERRUPT_CALLS,
  call(80, 'OPAL_CHECK_TOKEN', 'token u64', function* (_, frame) {
    return isToken(frame.number('token')) ? 1 : 0;
  }),
  ...MESSAGE_CALLS,
];

const INTERRUPT_CALLS: readonly OpalCall[] = [
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
];

const MESSAGE_CALLS: readonly OpalCall[] = [
  call(85, 'OPAL_GET_MSG', 'buffer buffer*, length u64', function* (opal, frame) {
    if (!hasRoom(frame)) return PARAMETER;
    const { rc, message } = yield* opal.getMessage();
    if (message !== undefined) frame.putBlock('buffer', encodeMessage(message));
    return rc;
  }),
  // The message is gone, also where there is no room for it.
  call(86, 'OPAL_CHECK_ASYNC_COMPLETION', 'buffer buffer*?, length u64, token u64', function* (opal, frame) {
    const { rc, message } = yield* opal.checkAsyncCompletion(frame.word('token'));
    if (message !== undefined && hasRoom(frame)) frame.putBlock('buffer', encodeMessage(message));
    return rc;
  }),
  call(118, 'OPAL_GET_DEVICE_TREE', 'phandle u32, buffer buffer*?, length u64', function* (opal, frame) {
    const wanted = frame.word('buffer') === 0n ? 'size' : 'blob';
    const request = { phandle: frame.number('phandle'), wanted, bufferBytes: frame.word('length') } as const;
    const { rc, blob } = opal.getDeviceTree(request);
    if (blob === undefined) return rc;
    if (!frame.bufferFits('buffer', blob.length)) return PARAMETER;
    frame.putBlock('buffer', blob);
    return rc;
  }),
  call(158, 'OPAL_QUIESCE', 'kind u32, target u32', (opal, frame, { cpu }) =>
    opal.quiesce(frame.number('kind'), Number(BigInt.asIntN(32, frame.word('target'))), cpu),
  ),
];

/** For a whole message, and it lies in memory. */
function hasRoom(frame: CallFrame): boolean {
  const fits = frame.word('buffer') !== 0n && frame.bufferFits('buffer', MESSAGE_BYTES);
  return frame.word('length') >= BigInt(MESSAGE_BYTES) && fits;
}
