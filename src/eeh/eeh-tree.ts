/** All PEs: one PHB PE per controller, and how devices join and leave the tree below it. Facts: eeh-linux 2.3. */

import { DevMode, PeState, PeType } from './eeh-flags.js';
import type { EehDev } from './eeh-pe.js';
import { EehPe } from './eeh-pe.js';
import type { KernelQuirks } from './kernel-versions.js';
import type { KernelLog } from './log.js';
import type { PciBus, PciController } from './pci/device.js';

type StaleRule = KernelQuirks['stalePes'];

export class EehTree {
  private readonly phbPes: EehPe[] = [];

  constructor(private readonly log: KernelLog) {}

  addPhbPe(controller: PciController): EehPe {
    const pe = new EehPe(controller, PeType.PHB, 0);
    this.phbPes.push(pe);
    return pe;
  }

  /** In order of the PHBs. */
  get allPhbPes(): readonly EehPe[] {
    return this.phbPes;
  }

  phbPe(controller: PciController): EehPe | undefined {
    return this.phbPes.find((pe) => pe.controller === controller);
  }

  /** By number; a PHB PE is never the answer. */
  find(controller: PciController, peNumber: number): EehPe | undefined {
    return this.phbPe(controller)
      ?.subtree()
      .find((pe) => !pe.is(PeType.PHB) && pe.address === peNumber);
  }

  /** Puts a probed device into the PE of its number; a new PE goes below `upstream`, or the PHB PE. */
  insert(edev: EehDev, upstream: EehPe | undefined): 'inserted' | 'no-phb-pe' {
    const known = this.find(edev.controller, edev.peConfigAddress);
    if (known !== undefined) {
      if (known.is(PeType.INVALID)) this.revalidate(known);
      else known.type = PeType.BUS;
      this.join(edev, known);
      return 'inserted';
    }
    const parent = upstream ?? this.phbPe(edev.controller);
    if (parent === undefined) return 'no-phb-pe';
    const type = edev.physicalFunction === undefined ? PeType.DEVICE : PeType.VF;
    const pe = new EehPe(edev.controller, type, edev.peConfigAddress);
    pe.parent = parent;
    parent.children.push(pe);
    this.join(edev, pe);
    return 'inserted';
  }

  /** Takes a device out; PEs left empty go too, or turn INVALID while recovery still wants them. */
  remove(edev: EehDev): void {
    const start = edev.pe;
    if (start === undefined) return;
    edev.pe = undefined;
    drop(start.edevs, edev);
    for (let pe: EehPe | undefined = start; pe !== undefined && !pe.is(PeType.PHB); ) {
      const parent: EehPe | undefined = pe.parent;
      if (this.keepsThroughRecovery(pe)) {
        if (pe.edevs.length > 0 || pe.children.some((child) => !child.is(PeType.INVALID))) return;
        pe.type |= PeType.INVALID;
      } else {
        if (pe.edevs.length > 0 || pe.children.length > 0) return;
        if (parent !== undefined) drop(parent.children, pe);
      }
      pe = parent;
    }
  }

  /** Reaps PEs left without devices. The kernel tests a state bit where it means the INVALID type (facts, D3). */
  reapStale(pe: EehPe, rule: StaleRule): void {
    for (const child of [...pe.children]) this.reapStale(child, rule);
    if (pe.is(PeType.PHB) || pe.in(PeState.KEEP)) return;
    const stale = rule === 'reaped' ? pe.is(PeType.INVALID) : pe.in(PeType.INVALID);
    if (!stale) return;
    if (pe.edevs.length === 0 && pe.children.length === 0 && pe.parent !== undefined) drop(pe.parent.children, pe);
  }

  /** The bus a PE stands for: the PHB's, the cached one, or that of its first device. */
  busOf(pe: EehPe): PciBus | undefined {
    if (pe.is(PeType.PHB)) return pe.controller.rootBus;
    if (pe.in(PeState.PRI_BUS)) return pe.bus;
    return pe.edevs[0]?.device?.bus;
  }

  /** Unplugged devices leave their PE for good. Source: linux eeh_driver.c: eeh_pe_detach_dev. */
  detachUnplugged(pe: EehPe): void {
    for (const edev of pe.devicesBelow()) {
      if (!edev.has(DevMode.DISCONNECTED)) continue;
      edev.mode &= ~(DevMode.DISCONNECTED | DevMode.IRQ_DISABLED);
      this.remove(edev);
    }
  }

  private join(edev: EehDev, pe: EehPe): void {
    edev.pe = pe;
    pe.edevs.push(edev);
  }

  private revalidate(pe: EehPe): void {
    for (let each: EehPe | undefined = pe; each?.is(PeType.INVALID); each = each.parent) each.type &= ~PeType.INVALID;
  }

  private keepsThroughRecovery(pe: EehPe): boolean {
    if (pe.in(PeState.KEEP) && !pe.in(PeState.RECOVERING)) {
      this.log.warn(`WARNING: PE ${pe.label} kept without recovery`);
    }
    return pe.in(PeState.KEEP | PeState.RECOVERING);
  }
}

function drop<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}
