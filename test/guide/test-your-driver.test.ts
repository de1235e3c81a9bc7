import { readScenario, runScenario } from 'phbsim';
import { expect, it } from 'vitest';
import { HeartbeatDriver } from './heartbeat-driver.js';

it('beats on after its card did not answer', () => {
  const scenario = readScenario(
    'heartbeat.yaml',
    `
    name: heartbeat
    about: The card loses a store and does not answer the load behind it. The PE freezes, Linux resets the card, and the driver goes on.
    machine: { slots: { 1: { device: edu } } }
    faults: [{ at: 20 ms, kind: completion-timeout, device: slot1, count: 2 }]
    expect:
      - { freeze: slot1, cause: mmio-load-timeout }
      - { log: "heartbeat driver reports: 'need reset'" }
      - { recovered: slot1, within: 90 s }
    `,
  );
  const driver = new HeartbeatDriver();
  const result = runScenario(scenario, { drivers: { 1: driver } });
  for (const { expectation, state, because } of result.verdicts) {
    expect(state, `${expectation.text}: ${because}`).toBe('met');
  }
  expect(driver.beats).toBeGreaterThan(100);
});
