import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    // Nothing else has work to do meanwhile: on two cores the default would leave one idle.
    maxWorkers: '100%',
    // Modules keep nothing between tests: files of one worker share them, which halves the time of a whole run.
    isolate: false,
    // The guides' examples import the package by its name.
    alias: { phbsim: fileURLToPath(new URL('./src/index.ts', import.meta.url)) },
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'text', 'json-summary'],
      thresholds: {
        lines: 90,
        branches: 90,
        'src/{opal,eeh}/**': { lines: 95, branches: 90 },
        'src/{ioda,ioda1,ioda2,tce}/**': { lines: 95, branches: 90 },
      },
    },
  },
});
