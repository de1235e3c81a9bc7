/** How long the properties run: a fixed seed and a few seconds, or as long as PROPERTY_RUNS and PROPERTY_SEED say. */
export function settings(numRuns: number): { seed: number; numRuns: number; interruptAfterTimeLimit?: number } {
  const factor = Number(process.env['PROPERTY_RUNS'] ?? 1);
  return { seed: Number(process.env['PROPERTY_SEED'] ?? 1), numRuns: Math.max(1, Math.round(numRuns * factor)) };
}
