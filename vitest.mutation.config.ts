import { defineConfig } from 'vitest/config';

// The tests that judge mutants: those of the folders that are mutated.
export default defineConfig({
  test: { include: ['test/tce/**/*.test.ts', 'test/ioda2/**/*.test.ts'], testTimeout: 60_000 },
});
