/**
 * The error tree of the hub: a macro for each unit, the global macro above them, fences that the crossbar asks for, and
 * the end of the hub. Facts: ioda1-p7ioc 3.1, 3.4, 7.1, 7.4, 12.8. Source: skiboot p7ioc hw/p7ioc.c: p7ioc_check_GEM.
 */
import { getField, hiOf, loOf, msbMask } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import type { Trace } from '../sim/trace.js';
import { gemBitOfPhb, HUB_UNIT_NAMES, HUB_UNITS, type HubUnit, PHBS_PER_HUB } from './error-bits/units.js';
import { ErrorMacro, type LemSeverity } from './error-macro.js';
import { HUB_REGISTERS, type HubRegisterName } from './registers/hub.js';
import { CI_PORT_NUMBERS, type CiPort } from './registers/hub-ci.js';
import { fenceShadowMask, fenceWofMask } from './registers/hub-rgc.js';
import { HUB_DEAD, UNIT_ERROR } from './trace.js';

/** What the error tree drives. */
export interface HubErrorsClient {
  /** Bits that the macro of a PHB drives. */
  phbDrives(phb: number, severity: LemSeverity): bigint;
  fencePhb(phb: number): void;
  /** The hub's error interrupt stands or not. */
  errorLevel(asserted: boolean): void;
}

/** Port error 0 tells that the PHB behind it is fenced; error 18 of the RGC tells so too. Facts: 7.12, 12.8. */
const CI_PHB_FENCED = msbMask(0);
const RGC_PHB_FENCED = msbMask(18);
const FIRST_PHB_PORT = 2;
/** A port's damage control covers its first sixteen error bits. */
const CI_CONTROLLED_BITS = 16n;

const LDCP = HUB_REGISTERS.get('CI_P0_LDCP').fields;
const ldcpField = (name: string) => LDCP.find((field) => field.name === name)!.at;

/** Where a unit says which of its fatal errors stop the GX link; the others always do (M). */
const STOPS_LINK: Readonly<Partial<Record<HubUnit, HubRegisterName>>> = {
  RGC: 'RGC_LDCP',
  BI_UP: 'BI_UP_LDCP0',
  BI_DOWN: 'BI_DOWN_LDCP0',
};

export class HubErrors {
  readonly #registers: RegisterFile<HubRegisterName>;
  readonly #client: HubErrorsClient;
  readonly #trace: Trace;
  readonly #source: number;
  readonly #macros: Readonly<Record<HubUnit, ErrorMacro<HubUnit>>>;
  #interrupting = 0n;
  #dead = false;

  constructor(
    parts: { registers: RegisterFile<HubRegisterName>; trace: Trace; source: number },
    client: HubErrorsClient,
  ) {
    this.#registers = parts.registers;
    this.#trace = parts.trace;
    this.#source = parts.source;
    this.#client = client;
    const macros = HUB_UNIT_NAMES.map((unit) => [unit, this.#macroOf(unit)] as const);
    this.#macros = Object.fromEntries(macros) as Record<HubUnit, ErrorMacro<HubUnit>>;
    this.#registers.attach('GEM_RFIR', { onRead: () => this.#driving('recoverable') });
    this.#registers.attach('GEM_RIRQFIR', { onRead: () => this.#interrupts() });
    this.#registers.attach('GEM_MASK', { onWrite: () => this.update() });
  }

  #macroOf(unit: HubUnit): ErrorMacro<HubUnit> {
    return new ErrorMacro<HubUnit>(this.#registers, unit, {
      reported: (bits) => this.#reported(unit, bits),
      changed: () => this.update(),
    });
  }

  /** No answer comes from a hub whose GX link has stopped. */
  get isDead(): boolean {
    return this.#dead;
  }

  /** Hardware of a unit reports an error. */
  report(unit: HubUnit, bit: number): void {
    this.#macros[unit].report(msbMask(bit));
  }

  /** A PHB fenced itself off: shadow and WOF of the chip, its port of the crossbar and the RGC all show it. */
  phbFenced(phb: number): void {
    this.#registers.or('CHIP_FENCE_SHADOW', fenceShadowMask(phb));
    this.#registers.or('CHIP_FENCE_WOF', fenceWofMask(phb));
    this.#macros[`CI_P${portOf(phb)}`].report(CI_PHB_FENCED);
    this.#macros.RGC.report(RGC_PHB_FENCED);
  }

  /** The fence of a PHB has lifted; what was first stays until software clears it. */
  phbUnfenced(phb: number): void {
    this.#registers.clear('CHIP_FENCE_SHADOW', fenceShadowMask(phb));
  }

  #reported(unit: HubUnit, bits: bigint): void {
    this.#trace.emit(UNIT_ERROR, this.#source, HUB_UNITS[unit].gemBit, hiOf(bits), loOf(bits));
    const phb = CI_PORT_NUMBERS.findIndex((port) => `CI_P${port}` === unit) - FIRST_PHB_PORT;
    if (phb >= 0 && (this.#damage(unit, 'PHB_FENCE') & bits) !== 0n) this.#client.fencePhb(phb);
  }

  /** Error bits of a crossbar port that have one of the two effects of its damage control. */
  #damage(unit: HubUnit, effect: 'PHB_FENCE' | 'GX_ERROR'): bigint {
    const control = this.#registers.get(`${unit}_LDCP` as HubRegisterName);
    return getField(control, ldcpField(effect)) << (64n - CI_CONTROLLED_BITS);
  }

  /** What the units drive may have changed: fatal errors stay, recoverable ones show as long as they stand (M). */
  update(): void {
    if (this.#macros === undefined) return;
    const fatal = this.#driving('fatal');
    if (fatal !== 0n) this.#fatal(fatal);
    const now = this.#interrupts();
    const gained = now & ~this.#interrupting;
    this.#interrupting = now;
    if (gained !== 0n && this.#registers.get('GEM_RWOF') === 0n) this.#registers.set('GEM_RWOF', now);
    this.#client.errorLevel(now !== 0n);
  }

  #fatal(units: bigint): void {
    this.#registers.or('GEM_XFIR', units);
    const stopped = HUB_UNIT_NAMES.find((unit) => (this.#macros[unit].driven('fatal') & this.#stopsLink(unit)) !== 0n);
    if (stopped === undefined || this.#dead) return;
    this.#dead = true;
    this.#trace.emit(HUB_DEAD, this.#source, HUB_UNITS[stopped].gemBit);
  }

  #stopsLink(unit: HubUnit): bigint {
    const control = STOPS_LINK[unit];
    if (control !== undefined) return this.#registers.get(control);
    return unit.startsWith('CI_') ? this.#damage(unit, 'GX_ERROR') : -1n;
  }

  #driving(severity: LemSeverity): bigint {
    let units = 0n;
    for (const unit of HUB_UNIT_NAMES) {
      if (this.#macros[unit].driven(severity) !== 0n) units |= msbMask(HUB_UNITS[unit].gemBit);
    }
    for (let phb = 0; phb < PHBS_PER_HUB; phb++) {
      if (this.#client.phbDrives(phb, severity) !== 0n) units |= msbMask(gemBitOfPhb(phb));
    }
    return units;
  }

  #interrupts(): bigint {
    return this.#driving('recoverable') & ~this.#registers.get('GEM_MASK');
  }
}

const portOf = (phb: number): CiPort => CI_PORT_NUMBERS[phb + FIRST_PHB_PORT]!;
