/** A command line that says nothing a command understands. Nothing was done yet. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
