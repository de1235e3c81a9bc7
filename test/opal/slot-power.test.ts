import { describe, expect, it } from 'vitest';
import type { FirmwareProfileChoice } from '../../src/opal/firmware-profile.js';
import { invokeToken } from '../../src/opal/opal-abi.js';
import { OpalEvent, OpalStatus, Power, ResetScope, slotId } from '../../src/opal/opal-api.js';
import type { ConfigSpace } from '../../src/pcie/config-space.js';
import { wait } from '../../src/sim/process.js';
import { configSpace, FirmwareRig, FlatChip, type FunctionSpec } from './flat-chip.js';

const { SUCCESS, PARAMETER, UNSUPPORTED, BUSY, RESOURCE, HARDWARE, ASYNC_COMPLETION } = OpalStatus;
const { OFF, ON, OFFLINE, ONLINE } = Power;
const UP = 0x100;
const DOWN = 0x200;
const CARD = 0x300;
const SLOT = slotId(0, DOWN);
const SLTCTL = 0x60;
const HOT_PLUG = 0x40;
const POWER_CONTROLLER = 0x02;
const SURPRISE = 0x20;
const PRESENT = 0x0040;
const LINK_UP = 0x2083;
const TOKEN = 0x1234_5678_9abc_def0n;

interface Machine {
  readonly rig: FirmwareRig;
  readonly chip: FlatChip;
  readonly down: ConfigSpace;
  /** Milliseconds since the machine was set up. */
  readonly nowMs: () => number;
  readonly devices: () => readonly number[];
  readonly order: (power: number, id?: bigint) => number;
  readonly message: () => readonly bigint[] | undefined;
}

/** A card below a switch port with these slot capabilities. */
function machine(
  slotCapabilities: number,
  profile: FirmwareProfileChoice = 'skiboot',
  plug: (chip: FlatChip) => void = () => {},
): Machine {
  const chip = new FlatChip();
  chip.functions.set(UP, configSpace('up', { port: 'upstream' }));
  const down = configSpace('down', { port: 'downstream', options: ['slot', 'dll-active-reporting'] });
  // Link reports would make the slot one whose card may leave at any time.
  if ((slotCapabilities & SURPRISE) === 0) down.set('LNKCAP', down.get('LNKCAP') & ~0x0010_0000);
  down.set('SLTCAP', slotCapabilities);
  down.set('SLTSTA', PRESENT);
  down.set('LNKSTA', LINK_UP);
  chip.functions.set(DOWN, down);
  chip.functions.set(CARD, configSpace('card', {}));
  plug(chip);
  const rig = FirmwareRig.booted(chip, profile);
  const start = chip.sim.now;
  return {
    ...{ rig, chip, down },
    nowMs: () => (chip.sim.now - start) / 1e6,
    devices: () => rig.opal.deviceTree()[0]!.devices,
    order: (power, id = SLOT) => rig.run(rig.opal.pciOrderPowerState(TOKEN, id, power)),
    message: () => rig.run(rig.opal.getMessage()).message?.params,
  };
}

/** Power and link go together, as in a real slot. */
function linkFollowsPower(m: Machine): void {
  m.down.hook('SLTCTL', { onWrite: (value) => m.down.set('LNKSTA', (value & 0x0400) === 0 ? LINK_UP : 0) });
}

const portPhandle = (m: Machine): bigint => {
  const [root] = m.rig.opal.deviceTree()[0]!.tree;
  return BigInt(root!.children[0]!.children[0]!.phandle);
};

describe('an order for the power of a slot', () => {
  it('looks at the slot before anything else, then at the state', () => {
    const m = machine(0);
    expect(m.order(4, slotId(0, 0x400))).toBe(PARAMETER);
    expect(m.order(OFF, 9n)).toBe(PARAMETER);
    for (const power of [4, 255]) expect(m.order(power)).toBe(PARAMETER);
    expect(m.chip.writes).toEqual([]);
  });

  it("is not for the PHB's own slot: it has no power, and no bridge to look behind", () => {
    const m = machine(0);
    expect([OFF, ON, OFFLINE, ONLINE, 4].map((power) => m.order(power, 0n))).toEqual([
      ...[UNSUPPORTED, UNSUPPORTED, PARAMETER, PARAMETER, PARAMETER],
    ]);
  });

  it('takes devices out of the tree and looks for them again, without touching power', () => {
    const m = machine(HOT_PLUG | POWER_CONTROLLER);
    expect(m.order(OFFLINE)).toBe(SUCCESS);
    expect(m.devices()).toEqual([0, UP, DOWN]);
    expect(m.rig.run(m.rig.opal.pciGetPowerState(SLOT)).state).toBe(ON);
    m.chip.functions.set(CARD + 1, configSpace('second', {}));
    m.chip.functions.set(CARD, configSpace('first', { multifunction: true }));
    expect(m.order(ONLINE)).toBe(SUCCESS);
    expect(m.devices()).toEqual([0, UP, DOWN, CARD, CARD + 1]);
    expect(m.message()).toBeUndefined();
  });

  it('gives devices found anew other phandles, and none to those that stay', () => {
    const m = machine(HOT_PLUG);
    const phandles = () => {
      const port = m.rig.opal.deviceTree()[0]!.tree[0]!.children[0]!.children[0]!;
      return [port.phandle, port.children[0]?.phandle];
    };
    const [port, card] = phandles();
    m.order(OFFLINE);
    m.order(ONLINE);
    const [samePort, newCard] = phandles();
    expect(samePort).toBe(port);
    expect(newCard).not.toBe(card);
  });

  it('is done at once where the slot cannot switch power: off forgets the devices, on looks for them', () => {
    const m = machine(HOT_PLUG);
    expect(m.order(OFF)).toBe(SUCCESS);
    expect(m.devices()).toEqual([0, UP, DOWN]);
    expect(m.rig.run(m.rig.opal.pciGetPowerState(SLOT)).state).toBe(OFF);
    expect(m.order(ON)).toBe(SUCCESS);
    expect(m.devices()).toContain(CARD);
    expect(m.down.read(SLTCTL, 2)).toBe(0);
    expect(m.nowMs()).toBe(0);
  });

  it('that changes nothing is done at once, too', () => {
    const m = machine(HOT_PLUG | POWER_CONTROLLER);
    expect(m.order(ON)).toBe(SUCCESS);
    expect(m.devices()).toContain(CARD);
    expect(m.down.read(SLTCTL, 2)).toBe(0);
  });

  it('leaves a slot powered that tells by its link of new cards', () => {
    const m = machine(HOT_PLUG | POWER_CONTROLLER | SURPRISE);
    expect(m.order(OFF)).toBe(SUCCESS);
    expect(m.devices()).toEqual([0, UP, DOWN]);
    expect(m.order(ON)).toBe(ASYNC_COMPLETION);
    expect(m.down.read(SLTCTL, 2)).toBe(0);
    m.rig.sleep(10);
    expect(m.message()).toEqual([TOKEN, portPhandle(m), BigInt(ON), BigInt(SUCCESS)]);
    expect(m.devices()).toContain(CARD);
  });
});

describe('an order that takes time', () => {
  it('is carried out by a timer of 10 ms, and told by event and message', () => {
    const m = machine(HOT_PLUG | POWER_CONTROLLER);
    linkFollowsPower(m);
    expect(m.order(OFF)).toBe(ASYNC_COMPLETION);
    expect(m.down.read(SLTCTL, 2)).toBe(0x0700);
    expect(m.devices()).toContain(CARD);
    m.rig.sleep(9);
    expect(m.message()).toBeUndefined();
    m.rig.sleep(1);
    expect(m.devices()).toEqual([0, UP, DOWN]);
    expect(m.rig.run(m.rig.opal.pollEvents()).events).toBe(OpalEvent.MSG_PENDING);
    expect(m.message()).toEqual([TOKEN, portPhandle(m), BigInt(OFF), BigInt(SUCCESS)]);
    expect(m.rig.run(m.rig.opal.pollEvents()).events).toBe(0n);
    expect(m.order(ON)).toBe(ASYNC_COMPLETION);
    m.rig.sleep(10);
    expect(m.message()).toEqual([TOKEN, portPhandle(m), BigInt(ON), BigInt(SUCCESS)]);
    expect(m.devices()).toContain(CARD);
    expect(m.down.read(SLTCTL, 2)).toBe(0x0100);
  });

  it('waits for the link for 501 looks and gives up with BUSY', () => {
    const m = machine(HOT_PLUG | POWER_CONTROLLER);
    m.order(OFF);
    m.rig.sleep(10);
    m.message();
    m.down.set('LNKSTA', 0);
    expect(m.order(ON)).toBe(ASYNC_COMPLETION);
    m.rig.sleep(5009);
    expect(m.message()).toBeUndefined();
    m.rig.sleep(1);
    expect(m.message()).toEqual([TOKEN, portPhandle(m), BigInt(ON), BigInt(BUSY)]);
    expect(m.devices()).not.toContain(CARD);
  });

  it('finds the card of a link that comes up late', () => {
    const m = machine(HOT_PLUG | POWER_CONTROLLER);
    m.order(OFF);
    m.rig.sleep(10);
    m.message();
    m.down.set('LNKSTA', 0);
    m.order(ON);
    m.rig.sleep(995);
    m.down.set('LNKSTA', LINK_UP);
    m.rig.sleep(5);
    expect(m.message()?.[3]).toBe(BigInt(SUCCESS));
    expect(m.devices()).toContain(CARD);
  });

  it('is broken by a poll or a reset meanwhile, and then never completes', () => {
    const m = machine(HOT_PLUG | POWER_CONTROLLER);
    m.order(OFF);
    expect(m.rig.run(m.rig.opal.pciPoll(SLOT))).toBe(HARDWARE);
    m.rig.sleep(100);
    expect(m.message()).toBeUndefined();
    expect(m.chip.log).toContain('PCI-SLOT-8000000002000000 Invalid state 00000602');
    expect(m.chip.log).toContain('PCI SLOT 8000000002000000: Unexpected state 0x00000000');
    m.order(ON);
    expect(m.rig.run(m.rig.opal.pciReset(SLOT, ResetScope.PCI_HOT, 1))).toBe(HARDWARE);
    m.rig.sleep(100);
    expect(m.message()).toBeUndefined();
  });

  it('waits its turn while another call holds the PHB', () => {
    const m = machine(HOT_PLUG | POWER_CONTROLLER);
    const { opal } = m.rig;
    m.rig.run(opal.pciReset(0, ResetScope.PHB_COMPLETE, 1));
    for (const waitMs of [10, 100]) {
      m.rig.sleep(waitMs);
      // The second poll initialises the PHB: it holds the lock for more than 100 ms.
      if (waitMs === 10) m.rig.run(opal.pciPoll(0));
    }
    m.order(OFF);
    const ordered = m.nowMs();
    m.chip.sim.spawn('poll', opal.pciPoll(0));
    m.rig.run(
      (function* () {
        yield* wait(opal.events);
      })(),
    );
    // The initialisation ends 100.002 ms after the order: the timer looks again at 110 ms.
    expect(m.nowMs() - ordered).toBeCloseTo(110, 6);
    expect(m.message()?.[3]).toBe(BigInt(SUCCESS));
  });

  it('gives way to a later one, whose token is told', () => {
    const m = machine(HOT_PLUG | POWER_CONTROLLER);
    linkFollowsPower(m);
    m.order(OFF);
    expect(m.rig.run(m.rig.opal.pciOrderPowerState(7, SLOT, ON))).toBe(ASYNC_COMPLETION);
    // The card was never forgotten: it is brought back, a second after a link that cannot tell.
    m.rig.sleep(1010);
    expect(m.message()?.slice(0, 3)).toEqual([7n, portPhandle(m), BigInt(ON)]);
    m.rig.sleep(1000);
    expect(m.message()).toBeUndefined();
  });

  it('is forgotten with its slot', () => {
    const m = machine(HOT_PLUG | POWER_CONTROLLER);
    m.order(OFF);
    // The slot above takes the whole branch out of the tree.
    expect(m.order(OFFLINE, slotId(0, 0))).toBe(SUCCESS);
    m.rig.sleep(100);
    expect(m.message()).toBeUndefined();
    expect(m.order(OFF)).toBe(PARAMETER);
  });

  it('wakes who waits for events', () => {
    const m = machine(HOT_PLUG | POWER_CONTROLLER);
    m.order(OFF);
    const { opal } = m.rig;
    const mask = m.rig.run(
      (function* () {
        return yield* wait(opal.events);
      })(),
    );
    expect([mask, m.nowMs()]).toEqual([OpalEvent.MSG_PENDING, 10]);
  });

  it('can be awaited as a whole, beside others', () => {
    const m = machine(HOT_PLUG | POWER_CONTROLLER);
    linkFollowsPower(m);
    expect(m.rig.run(m.rig.opal.pciSetPowerState(SLOT, 9))).toBe(PARAMETER);
    expect(m.rig.run(m.rig.opal.pciSetPowerState(SLOT, OFF))).toBe(SUCCESS);
    expect(m.nowMs()).toBe(10);
    expect(m.rig.run(m.rig.opal.pciSetPowerState(SLOT, ON))).toBe(SUCCESS);
    expect(m.devices()).toContain(CARD);
  });
});

describe('the calls of the ABI', () => {
  const BUFFER = 0x2000;
  const abi = (m: Machine, token: number, ...registers: (number | bigint)[]): number =>
    m.rig.run(invokeToken(m.rig.opal, m.chip.memory, { token, registers: registers.map(BigInt) }));
  const words = (m: Machine): bigint[] =>
    Array.from({ length: 9 }, (_, index) => m.chip.memory.read64(BUFFER + 8 * index));
  const ordered = (): Machine => {
    const m = machine(HOT_PLUG | POWER_CONTROLLER);
    m.chip.memory.write8(BUFFER, OFF);
    expect(abi(m, 121, TOKEN, SLOT, BUFFER)).toBe(ASYNC_COMPLETION);
    m.rig.sleep(10);
    return m;
  };

  it('tell the oldest message, as 72 bytes', () => {
    const m = ordered();
    m.chip.memory.fill(BUFFER, 80, 0xaa);
    expect(abi(m, 85, BUFFER, 72)).toBe(SUCCESS);
    expect(words(m)).toEqual([0n, TOKEN, portPhandle(m), BigInt(OFF), BigInt(SUCCESS), 0n, 0n, 0n, 0n]);
    expect(m.chip.memory.read8(BUFFER + 72)).toBe(0xaa);
    expect(abi(m, 85, BUFFER, 72)).toBe(RESOURCE);
  });

  it('tell the completion of one token, and forget it also where there is no room', () => {
    const m = ordered();
    m.chip.memory.fill(BUFFER, 80, 0xaa);
    expect(abi(m, 86, BUFFER, 72, TOKEN + 1n)).toBe(BUSY);
    expect(m.rig.run(m.rig.opal.pollEvents()).events).toBe(OpalEvent.MSG_PENDING);
    expect(abi(m, 86, BUFFER, 71, TOKEN)).toBe(SUCCESS);
    expect(m.chip.memory.read8(BUFFER)).toBe(0xaa);
    expect(abi(m, 86, BUFFER, 72, TOKEN)).toBe(BUSY);
    const other = ordered();
    expect(abi(other, 86, BUFFER, 72, TOKEN)).toBe(SUCCESS);
    expect(words(other)[1]).toBe(TOKEN);
  });

  it('tell completions in the order of the orders, negative results as 64 bits', () => {
    const m = ordered();
    m.down.set('LNKSTA', 0);
    m.chip.memory.write8(BUFFER, ON);
    expect(abi(m, 121, 5, SLOT, BUFFER)).toBe(ASYNC_COMPLETION);
    m.rig.sleep(5010);
    expect(abi(m, 85, BUFFER, 72)).toBe(SUCCESS);
    expect(words(m)[1]).toBe(TOKEN);
    expect(m.rig.run(m.rig.opal.pollEvents()).events).toBe(OpalEvent.MSG_PENDING);
    expect(abi(m, 85, BUFFER, 72)).toBe(SUCCESS);
    expect(words(m).slice(1, 5)).toEqual([5n, portPhandle(m), BigInt(ON), BigInt.asUintN(64, BigInt(BUSY))]);
  });
});

describe('power on as newer firmware does it', () => {
  const newer = { powerOnLink: 'corrected' } as const;

  it('waits 20 ms, polls the link as a reset does, then looks for devices', () => {
    const m = machine(HOT_PLUG | POWER_CONTROLLER, newer);
    linkFollowsPower(m);
    m.order(OFF);
    m.rig.sleep(10);
    expect(m.message()?.[3]).toBe(BigInt(SUCCESS));
    expect(m.order(ON)).toBe(ASYNC_COMPLETION);
    // 10 ms until the power is on, 20 ms, then one second for a link that cannot tell.
    m.rig.sleep(1029);
    expect(m.message()).toBeUndefined();
    m.rig.sleep(1);
    expect(m.message()).toEqual([TOKEN, portPhandle(m), BigInt(ON), BigInt(SUCCESS)]);
    expect(m.devices()).toContain(CARD);
  });

  it('reports HARDWARE where no link comes up', () => {
    const m = machine(HOT_PLUG, newer);
    m.order(OFF);
    m.down.set('LNKSTA', 0);
    m.down.set('SLTSTA', 0);
    expect(m.order(ON)).toBe(ASYNC_COMPLETION);
    m.rig.sleep(20);
    expect(m.message()?.[3]).toBe(BigInt(HARDWARE));
  });

  it('passes on the error of the poll', () => {
    const m = machine(HOT_PLUG | SURPRISE, { ...newer, linkTimeout: 'corrected' });
    m.order(OFF);
    m.down.set('LNKSTA', 0);
    expect(m.order(ON)).toBe(ASYNC_COMPLETION);
    m.rig.sleep(20 + 251 * 20);
    expect(m.message()?.[3]).toBe(BigInt(HARDWARE));
  });
});

describe('the scan at boot', () => {
  const slotControl = (status: number, capabilities: number, control = 0): { down: ConfigSpace; rig: FirmwareRig } => {
    const chip = new FlatChip();
    chip.functions.set(UP, configSpace('up', { port: 'upstream' }));
    const down = configSpace('down', { port: 'downstream', options: ['slot'] });
    down.set('SLTCAP', capabilities);
    down.set('SLTSTA', status);
    down.set('SLTCTL', control);
    down.set('LNKSTA', LINK_UP);
    chip.functions.set(DOWN, down);
    if (status === PRESENT) chip.functions.set(CARD, configSpace('card', {}));
    return { down, rig: FirmwareRig.booted(chip) };
  };
  const power = (rig: FirmwareRig): number => rig.run(rig.opal.pciGetPowerState(SLOT)).state;

  it('switches hot-plug slots off that are empty, and others not', () => {
    const empty = slotControl(0, HOT_PLUG | POWER_CONTROLLER);
    expect([empty.down.read(SLTCTL, 2), power(empty.rig)]).toEqual([0x0700, OFF]);
    const fixed = slotControl(0, POWER_CONTROLLER);
    expect([fixed.down.read(SLTCTL, 2), power(fixed.rig)]).toEqual([0, ON]);
    const full = slotControl(PRESENT, HOT_PLUG | POWER_CONTROLLER);
    expect([full.down.read(SLTCTL, 2), power(full.rig)]).toEqual([0, ON]);
  });

  it('switches a dark slot on that holds a card, and finds it', () => {
    const { down, rig } = slotControl(PRESENT, HOT_PLUG | POWER_CONTROLLER, 0x0700);
    expect([down.read(SLTCTL, 2), power(rig)]).toEqual([0x0100, ON]);
    expect(rig.opal.deviceTree()[0]!.devices).toContain(CARD);
  });

  it('leaves the power of an empty slot on a fundamental reset out: it only goes on', () => {
    const { rig } = slotControl(0, HOT_PLUG | POWER_CONTROLLER);
    expect(rig.reset(SLOT, ResetScope.PCI_FUNDAMENTAL)).toEqual([50, 0]);
    expect(power(rig)).toBe(ON);
  });
});

describe('a card that cannot stand end-to-end CRC', () => {
  const ROOT = 0;
  const HATER = { vendorId: 0x11f8, deviceId: 0x8546, multifunction: true } as const;
  const ECRC = 0x140;

  /** Slot and root port; `functions` of the card, of which only those of this maker mind. */
  function withFunctions(...functions: readonly FunctionSpec[]): Machine {
    return machine(HOT_PLUG, 'skiboot', (chip) => {
      for (const [number, spec] of functions.entries()) {
        chip.functions.set(CARD + number, configSpace(`card.${number}`, spec));
      }
    });
  }
  const ecrcOf = ({ chip }: Machine): number => chip.functions.get(ROOT)!.get('AER_CONTROL') & ECRC;
  const take = (m: Machine): number => m.order(OFFLINE);

  it('is done without it above, and once all its functions are forgotten it is on again', () => {
    const m = withFunctions(HATER, HATER);
    expect(ecrcOf(m)).toBe(0);
    const written: number[] = [];
    m.chip.functions.get(ROOT)!.hook('AER_CONTROL', { onWrite: (value) => written.push(value & ECRC) });
    expect(take(m)).toBe(SUCCESS);
    expect(m.devices()).not.toContain(CARD);
    // By the last of them, not by the first.
    expect(written).toEqual([ECRC]);
    expect(ecrcOf(m)).toBe(ECRC);
  });

  it('and others that go change nothing', () => {
    const m = withFunctions({});
    const written: number[] = [];
    m.chip.functions.get(ROOT)!.hook('AER_CONTROL', { onWrite: (value) => written.push(value) });
    expect(take(m)).toBe(SUCCESS);
    expect([written, ecrcOf(m)]).toEqual([[], ECRC]);
  });
});
