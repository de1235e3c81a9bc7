/** Location codes of buses, upward until one is found. Source: linux eeh_pe.c: eeh_pe_loc_get_bus; facts: eeh-linux 10 step 3. */
import type { PciBus } from './pci/device.js';

export function locationOf(bus: PciBus | undefined): string {
  for (let each = bus; each !== undefined; each = each.parent) {
    const { controller, bridge } = each;
    const slot = controller.slotBelow(bridge);
    // A slot's location code is made of the base code and its label; boards without a base code have the label alone.
    const code = each.isRoot ? controller.node.baseLocationCode : (slot?.locationCode ?? slot?.label);
    if (code !== undefined) return code;
  }
  return 'N/A';
}
