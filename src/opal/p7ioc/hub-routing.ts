/**
 * The crossbar's routing rules: which port an address, a bus unit id or a kind of transaction goes to.
 * Source: skiboot p7ioc hw/p7ioc-inits.c: p7ioc_init_ci_routing. Facts: ioda1-p7ioc 8.5.
 */
import { aibOffset, BUID, IO_WINDOW, M32_RANGE_BYTES, M64_WINDOW, PHB_WINDOW_BYTES } from '../../ioda1/address-map.js';
import { ciPortOfPhb } from '../../ioda1/error-bits/units.js';
import { HUB_REGISTERS } from '../../ioda1/registers/hub.js';
import { ROUTING_RULES } from '../../ioda1/registers/hub-ci.js';
import type { Process } from '../../sim/process.js';
import { word } from '../field-words.js';
import { hubBits } from './access.js';
import type { P7iocHub } from './hub.js';

interface RoutingRule {
  readonly match: bigint;
  readonly mask: bigint;
}

type RuleKind = 'ADDRESS' | 'BUID' | 'TYPE';

const RGC_PORT = 1;
/** The last rule sends everything else to the register control: the side path. */
const CATCH_ALL_RULE = ROUTING_RULES - 1;
const PROGRAMMED_RULES = Array.from({ length: CATCH_ALL_RULE }, (_, rule) => rule);

/** Addresses are compared above their low 16 bits. */
const ADDRESS_SHIFT = 16n;
const BUID_SHIFT = 20n;
const LSI_BUID_MASK = 0x1ff;
/** Sixteen bus unit ids a PHB. */
const MSI_BUID_MASK = 0x1f0;
const HUB_BUID_SHIFT = 9;

const TYPE_MASK = 0xf0;
const INVALIDATION = 0x80;
const INTERRUPT_RESPONSE = 0x60;

const VALID = hubBits('CI_RMATC_0', 'ADDRESS') | hubBits('CI_RMATC_0', 'BUID') | hubBits('CI_RMATC_0', 'TYPE');

/** Ports are numbered from the most significant bit. */
const portMask = (port: number): bigint => 0x8000n >> BigInt(port);

function rule(kind: RuleKind, ports: bigint, value: bigint, mask: bigint): RoutingRule {
  return {
    match: word(HUB_REGISTERS, 'CI_RMATC_0', { PORTS: ports, [kind]: 1, VALUE: value }),
    mask: word(HUB_REGISTERS, 'CI_RMASK_0', { MASK: mask }),
  };
}

function buidRule(port: number, buid: number, mask: number): RoutingRule {
  return rule('BUID', portMask(port), BigInt(buid) << BUID_SHIFT, BigInt(mask) << BUID_SHIFT);
}

/** An aligned range of a power of two. */
function addressRule(port: number, base: number, bytes: number): RoutingRule {
  return rule('ADDRESS', portMask(port), BigInt(base) >> ADDRESS_SHIFT, -BigInt(bytes) >> ADDRESS_SHIFT);
}

const typeRule = (ports: bigint, type: number): RoutingRule => rule('TYPE', ports, BigInt(type), BigInt(TYPE_MASK));

/** Bus unit id with the number of the hub above it. */
export const fullBuid = (hub: P7iocHub, buid: number): number => (hub.id << HUB_BUID_SHIFT) | buid;

function rulesOfPhb(hub: P7iocHub, phb: number): RoutingRule[] {
  const port = ciPortOfPhb(phb);
  const { mwin1, mwin2 } = hub.place;
  return [
    buidRule(port, fullBuid(hub, BUID.lsi(phb)), LSI_BUID_MASK),
    buidRule(port, fullBuid(hub, BUID.msi(phb)), MSI_BUID_MASK),
    addressRule(port, mwin1 + aibOffset(phb), PHB_WINDOW_BYTES),
    addressRule(port, mwin1 + IO_WINDOW.offset(phb), IO_WINDOW.bytes),
    addressRule(port, mwin2 + M32_RANGE_BYTES * phb, M32_RANGE_BYTES),
    addressRule(port, mwin2 + M64_WINDOW.offset(phb), M64_WINDOW.bytes),
  ];
}

/** Real firmware ORs the numbers of the ports and takes the result for one: with six PHBs that is the last port alone. */
function broadcastPorts({ place, profile }: P7iocHub): bigint {
  const ports = place.phbs.map(ciPortOfPhb);
  if (profile.invalidationBroadcast === 'corrected') return ports.reduce((mask, port) => mask | portMask(port), 0n);
  return portMask(ports.reduce((mixed, port) => mixed | port, 0));
}

/** In order, without gaps: the first that fits decides. */
export function routingRules(hub: P7iocHub): readonly RoutingRule[] {
  return [
    ...hub.place.phbs.flatMap((phb) => rulesOfPhb(hub, phb)),
    typeRule(broadcastPorts(hub), INVALIDATION),
    typeRule(portMask(RGC_PORT), INTERRUPT_RESPONSE),
    buidRule(RGC_PORT, fullBuid(hub, BUID.rgc), LSI_BUID_MASK),
  ];
}

/** Init_130 to Init_225. Rules that are not used keep what stood in them, but match nothing. */
export function* initRouting(hub: P7iocHub): Process<void> {
  const { access } = hub;
  const left: bigint[] = [];
  for (const at of PROGRAMMED_RULES) {
    const idle = (yield* access.read(`CI_RMATC_${at}`)) & ~VALID;
    left.push(idle);
    yield* access.writeAndReadBack(`CI_RMATC_${at}`, idle);
  }
  const rules = routingRules(hub);
  for (const at of PROGRAMMED_RULES) yield* access.writeAndReadBack(`CI_RMASK_${at}`, rules[at]?.mask ?? 0n);
  for (const at of PROGRAMMED_RULES) yield* access.writeAndReadBack(`CI_RMATC_${at}`, rules[at]?.match ?? left[at]!);
  yield* access.writeAndReadBack(`CI_RMASK_${CATCH_ALL_RULE}`, 0n);
  const everything = word(HUB_REGISTERS, 'CI_RMATC_0', { PORTS: portMask(RGC_PORT), ADDRESS: 1 });
  yield* access.writeAndReadBack(`CI_RMATC_${CATCH_ALL_RULE}`, everything);
}
