import { describe, expect, it } from 'vitest';
import { NVME_TIMING } from '../../src/pcie/nvme.js';
import { FEATURE } from '../../src/pcie/nvme-features.js';
import { ADMIN, IO, NVME_STATUS } from '../../src/pcie/nvme-format.js';
import { IDENTIFY, LOG_PAGE } from '../../src/pcie/nvme-identify.js';
import { NVME_CSTS } from '../../src/pcie/nvme-registers.js';
import { MessageCode, memoryWrite } from '../../src/pcie/tlp.js';
import { BASE, blockCommand, CC_ENABLED, MSIX_PENDING, MSIX_TABLE, NvmeDriver, PAGE, pattern } from './nvme-driver.js';
import { BUS1 } from './rig.js';

const BUFFER = 0x8_0000;
const { RDY, CFS } = NVME_CSTS;
const text = (bytes: Uint8Array) => String.fromCharCode(...bytes).trim();
const view = (bytes: Uint8Array) => new DataView(bytes.buffer);

describe('the registers', () => {
  it('say what the controller can do', () => {
    const driver = new NvmeDriver();
    expect([driver.get('CAP'), driver.get('CAP_HI'), driver.get('VS')]).toEqual([
      0x0f01_07ff, 0x0040_0020, 0x0001_0200,
    ]);
    driver.set('CAP', 0);
    driver.set('CSTS', 0xffff_ffff);
    expect([driver.get('CAP'), driver.get('CSTS')]).toEqual([0x0f01_07ff, 0]);
    expect(new NvmeDriver({ doorbellStride: 2 }).get('CAP_HI')).toBe(0x0040_0022);
  });

  it('take 4 or 8 bytes, aligned, and read 0 where there are none', () => {
    const { r } = new NvmeDriver();
    expect(Array.from(r.load(BASE, 8)!.data!)).toEqual([0xff, 0x07, 0x01, 0x0f, 0x20, 0, 0x40, 0]);
    r.port.send(memoryWrite(0, { hi: 0, lo: BASE + 0x28 }, Uint8Array.of(0, 0x10, 2, 3, 4, 5, 6, 7)));
    expect([r.register(BASE + 0x28), r.register(BASE + 0x2c)]).toEqual([0x0302_1000, 0x0706_0504]);
    for (const [offset, size] of [
      [0, 1],
      [8, 2],
      [4, 8],
      [0, 16],
    ] as const) {
      expect(r.load(BASE + offset, size)?.status).toBe('CA');
    }
    r.store(BASE + 0x24, 0xff, 1);
    expect(r.register(BASE + 0x24)).toBe(0);
    expect([0x40, 0xffc, 0x1000, 0x1ffc, 0x2ffc, 0x3ffc].map((offset) => r.register(BASE + offset))).toEqual([
      0, 0, 0, 0, 0, 0,
    ]);
    expect([r.register(BASE + MSIX_TABLE + 12), r.register(BASE + MSIX_PENDING)]).toEqual([1, 0]);
  });

  it('mask interrupt vectors by set and clear', () => {
    const driver = new NvmeDriver();
    driver.set('INTMS', 0x8000_0011);
    driver.set('INTMC', 0x10);
    expect([driver.get('INTMS'), driver.get('INTMC')]).toEqual([0x8000_0001, 0x8000_0001]);
  });
});

describe('enabling', () => {
  it('takes its time until the controller is ready', () => {
    const driver = new NvmeDriver();
    driver.enable();
    const early = new NvmeDriver();
    early.set('AQA', 0x0007_0007);
    early.set('CC', CC_ENABLED);
    early.r.run(9e6);
    expect([early.get('CSTS'), driver.get('CSTS')]).toEqual([0, RDY]);
    driver.set('CC', CC_ENABLED & ~1);
    expect(driver.get('CSTS')).toBe(RDY);
    driver.r.run(2e6);
    expect([driver.get('CSTS'), driver.get('AQA'), driver.get('ASQ')]).toEqual([0, 0x0007_0007, 0x1_0000]);
  });

  it.each([
    ['another command set', { cc: CC_ENABLED | 0x10 }],
    ['another arbitration', { cc: CC_ENABLED | 0x800 }],
    ['pages beyond 64 KiB', { cc: CC_ENABLED | (5 << 7) }],
    ['queues that do not begin on a page', { cc: CC_ENABLED | (1 << 7), asq: 0x1_1000 }],
    ['a completion queue that does not', { cc: CC_ENABLED | (1 << 7), acq: 0x1_1000 }],
    ['a submission queue of one entry', { aqa: 0x0007_0000 }],
    ['a completion queue of one entry', { aqa: 0x0000_0007 }],
  ])(
    'fails with %s',
    (_what, { cc = CC_ENABLED, aqa = 0x0007_0007, asq = 0x1_0000, acq = 0x1_2000 }: Record<string, number>) => {
      const driver = new NvmeDriver();
      driver.set('AQA', aqa);
      driver.set('ASQ', asq);
      driver.set('ACQ', acq);
      driver.set('CC', cc);
      driver.r.run(12e6);
      expect(driver.get('CSTS')).toBe(CFS);
      driver.set('CC', 0);
      driver.r.run(2e6);
      expect(driver.get('CSTS')).toBe(0);
      driver.enable();
      expect(driver.get('CSTS')).toBe(RDY);
    },
  );

  it('with larger pages moves data by them', () => {
    const driver = new NvmeDriver().enable(CC_ENABLED | (1 << 7)).createQueues(1, 8);
    driver.r.memory.set(pattern(0x2000, 5), BUFFER);
    expect(driver.execute(1, blockCommand('WRITE', 0, 16, [BUFFER, 0x1])).status).toBe(0);
    expect(driver.execute(1, blockCommand('READ', 0, 16, [BUFFER + 0x1ffc, 0xa_0000])).status).toBe(0);
    expect(driver.r.memory.slice(0xa_0000, 0xa_1ffc)).toEqual(pattern(0x2000, 5).slice(4));
  });

  it.each([1, 2])('is followed by a shutdown that was asked for as %i', (kind) => {
    const driver = new NvmeDriver().enable();
    driver.set('CC', CC_ENABLED | (kind << 14));
    expect(driver.get('CSTS')).toBe(RDY | (1 << 2));
    driver.r.run(11e6);
    expect(driver.get('CSTS')).toBe(RDY | (2 << 2));
    driver.submit(0, { opcode: ADMIN.IDENTIFY, prp1: BUFFER, dwords: [1] });
    driver.r.run(1e6);
    expect(driver.take(0)).toEqual([]);
    driver.set('CC', 0);
    driver.r.run(2e6);
    expect(driver.get('CSTS')).toBe(0);
    driver.enable();
    expect(driver.admin({ opcode: ADMIN.GET_FEATURES, dwords: [FEATURE.ARBITRATION] }).status).toBe(0);
  });
});

describe('identify', () => {
  it('shows the controller', () => {
    const driver = new NvmeDriver({ serialNumber: 'S/N 42' }).enable();
    const page = driver.page({ opcode: ADMIN.IDENTIFY, dwords: [IDENTIFY.CONTROLLER] });
    expect([view(page).getUint16(0, true), view(page).getUint16(2, true)]).toEqual([0x1b36, 0x1af4]);
    expect(text(page.slice(4, 24))).toBe('S/N 42');
    expect([text(page.slice(24, 64)), text(page.slice(64, 72))]).toEqual(['phbsim NVMe disk', '1.0']);
    expect([page[77], page[258], page[259], page[512], page[513]]).toEqual([7, 3, 3, 0x66, 0x44]);
    expect([view(page).getUint32(80, true), view(page).getUint32(516, true)]).toEqual([driver.get('VS'), 1]);
  });

  it('shows the namespace, its size and its blocks of 512 bytes', () => {
    const driver = new NvmeDriver({ blocks: 12_345 }).enable();
    const page = driver.page({ opcode: ADMIN.IDENTIFY, namespace: 1, dwords: [IDENTIFY.NAMESPACE] });
    expect([0, 8, 16].map((at) => view(page).getBigUint64(at, true))).toEqual([12_345n, 12_345n, 12_345n]);
    expect([page[25], page[26], view(page).getUint32(128, true)]).toEqual([0, 0, 9 << 16]);
  });

  it('lists the namespaces above a number', () => {
    const driver = new NvmeDriver().enable();
    const list = (namespace: number) => {
      const page = driver.page({ opcode: ADMIN.IDENTIFY, namespace, dwords: [IDENTIFY.ACTIVE_NAMESPACES] });
      return [view(page).getUint32(0, true), view(page).getUint32(4, true)];
    };
    expect([list(0), list(1)]).toEqual([
      [1, 0],
      [0, 0],
    ]);
  });

  it.each([
    [{ namespace: 2, dwords: [0] }, NVME_STATUS.INVALID_NAMESPACE],
    [{ namespace: 0, dwords: [0] }, NVME_STATUS.INVALID_NAMESPACE],
    [{ namespace: 0xffff_fffe, dwords: [2] }, NVME_STATUS.INVALID_NAMESPACE],
    [{ dwords: [0x10] }, NVME_STATUS.INVALID_FIELD],
    [{ dwords: [1], flags: 0x40 }, NVME_STATUS.INVALID_FIELD],
    [{ dwords: [1], flags: 0x01 }, NVME_STATUS.INVALID_FIELD],
    [{ dwords: [1], prp1: BUFFER + 2 }, NVME_STATUS.INVALID_PRP_OFFSET],
    [{ dwords: [1], prp1: BUFFER + 4, prp2: BUFFER + 0x1004 }, NVME_STATUS.INVALID_PRP_OFFSET],
  ])('of %o is refused', (more, status) => {
    const driver = new NvmeDriver().enable();
    expect(driver.admin({ opcode: ADMIN.IDENTIFY, prp1: BUFFER, ...more }).status).toBe(status);
  });
});

describe('features', () => {
  const set = (driver: NvmeDriver, id: number, value: number) =>
    driver.admin({ opcode: ADMIN.SET_FEATURES, dwords: [id, value] });
  const get = (driver: NvmeDriver, id: number) => driver.admin({ opcode: ADMIN.GET_FEATURES, dwords: [id] });

  it('keep what is set until a reset of the controller', () => {
    const driver = new NvmeDriver().enable();
    expect(set(driver, FEATURE.INTERRUPT_COALESCING, 0xffff_1234).status).toBe(0);
    expect(get(driver, FEATURE.INTERRUPT_COALESCING)).toMatchObject({ status: 0, result: 0x1234 });
    expect(get(driver, FEATURE.TEMPERATURE_THRESHOLD).result).toBe(0x157);
    driver.set('CC', 0);
    driver.r.run(2e6);
    driver.enable();
    expect(get(driver, FEATURE.INTERRUPT_COALESCING).result).toBe(0);
  });

  it('grant queues, as many as there can be, while there are none', () => {
    const driver = new NvmeDriver().enable();
    expect(get(driver, FEATURE.NUMBER_OF_QUEUES).result).toBe(0x003f_003f);
    expect(set(driver, FEATURE.NUMBER_OF_QUEUES, 0x0003_0001)).toMatchObject({ status: 0, result: 0x0003_0003 });
    expect(driver.createCompletionQueue(5, 8).status).toBe(NVME_STATUS.INVALID_QUEUE_ID);
    expect(driver.createCompletionQueue(4, 8).status).toBe(0);
    expect(set(driver, FEATURE.NUMBER_OF_QUEUES, 0x0007_0007).status).toBe(NVME_STATUS.COMMAND_SEQUENCE_ERROR);
    const second = new NvmeDriver({ doorbellStride: 3 }).enable();
    expect(set(second, FEATURE.NUMBER_OF_QUEUES, 0xfffe_fffe).result).toBe(0x003e_003e);
    expect(set(second, FEATURE.NUMBER_OF_QUEUES, 0xffff_0001).status).toBe(NVME_STATUS.INVALID_FIELD);
    expect(set(second, FEATURE.NUMBER_OF_QUEUES, 0x0001_ffff).status).toBe(NVME_STATUS.INVALID_FIELD);
  });

  it('that do not exist, are to be saved or are asked for otherwise are refused', () => {
    const driver = new NvmeDriver().enable();
    expect([set(driver, 0x77, 0).status, get(driver, 0x77).status]).toEqual([
      NVME_STATUS.INVALID_FIELD,
      NVME_STATUS.INVALID_FIELD,
    ]);
    expect(set(driver, 0x8000_0001, 0).status).toBe(NVME_STATUS.FEATURE_NOT_SAVEABLE);
    expect(get(driver, 0x0101).status).toBe(NVME_STATUS.INVALID_FIELD);
  });
});

describe('log pages', () => {
  const log = (id: number, dwords: number) => ({ opcode: ADMIN.GET_LOG_PAGE, dwords: [((dwords - 1) << 16) | id] });

  it('count what was read and written', () => {
    const driver = new NvmeDriver().enable().createQueues(1, 8);
    for (let i = 0; i < 3; i++) driver.execute(1, blockCommand('WRITE', 8 * i, 8, [BUFFER]));
    driver.execute(1, blockCommand('READ', 0, 1, [BUFFER]));
    const health = driver.page(log(LOG_PAGE.HEALTH, 128));
    expect([32, 48, 64, 80].map((at) => view(health).getBigUint64(at, true))).toEqual([1n, 1n, 1n, 3n]);
    expect([view(health).getUint16(1, true), health[3]]).toEqual([300, 100]);
    expect(health[512]).toBe(0xee);
  });

  it('are cut to what is asked for, and padded', () => {
    const driver = new NvmeDriver().enable();
    const firmware = driver.page(log(LOG_PAGE.FIRMWARE, 3));
    expect([firmware[0], text(firmware.slice(8, 12)), firmware[12]]).toEqual([1, '1.0', 0xee]);
    const errors = driver.page(log(LOG_PAGE.ERRORS, 1024));
    expect(errors).toEqual(new Uint8Array(PAGE));
    expect(driver.admin({ ...log(0x55, 1), prp1: BUFFER }).status).toBe(NVME_STATUS.INVALID_LOG_PAGE);
  });
});

describe('queues', () => {
  const remove = (driver: NvmeDriver, kind: 'DELETE_SQ' | 'DELETE_CQ', id: number) =>
    driver.admin({ opcode: ADMIN[kind], dwords: [id] }).status;

  it('are created and deleted in order: a completion queue goes last', () => {
    const driver = new NvmeDriver().enable().createQueues(1, 8);
    expect(driver.createSubmissionQueue(2, 8, 1).status).toBe(0);
    expect(remove(driver, 'DELETE_CQ', 1)).toBe(NVME_STATUS.INVALID_QUEUE_DELETION);
    expect(remove(driver, 'DELETE_SQ', 1)).toBe(0);
    expect(remove(driver, 'DELETE_CQ', 1)).toBe(NVME_STATUS.INVALID_QUEUE_DELETION);
    expect(remove(driver, 'DELETE_SQ', 2)).toBe(0);
    expect(remove(driver, 'DELETE_CQ', 1)).toBe(0);
    for (const id of [0, 1, 65]) {
      expect(remove(driver, 'DELETE_SQ', id)).toBe(NVME_STATUS.INVALID_QUEUE_ID);
      expect(remove(driver, 'DELETE_CQ', id)).toBe(NVME_STATUS.INVALID_QUEUE_ID);
    }
  });

  it.each([
    [{ id: 0 }, NVME_STATUS.INVALID_QUEUE_ID],
    [{ id: 65 }, NVME_STATUS.INVALID_QUEUE_ID],
    [{ id: 1 }, NVME_STATUS.INVALID_QUEUE_ID],
    [{ entries: 1 }, NVME_STATUS.INVALID_QUEUE_SIZE],
    [{ entries: 2049 }, NVME_STATUS.INVALID_QUEUE_SIZE],
    [{ flags: 0 }, NVME_STATUS.INVALID_FIELD],
    [{ prp1: 0x5_0100 }, NVME_STATUS.INVALID_PRP_OFFSET],
    [{ vector: 1 }, NVME_STATUS.INVALID_INTERRUPT_VECTOR],
  ])('with %o are refused', (wrong, status) => {
    const driver = new NvmeDriver().enable().createQueues(1, 8);
    const { id = 2, entries = 8, flags = 1, prp1 = 0x5_0000, vector }: Record<string, number> = wrong;
    const create = (opcode: number, upper: number) =>
      driver.admin({ opcode, prp1, dwords: [((entries - 1) << 16) | id, (upper << 16) | flags] }).status;
    expect(create(ADMIN.CREATE_CQ, vector ?? 0)).toBe(status);
    if (vector === undefined) expect(create(ADMIN.CREATE_SQ, 1)).toBe(status);
  });

  it('need entries of the sizes of the command set, and a completion queue that exists', () => {
    const driver = new NvmeDriver().enable(0x0056_0001);
    expect(driver.createCompletionQueue(1, 8).status).toBe(NVME_STATUS.INVALID_FIELD);
    const second = new NvmeDriver().enable();
    for (const completions of [0, 1]) {
      expect(second.createSubmissionQueue(1, 8, completions).status).toBe(NVME_STATUS.INVALID_CQ);
    }
  });

  it('with MSI-X may name any of its vectors, and no other', () => {
    const driver = new NvmeDriver().enable().enableMsiX();
    expect(driver.createCompletionQueue(1, 8, 3, 65).status).toBe(NVME_STATUS.INVALID_INTERRUPT_VECTOR);
    expect(driver.createCompletionQueue(1, 8, 3, 64).status).toBe(0);
  });

  it('go around, with a phase bit that turns each time', () => {
    const driver = new NvmeDriver().enable().createQueues(1, 3);
    const heads = Array.from({ length: 8 }, () => driver.execute(1, { opcode: IO.FLUSH, namespace: 1 }).head);
    expect(heads).toEqual([1, 2, 0, 1, 2, 0, 1, 2]);
  });

  it('hold completions back while there is no room, and commands behind them', () => {
    const driver = new NvmeDriver().enable();
    driver.createCompletionQueue(1, 3);
    driver.createSubmissionQueue(1, 64);
    const ids = Array.from({ length: 60 }, () => driver.put(1, { opcode: IO.FLUSH, namespace: 1 }));
    driver.ring(1);
    driver.r.run(1e6);
    const ring = driver.ringBase(1, 'SQ');
    const fetched = driver.r.reads.filter((tlp) => tlp.addressLo >= ring && tlp.addressLo < ring + PAGE).length;
    expect(fetched).toBeGreaterThan(2);
    expect(fetched).toBeLessThan(40);
    const taken: number[] = [];
    for (let i = 0; i < 40; i++) {
      const entries = driver.take(1);
      expect(entries.length).toBeLessThanOrEqual(2);
      taken.push(...entries.map((entry) => entry.commandId));
      driver.r.run(1e6);
    }
    expect(taken).toEqual(ids);
  });

  it('are served in turn', () => {
    const driver = new NvmeDriver().enable().createQueues(1, 32).createQueues(2, 32).createQueues(3, 32);
    for (const queue of [1, 2, 3]) {
      for (let i = 0; i < 20; i++) driver.put(queue, { opcode: IO.FLUSH, namespace: 1 });
    }
    driver.r.reads.length = 0;
    for (const queue of [1, 2, 3]) driver.ring(queue);
    driver.r.run(1e6);
    const order = driver.r.reads.map(
      (tlp) =>
        (tlp.addressLo - (tlp.addressLo % PAGE) - driver.ringBase(0, 'SQ')) /
        (driver.ringBase(1, 'SQ') - driver.ringBase(0, 'SQ')),
    );
    expect(order).toHaveLength(60);
    const early = order.slice(0, 12);
    expect([1, 2, 3].map((queue) => early.filter((each) => each === queue).length)).toEqual([4, 4, 4]);
    for (const queue of [1, 2, 3]) expect(driver.take(queue)).toHaveLength(20);
  });

  it('share 64 commands at a time, and none takes them all for itself', () => {
    const slow = { mediaReadNs: { ...NVME_TIMING.mediaReadNs, value: 900e3 } };
    const driver = new NvmeDriver({ timing: slow }).enable().createQueues(1, 128).createQueues(2, 128);
    // An event that was waited for is no command in work, neither before nor after it is told.
    driver.submit(0, { opcode: ADMIN.ASYNC_EVENT_REQUEST });
    driver.r.run(10_000);
    driver.doorbell(9, 'SQ', 0);
    driver.r.run(10_000);
    expect(driver.take(0)).toHaveLength(1);
    driver.r.reads.length = 0;
    for (let i = 0; i < 127; i++) {
      driver.submit(1, blockCommand('READ', i, 1, [BUFFER]));
      driver.r.run(i < 64 ? 10_000 : 100);
    }
    expect(driver.r.reads).toHaveLength(64);
    for (let i = 0; i < 4; i++) driver.submit(2, blockCommand('READ', i, 1, [BUFFER]));
    // From now on one ends every 10 us, and there is room for one more.
    let first = 0;
    for (let done = 0; done < 4; driver.r.run(500)) {
      first += driver.take(1).length;
      done += driver.take(2).length;
    }
    expect(first).toBeLessThan(80);
    driver.r.run(1e6);
    expect(first + driver.take(1).length).toBe(127);
  });

  it('that are deleted end their commands, which are not carried out', () => {
    const driver = new NvmeDriver().enable().createQueues(1, 16);
    driver.r.memory.set(pattern(512, 1), BUFFER);
    const ids = [0, 1, 2].map((i) => driver.put(1, blockCommand('READ', i, 1, [BUFFER])));
    driver.ring(1);
    driver.r.run(30_000);
    expect(remove(driver, 'DELETE_SQ', 1)).toBe(0);
    driver.r.run(1e6);
    expect(driver.take(1).map(({ commandId, status }) => [commandId, status])).toEqual(
      ids.map((id) => [id, NVME_STATUS.ABORTED_SQ_DELETED]),
    );
    expect(driver.r.memory.slice(BUFFER, BUFFER + 512)).toEqual(pattern(512, 1));
  });

  it('refuse a second command with the number of one that runs', () => {
    const driver = new NvmeDriver().enable().createQueues(1, 16);
    for (let i = 0; i < 2; i++) driver.put(1, { ...blockCommand('READ', 0, 1, [BUFFER]), commandId: 9 });
    driver.ring(1);
    driver.r.run(1e6);
    expect(driver.take(1).map(({ status }) => status)).toEqual([NVME_STATUS.COMMAND_ID_CONFLICT, 0]);
  });
});

describe('interrupts', () => {
  it('come as the vector of the completion queue, behind the completion', () => {
    const driver = new NvmeDriver().enable().enableMsiX().createQueues(1, 8, 3);
    driver.createCompletionQueue(2, 8, 0x1, 2);
    driver.createSubmissionQueue(2, 8);
    driver.r.writes.length = 0;
    driver.execute(1, { opcode: IO.FLUSH, namespace: 1 });
    expect(driver.r.writes.map((tlp) => tlp.lengthBytes)).toEqual([16, 4]);
    expect(driver.messages()).toEqual([3]);
    driver.execute(2, { opcode: IO.FLUSH, namespace: 1 });
    expect(driver.messages()).toEqual([3]);
    driver.admin({ opcode: ADMIN.IDENTIFY, prp1: BUFFER, dwords: [1] });
    expect(driver.messages()).toEqual([3, 0]);
    expect(driver.r.messages.at(-1)).not.toBe(MessageCode.ASSERT_INTA);
  });

  it('wait as a pending bit while the vector is masked', () => {
    const driver = new NvmeDriver().enable().enableMsiX().createQueues(1, 8, 2);
    const entry = BASE + MSIX_TABLE + 2 * 16;
    driver.r.store(entry + 12, 1);
    driver.r.run(1000);
    driver.r.writes.length = 0;
    driver.execute(1, { opcode: IO.FLUSH, namespace: 1 });
    expect([driver.messages(), driver.r.register(BASE + MSIX_PENDING)]).toEqual([[], 4]);
    driver.r.store(entry + 12, 0);
    driver.r.run(1000);
    expect([driver.messages(), driver.r.register(BASE + MSIX_PENDING)]).toEqual([[2], 0]);
  });

  it('without MSI-X hold the pin while there are completions to take and their vector is not masked', () => {
    const driver = new NvmeDriver().enable();
    const { r } = driver;
    r.messages.length = 0;
    driver.submit(0, { opcode: ADMIN.IDENTIFY, prp1: BUFFER, dwords: [1] });
    r.run(1e6);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTA]);
    driver.set('INTMS', 1);
    r.run(1000);
    driver.set('INTMC', 1);
    r.run(1000);
    expect(r.messages.slice(1)).toEqual([MessageCode.DEASSERT_INTA, MessageCode.ASSERT_INTA]);
    expect(driver.take(0)).toHaveLength(1);
    r.run(1000);
    expect(r.messages.slice(3)).toEqual([MessageCode.DEASSERT_INTA]);
  });
});

it.each(['fatal error', 'reset'])('a %s takes the pin down', (what) => {
  const driver = new NvmeDriver().enable();
  const { r } = driver;
  driver.submit(0, { opcode: ADMIN.IDENTIFY, prp1: BUFFER, dwords: [1] });
  r.run(1e6);
  r.answersReads = false;
  if (what === 'reset') driver.set('CC', 0);
  else driver.submit(0, { opcode: ADMIN.IDENTIFY, prp1: BUFFER, dwords: [1] });
  r.run(60e6);
  expect(driver.get('CSTS')).toBe(what === 'reset' ? 0 : RDY | CFS);
  expect(r.messages).toEqual([MessageCode.ASSERT_INTA, MessageCode.DEASSERT_INTA]);
});

describe('events', () => {
  const request = { opcode: ADMIN.ASYNC_EVENT_REQUEST };

  it('wait in the controller, four of them', () => {
    const driver = new NvmeDriver().enable();
    const ids = Array.from({ length: 5 }, () => driver.put(0, request));
    driver.ring(0);
    driver.r.run(1e6);
    expect(driver.take(0).map(({ commandId, status }) => [commandId, status])).toEqual([
      [ids[4], NVME_STATUS.ASYNC_EVENT_LIMIT],
    ]);
  });

  it('tell of writes to doorbells that are none, once until the log is read', () => {
    const driver = new NvmeDriver().enable();
    for (let i = 0; i < 3; i++) driver.put(0, request);
    driver.ring(0);
    driver.r.run(100_000);
    driver.doorbell(7, 'SQ', 1);
    driver.doorbell(7, 'CQ', 1);
    driver.r.run(100_000);
    expect(driver.take(0).map(({ status, result }) => [status, result])).toEqual([[0, 0x0001_0000]]);
    driver.page({ opcode: ADMIN.GET_LOG_PAGE, dwords: [LOG_PAGE.ERRORS] });
    driver.doorbell(0, 'SQ', 8);
    driver.r.run(100_000);
    expect(driver.take(0).map(({ status, result }) => [status, result])).toEqual([[0, 0x0001_0100]]);
  });

  it('that nobody asked for are told to who asks next', () => {
    const driver = new NvmeDriver().enable();
    driver.doorbell(0, 'CQ', 3);
    driver.r.run(1000);
    expect(driver.admin(request)).toMatchObject({ status: 0, result: 0x0001_0100 });
  });

  it('can be aborted, and nothing else can', () => {
    const driver = new NvmeDriver().enable().createQueues(1, 8);
    const waiting = driver.submit(0, request);
    const running = driver.submit(1, blockCommand('READ', 0, 1, [BUFFER]));
    driver.r.run(10_000);
    const abort = (queue: number, commandId: number) => {
      const id = driver.submit(0, { opcode: ADMIN.ABORT, dwords: [((commandId << 16) | queue) >>> 0] });
      driver.r.run(20_000);
      return driver.take(0).map((entry) => [entry.commandId - id, entry.status, entry.result]);
    };
    expect(abort(1, running)).toEqual([[0, 0, 1]]);
    expect(abort(0, 0x1234)).toEqual([[0, 0, 1]]);
    expect(abort(9, 0)).toEqual([[0, 0, 1]]);
    const [victim, answer] = abort(0, waiting);
    expect(victim!.slice(1)).toEqual([NVME_STATUS.ABORT_REQUESTED, 0]);
    expect(answer).toEqual([0, 0, 0]);
    expect(driver.execute(1, { opcode: IO.FLUSH, namespace: 1 }).status).toBe(0);
  });
});

describe('doorbells', () => {
  it('stand as far apart as the stride says', () => {
    const driver = new NvmeDriver({ doorbellStride: 2 }).enable().createQueues(1, 8);
    expect(driver.execute(1, { opcode: IO.FLUSH, namespace: 1 }).status).toBe(0);
    driver.r.store(BASE + 0x1004, 3);
    driver.r.run(1000);
    expect(driver.admin({ opcode: ADMIN.ASYNC_EVENT_REQUEST })).toMatchObject({ status: 0, result: 0x0001_0000 });
  });

  it('do nothing before the controller is ready, nor with 8 bytes', () => {
    const driver = new NvmeDriver();
    driver.r.store(BASE + 0x1000, 1);
    driver.r.run(100_000);
    expect(driver.r.reads).toEqual([]);
    driver.enable();
    driver.submit(0, { opcode: ADMIN.ASYNC_EVENT_REQUEST });
    driver.r.run(100_000);
    expect(driver.take(0)).toEqual([]);
    driver.r.reads.length = 0;
    driver.put(0, { opcode: ADMIN.IDENTIFY, prp1: BUFFER, dwords: [1] });
    driver.r.port.send(memoryWrite(0, { hi: 0, lo: BASE + 0x1000 }, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)));
    driver.r.run(100_000);
    expect(driver.r.reads).toEqual([]);
    driver.r.store(BASE + 0x2ff0, 1);
    driver.r.run(1000);
    expect(driver.r.register(BASE + 0x2ff0)).toBe(0);
  });
});

it.each([0x7f, 0x03, 0x80])('an admin command with opcode %i is refused', (opcode) => {
  expect(new NvmeDriver().enable().admin({ opcode }).status).toBe(NVME_STATUS.INVALID_OPCODE);
});

describe('a reset', () => {
  const busy = () => {
    const driver = new NvmeDriver().enable().enableMsiX().createQueues(1, 8, 1);
    driver.r.memory.set(pattern(512, 4), BUFFER);
    driver.execute(1, blockCommand('WRITE', 5, 1, [BUFFER]));
    driver.submit(0, { opcode: ADMIN.ASYNC_EVENT_REQUEST });
    for (let i = 0; i < 4; i++) driver.put(1, blockCommand('READ', 5, 1, [BUFFER + 0x1000]));
    driver.ring(1);
    driver.r.run(5000);
    driver.r.writes.length = 0;
    driver.r.reads.length = 0;
    return driver;
  };

  it('by the enable bit forgets queues and commands, but no MSI-X vector and no block', () => {
    const driver = busy();
    driver.set('CC', 0);
    driver.r.run(2e6);
    expect([driver.get('CSTS'), driver.r.writes]).toEqual([0, []]);
    driver.enable();
    driver.doorbell(1, 'SQ', 1);
    driver.r.run(100_000);
    expect(driver.r.reads.filter((tlp) => tlp.addressLo < 0x8_0000).length).toBeLessThanOrEqual(1);
    driver.createQueues(1, 8, 1);
    expect(driver.execute(1, blockCommand('READ', 5, 1, [BUFFER + 0x1000])).status).toBe(0);
    expect(driver.r.memory.slice(BUFFER + 0x1000, BUFFER + 0x1200)).toEqual(pattern(512, 4));
    expect(driver.messages()).toContain(1);
  });

  it('by the enable bit drops data that are still on their way', () => {
    const driver = new NvmeDriver().enable().createQueues(1, 8);
    driver.r.memory.fill(0x5a, BUFFER, BUFFER + PAGE);
    driver.r.reads.length = 0;
    driver.submit(1, blockCommand('WRITE', 0, 8, [BUFFER]));
    while (driver.r.reads.length < 2) driver.r.run(100);
    driver.r.answersReads = false;
    driver.r.writes.length = 0;
    driver.set('CC', 0);
    driver.r.run(60e6);
    expect([driver.disk.blocks.used, driver.r.writes]).toEqual([0, []]);
  });

  it.each(['hot', 'fundamental', 'function'] as const)('of kind %s forgets all but the blocks', (kind) => {
    const driver = busy();
    const { r } = driver;
    if (kind === 'function') r.cfgWrite(BUS1, 0x88, 2, 0x8000);
    else if (kind === 'hot') {
      r.link.setHotReset('asserted');
      r.run(1e6);
      r.link.setHotReset('released');
    } else {
      r.link.setPerst('asserted');
      r.run(1e6);
      r.link.setPerst('deasserted');
    }
    r.run(400e6);
    expect(r.writes).toEqual([]);
    driver.place();
    expect([driver.get('CC'), driver.get('CSTS'), driver.get('AQA'), driver.get('ASQ')]).toEqual([0, 0, 0, 0]);
    expect([r.config(BUS1, 0x42, 2), r.register(BASE + MSIX_TABLE + 16 + 12)]).toEqual([0x0040, 1]);
    driver.enable().createQueues(1, 8);
    expect(driver.execute(1, blockCommand('READ', 5, 1, [BUFFER + 0x1000])).status).toBe(0);
    expect(r.memory.slice(BUFFER + 0x1000, BUFFER + 0x1200)).toEqual(pattern(512, 4));
  });

  it('amid enabling, and another try right after, take their whole time', () => {
    const driver = new NvmeDriver();
    driver.set('AQA', 0x0007_0007);
    driver.set('CC', CC_ENABLED);
    driver.r.run(8e6);
    driver.set('CC', 0);
    driver.r.run(1.5e6);
    driver.set('CC', CC_ENABLED);
    driver.r.run(7e6);
    expect(driver.get('CSTS')).toBe(0);
    driver.r.cfgWrite(BUS1, 0x88, 2, 0x8000);
    driver.r.run(1.1e6);
    driver.place();
    driver.set('AQA', 0x0007_0007);
    driver.set('CC', CC_ENABLED);
    driver.r.run(8e6);
    expect(driver.get('CSTS')).toBe(0);
    driver.r.run(3e6);
    expect(driver.get('CSTS')).toBe(RDY);
  });

  it('amid enabling keeps the controller off', () => {
    const driver = new NvmeDriver();
    driver.set('AQA', 0x0007_0007);
    driver.set('CC', CC_ENABLED);
    driver.r.run(1000);
    driver.set('CC', 0);
    driver.r.run(20e6);
    expect(driver.get('CSTS')).toBe(0);
  });
});
