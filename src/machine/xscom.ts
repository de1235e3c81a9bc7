/** XSCOM: SCOM registers in the processor's address space. Source: qemu pnv_xscom.c; skiboot hw/xscom.c. */

/** Window of chip 0 on POWER8. */
const XSCOM_BASE = 0x3_fc00_0000_0000;
const XSCOM_BYTES = 2 ** 35;
const TWO_32 = 2 ** 32;

/** The SCOM (PCB) address behind a bus address, or `undefined` if the address is not in the window. */
export function scomOfBusAddress(address: number): number | undefined {
  const offset = address - XSCOM_BASE;
  if (offset < 0 || offset >= XSCOM_BYTES) return undefined;
  const upper = Math.floor(offset / TWO_32) * (TWO_32 / 16);
  return upper + ((((offset >>> 4) & ~0xf) | ((offset >>> 3) & 0xf)) >>> 0);
}

/** The bus address of a SCOM register. */
export function busAddressOfScom(scom: number): number {
  return XSCOM_BASE + (scom - (scom % 16)) * 16 + (scom % 16) * 8;
}
