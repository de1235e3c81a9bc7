/** The translation written once more, straight from the rules and in bigint, to hold the fast one against. */

export type Outcome =
  | { readonly status: 'TVE_INVALID' | 'TVE_RANGE' | 'TCE_PAGE_FAULT' | 'TCE_ACCESS_FAULT' | 'MEMORY_ERROR' }
  | { readonly status: 'OK'; readonly realAddress: bigint };

export interface Access {
  readonly tve: bigint;
  readonly address: bigint;
  readonly direction: 'read' | 'write';
}

const low = (value: bigint, bits: bigint): bigint => value & ((1n << bits) - 1n);

/** `read` answers undefined outside memory. */
export function referenceTranslation(access: Access, read: (address: bigint) => bigint | undefined): Outcome {
  const { tve, address } = access;
  const inWindow = low(address, 59n);
  const pageSize = low(tve, 5n);
  const tableSize = low(tve >> 8n, 5n);
  const levels = low(tve >> 13n, 3n) + 1n;
  if (pageSize === 0n) return untranslated(tve, address, inWindow);
  if (tableSize === 0n || levels > 5n || ![1n, 5n, 13n, 17n].includes(pageSize)) return { status: 'TVE_INVALID' };

  const pageShift = pageSize + 11n;
  const perLevel = tableSize + 8n;
  if (inWindow >> (levels * perLevel + pageShift) !== 0n) return { status: 'TVE_RANGE' };
  let table = (tve >> 16n) << 12n;
  for (let level = levels - 1n; level >= 0n; level--) {
    const entry = read(table + 8n * low(inWindow >> (level * perLevel + pageShift), perLevel));
    if (entry === undefined) return { status: 'MEMORY_ERROR' };
    if (low(entry, 2n) === 0n) return { status: 'TCE_PAGE_FAULT' };
    table = (entry >> 12n) << 12n;
    if (level > 0n) continue;
    if ((entry & (access.direction === 'read' ? 1n : 2n)) === 0n) return { status: 'TCE_ACCESS_FAULT' };
    return { status: 'OK', realAddress: low((entry >> pageShift) << pageShift, 50n) + low(address, pageShift) };
  }
  throw new Error('not reached: the last level returns');
}

function untranslated(tve: bigint, address: bigint, inWindow: bigint): Outcome {
  if ((tve & (1n << 12n)) === 0n) return { status: 'TVE_INVALID' };
  const start = (low(tve >> 10n, 2n) << 48n) | ((tve >> 40n) << 24n);
  const end = (low(tve >> 8n, 2n) << 48n) | (low(tve >> 16n, 24n) << 24n);
  if (inWindow < start || inWindow >= end) return { status: 'TVE_RANGE' };
  const firstWindow = (address & (1n << 59n)) === 0n;
  if (firstWindow && inWindow < 1n << 32n) return { status: 'TVE_RANGE' };
  return { status: 'OK', realAddress: inWindow };
}
