/** The kernel does what it must not: the task that did it dies, with every lock it holds. */
export class KernelOopsError extends Error {
  override readonly name = 'KernelOopsError';
}
