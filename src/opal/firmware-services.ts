/** What drivers may ask of the firmware around them. */
export interface FirmwareServices {
  log(line: string): void;
  /** Raises the PCI error event; with a PHB's number it stays up until that PHB was asked. */
  raisePciError(phbId?: number): void;
}
