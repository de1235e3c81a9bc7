import { defineConfig } from 'vitest/config';

// The tests that judge mutants: those of the folders that are mutated, and of what stands beside recordings of the real ones.
export default defineConfig({
  test: {
    include: ['tce', 'ioda', 'ioda1', 'ioda2', 'opal', 'eeh', 'replay'].map((folder) => `test/${folder}/**/*.test.ts`),
    testTimeout: 60_000,
  },
});
