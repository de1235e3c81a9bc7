// npm run mutation: changes chip, firmware and kernel one spot at a time and sees whether a test of theirs notices.
// Incremental: a second run tests what changed since. The first takes hours; `-- -m src/ioda2/msi.ts` does one file.
export default {
  testRunner: 'vitest',
  vitest: { configFile: 'vitest.mutation.config.ts' },
  mutate: [
    'src/tce/**/*.ts',
    'src/ioda/**/*.ts',
    'src/ioda1/**/*.ts',
    'src/ioda2/**/*.ts',
    'src/opal/**/*.ts',
    'src/eeh/**/*.ts',
  ],
  coverageAnalysis: 'perTest',
  incremental: true,
  incrementalFile: 'reports/mutation/incremental.json',
  // Declarations are data, evaluated once when a module loads: the tests of declarations compare them value by value.
  ignoreStatic: true,
  timeoutMS: 3000,
  timeoutFactor: 1.25,
  concurrency: 2,
  tempDirName: '.stryker-tmp',
  reporters: ['clear-text', 'html', 'json', 'progress-append-only'],
  clearTextReporter: { logTests: false, reportTests: false },
  htmlReporter: { fileName: 'reports/mutation/report.html' },
  jsonReporter: { fileName: 'reports/mutation/report.json' },
  thresholds: { high: 90, low: 80, break: 80 },
};
