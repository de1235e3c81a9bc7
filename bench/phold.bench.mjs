// Event queue, trace and digest together, with few and with many pending events.
import { Phold } from './phold.mjs';
import { suite } from './suite.mjs';

const EVENTS_PER_RUN = 100_000;

for (const pending of [1024, 65536]) {
  suite(`phold-${pending}`, {
    unit: 'events/s',
    opsPerRun: EVENTS_PER_RUN,
    setup() {
      const phold = new Phold(pending);
      return () => phold.run(EVENTS_PER_RUN);
    },
  });
}
