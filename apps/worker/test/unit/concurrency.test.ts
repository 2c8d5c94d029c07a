import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seeded } from '../../../../test/support/random.ts';
import {
  createConcurrencyController,
  FIRST_LIMIT,
  type LaneReading,
} from '../../src/pacing/concurrency.ts';
import { runEngine, type EngineRun, type EngineSettings } from '../model-engine.ts';

const SEEDS = [1, 2, 3];
/** A fleet that starts at 64 calls finds 4 or 200 by itself within so long, without the engine's word. */
const WARM_UP_SECONDS = 240;
const HALF_SECONDS = 840;

const engine = (slots: number, more: Partial<EngineSettings> = {}): EngineSettings => ({
  slots,
  msPerToken: 20,
  tokens: 100,
  queueLimit: Infinity,
  ...more,
});

/** A run in two halves, each judged after its warm-up. */
const halves = (
  first: EngineSettings,
  second: EngineSettings,
): Omit<EngineRun, 'random' | 'tellsQueue'> => ({
  seconds: 2 * HALF_SECONDS,
  settings: [
    [0, first],
    [HALF_SECONDS, second],
  ],
  judged: [
    [WARM_UP_SECONDS, HALF_SECONDS],
    [HALF_SECONDS + WARM_UP_SECONDS, 2 * HALF_SECONDS],
  ],
});

const workloads: [string, (slots: number) => ReturnType<typeof halves>][] = [
  ['the same all the time', (slots) => halves(engine(slots), engine(slots))],
  [
    'answers twice as long from the middle on',
    (slots) => halves(engine(slots), engine(slots, { tokens: 200 })),
  ],
  [
    'an engine half as fast from the middle on',
    (slots) => halves(engine(slots), engine(slots, { msPerToken: 40 })),
  ],
  [
    'a queue of 16 at most',
    (slots) => halves(engine(slots, { queueLimit: 16 }), engine(slots, { queueLimit: 16 })),
  ],
];

describe.each([
  ['tells its queue', true],
  ['says nothing of its queue', false],
])('an engine that %s', (_what, tellsQueue) => {
  describe.each(workloads)('%s', (_workload, workload) => {
    it.each([4, 16, 64, 200])('%i slots: full, with a short queue', (slots) => {
      for (const seed of SEEDS) {
        for (const judged of runEngine({ ...workload(slots), tellsQueue, random: seeded(seed) })) {
          expect(judged.throughput).toBeGreaterThanOrEqual(0.95);
          expect(judged.meanQueue).toBeLessThanOrEqual(Math.max(10, 0.15 * slots));
          expect(judged.refusedShare).toBeLessThan(0.025);
        }
      }
    });
  });
});

describe('with too little to do', () => {
  it.each([true, false])('the limit stays (queue told: %s)', (tellsQueue) => {
    const [judged] = runEngine({
      seconds: 600,
      settings: [[0, engine(200)]],
      judged: [[0, 600]],
      demand: 20,
      tellsQueue,
      random: seeded(1),
    });
    expect(judged?.limit).toBe(FIRST_LIMIT);
  });
});

describe('whoever looks after the lane next', () => {
  const reading = (more: Partial<LaneReading>): LaneReading => ({
    nowMs: 0,
    inFlight: 64,
    calls: 0,
    ms: 0,
    output: 0,
    overloaded: 0,
    queued: null,
    ...more,
  });

  it('goes on with the limit that was found', () => {
    const first = createConcurrencyController(null);
    expect(first.step(reading({ queued: 40 }))).toBeLessThan(FIRST_LIMIT);
    const next = createConcurrencyController(first.kept);
    expect(JSON.parse(next.kept)).toEqual(JSON.parse(first.kept));
  });

  it('whatever is read, the limit stays between 8 and 100,000', () => {
    const steps = fc.array(
      fc.record({
        passMs: fc.integer({ min: 0, max: 20_000 }),
        inFlight: fc.integer({ min: 0, max: 200_000 }),
        calls: fc.integer({ min: 0, max: 5000 }),
        callMs: fc.integer({ min: 0, max: 100_000 }),
        tokens: fc.integer({ min: 0, max: 5000 }),
        overloaded: fc.integer({ min: 0, max: 100 }),
        queued: fc.option(fc.integer({ min: 0, max: 100_000 })),
      }),
      { maxLength: 100 },
    );
    fc.assert(
      fc.property(steps, (many) => {
        let controller = createConcurrencyController(null);
        let now = reading({});
        for (const { passMs, inFlight, calls, callMs, tokens, overloaded, queued } of many) {
          now = {
            nowMs: now.nowMs + passMs,
            inFlight,
            calls: now.calls + calls,
            ms: now.ms + calls * callMs,
            output: now.output + calls * tokens,
            overloaded: now.overloaded + overloaded,
            queued,
          };
          const limit = controller.step(now);
          if (limit !== null) {
            expect(limit).toBeGreaterThanOrEqual(8);
            expect(limit).toBeLessThanOrEqual(100_000);
          }
          if (passMs % 10 === 0) controller = createConcurrencyController(controller.kept);
        }
      }),
    );
  });
});
