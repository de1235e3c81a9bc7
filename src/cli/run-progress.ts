/** How far a run is, drawn while somebody watches: which scenario, how much of its time, how much of it is decided. */
import { SingleBar } from 'cli-progress';
import type { RunProgress } from '../scenario/runner.js';
import type { Streams } from './host-streams.js';

export interface Progress {
  /** The next scenario begins. */
  begin(file: string): void;
  update(progress: RunProgress): void;
  end(): void;
}

const NOBODY: Progress = { begin: () => {}, update: () => {}, end: () => {} };
const FORMAT = '{bar} {file}{place}  {decided} of {expectations} decided';

export function progressOf(count: number, streams: Streams): Progress {
  if (!streams.interactive) return NOBODY;
  const bar = new SingleBar({ format: FORMAT, hideCursor: true, clearOnComplete: true });
  let number = 0;
  return {
    begin: (file) => {
      number++;
      const place = count > 1 ? ` (${number} of ${count})` : '';
      bar.start(1, 0, { file, place, decided: 0, expectations: '?' });
    },
    update: ({ nowNs, lastNs, decided, expectations }) => {
      bar.setTotal(lastNs);
      bar.update(nowNs, { decided, expectations });
    },
    end: () => bar.stop(),
  };
}
