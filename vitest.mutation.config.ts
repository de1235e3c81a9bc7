import { defineConfig } from 'vitest/config';

// The tests that judge mutants: those of the folders that are mutated.
export default defineConfig({
  test: {
    include: ['tce', 'ioda', 'ioda1', 'ioda2', 'opal', 'eeh'].map((folder) => `test/${folder}/**/*.test.ts`),
    testTimeout: 60_000,
  },
});
