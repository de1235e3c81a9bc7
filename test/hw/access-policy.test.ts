import { expect, it } from 'vitest';
import { classifyAccess } from '../../src/hw/access-policy.js';

it.each([
  [0x210, 8, 'whole'],
  [0x210, 4, 'partial'],
  [0x214, 4, 'partial'],
  [0x213, 1, 'partial'],
  [0x212, 4, 'misaligned'],
  [0x214, 8, 'misaligned'],
] as const)('an access at 0x%x of %i bytes is %s on a grid of doublewords', (offset, size, shape) => {
  expect(classifyAccess(offset, size)).toBe(shape);
});

it('an aligned access to two 32-bit registers at once is misaligned for either', () => {
  expect(classifyAccess(8, 8, 4)).toBe('misaligned');
  expect(classifyAccess(8, 4, 4)).toBe('whole');
});
