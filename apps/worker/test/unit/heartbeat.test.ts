import { eventually } from '@nightshift/local';
import { systemClock } from '@nightshift/shared/clock';
import type { WorkerBeat } from '@nightshift/shared/fleet';
import { createLogger } from '@nightshift/shared/telemetry';
import { expect, it } from 'vitest';
import { createHeartbeat } from '../../src/services/heartbeat.ts';

/** A heartbeat every 2 ms to a Redis that may be away. */
function createHeart() {
  const beats: { state: WorkerBeat['state']; slotsUsed: number; startedAtMs: number | null }[] = [];
  let isAway = false;
  let pending = 0;
  let mostPending = 0;
  const forgotten: string[] = [];
  let slotsUsed = 0;
  const heart = createHeartbeat({
    workers: {
      beat: async (beat, startedAtMs) => {
        pending += 1;
        mostPending = Math.max(mostPending, pending);
        if (isAway) await eventually(() => !isAway);
        pending -= 1;
        beats.push({ state: beat.state, slotsUsed: beat.slotsUsed, startedAtMs });
        return 1000;
      },
      forget: async (id) => {
        if (isAway) await new Promise(() => {});
        forgotten.push(id);
      },
    },
    about: { id: 'worker_1', host: 'h', pid: 1, version: '0.1.0', slots: 8 },
    load: () => ({ slotsUsed, lanes: 1 }),
    clock: systemClock,
    logger: createLogger('test', 'silent'),
    everyMs: 2,
  });
  return {
    heart,
    beats,
    forgotten,
    use: (slots: number) => {
      slotsUsed = slots;
    },
    leave: () => {
      isAway = true;
    },
    comeBack: () => {
      isAway = false;
    },
    mostPending: () => mostPending,
  };
}

it('keeps the start returned by the first heartbeat, and reports the current load', async () => {
  const { heart, beats, forgotten, use } = createHeart();
  await heart.start();
  expect(beats).toEqual([{ state: 'alive', slotsUsed: 0, startedAtMs: null }]);
  use(3);
  await eventually(() => beats.at(-1)?.slotsUsed === 3);
  expect(beats.at(-1)).toEqual({ state: 'alive', slotsUsed: 3, startedAtMs: 1000 });
  heart.announceStop();
  await eventually(() => beats.at(-1)?.state === 'stopping');
  await heart.stop();
  await heart.stop();
  expect(forgotten).toEqual(['worker_1']);
});

it('has one heartbeat pending while Redis is away, and does not wait for it to stop', async () => {
  const { heart, beats, leave, comeBack, mostPending } = createHeart();
  await heart.start();
  await eventually(() => beats.length > 5);
  leave();
  const before = beats.length;
  const startedAt = performance.now();
  await heart.stop();
  expect(performance.now() - startedAt).toBeLessThan(2000);
  expect(beats.length).toBeLessThanOrEqual(before + 1);
  comeBack();
  expect(mostPending()).toBe(1);
});
