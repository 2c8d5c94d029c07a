import type { LaneState } from '@nightshift/shared/lane';
import type { Logger } from '@nightshift/shared/telemetry';
import { expect, it } from 'vitest';
import { createStandingLog } from '../../src/lanes/standing-log.ts';

const NOW = 1_800_000_000_000;
const open: LaneState = {
  nowMs: NOW,
  coolingUntilMs: null,
  operatorPaused: false,
  paused: null,
  unreachable: null,
  lastRefusedAtMs: null,
};
const unreachable = {
  ...{ sinceMs: NOW - 1000, failures: 3, trialAtMs: NOW + 1000 },
  message: 'The provider answered 500: the prompt was SECRET.',
};
const lane = { id: 'lane_1', provider: 'acme', model: 'm', credential: 'default' };

/** Workers with a shared logged reason, and their log lines. */
function createFleet() {
  const lines: [string, Record<string, unknown>][] = [];
  const logger = {
    warn: (fields: Record<string, unknown>, event: string) => lines.push([event, fields]),
  } as unknown as Logger;
  let logged: string | null = null;
  const swapLogged = async (_lane: string, reason: string | null) => {
    const before = logged;
    logged = reason;
    return before;
  };
  return { lines, worker: () => createStandingLog({ swapLogged }, logger) };
}

it('logs once for the fleet when a lane is held up, with the reason, and once when that ends', async () => {
  const fleet = createFleet();
  const all = [fleet.worker(), fleet.worker()];
  const see = async (state: Partial<LaneState>) => {
    for (const worker of all) await worker.see(lane, { ...open, ...state });
  };
  await see({});
  expect(fleet.lines).toEqual([]);
  await see({ unreachable });
  await see({ unreachable: { ...unreachable, failures: 4 } });
  expect(fleet.lines).toEqual([
    [
      'lane.held_up',
      {
        ...{ laneId: 'lane_1', provider: 'acme', model: 'm', reason: 'provider_unreachable' },
        message: expect.stringMatching(/^m at acme does not answer: it answered 500 \(3 failed/),
      },
    ],
  ]);
  await see({});
  await see({});
  expect(fleet.lines.map(([event]) => event)).toEqual(['lane.held_up', 'lane.resumed']);
  expect(JSON.stringify(fleet.lines)).not.toContain('SECRET');
});

it('logs the end even in a worker that did not see the beginning', async () => {
  const fleet = createFleet();
  await fleet.worker().see(lane, { ...open, operatorPaused: true });
  await fleet.worker().see(lane, open);
  expect(fleet.lines).toEqual([
    ['lane.held_up', expect.objectContaining({ reason: 'paused' })],
    ['lane.resumed', expect.objectContaining({ reason: 'paused' })],
  ]);
});

it('logs a long rate limit until it is over, and no short ones', async () => {
  const fleet = createFleet();
  const worker = fleet.worker();
  const cool = async (ms: number) => worker.see(lane, { ...open, coolingUntilMs: NOW + ms });
  await cool(5000);
  expect(fleet.lines).toEqual([]);
  await cool(3_600_000);
  await cool(5000);
  expect(fleet.lines).toMatchObject([['lane.held_up', { reason: 'rate_limit' }]]);
  await worker.see(lane, open);
  expect(fleet.lines.at(-1)?.[0]).toBe('lane.resumed');
});
