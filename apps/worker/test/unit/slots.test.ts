import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSlots } from '../../src/lanes/slots.ts';

const never = new AbortController().signal;

describe('slots', () => {
  it('keeps some from bulk and none from interactive', async () => {
    const slots = createSlots(64);
    const take = slots.until(never);
    for (let i = 0; i < 61; i += 1) await take('bulk');
    expect(slots.free('interactive')).toBe(3);
    const order: string[] = [];
    void take('bulk').then(() => order.push('bulk'));
    await take('interactive').then(() => order.push('interactive'));
    expect(order).toEqual(['interactive']);
  });

  it('has one for bulk even when there is only one', async () => {
    const slots = createSlots(1);
    const take = slots.until(never);
    const release = await take('bulk');
    expect(slots.free('interactive')).toBe(0);
    const order: string[] = [];
    const bulk = take('bulk').then((end) => (order.push('bulk'), end));
    const interactive = take('interactive').then((end) => (order.push('interactive'), end));
    release();
    (await interactive)();
    (await bulk)();
    expect(order).toEqual(['interactive', 'bulk']);
    expect(slots.free('interactive')).toBe(1);
  });

  it('gives a slot back once, however often it is released', async () => {
    const slots = createSlots(2);
    const take = slots.until(never);
    const release = await take('interactive');
    release();
    release();
    expect(slots.free('interactive')).toBe(2);
  });

  it('forgets a waiter whose signal is aborted', async () => {
    const slots = createSlots(1);
    const take = slots.until(never);
    const release = await take('interactive');
    const controller = new AbortController();
    const waiting = slots.until(controller.signal)('interactive');
    controller.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
    const other = take('interactive');
    release();
    (await other)();
    expect(slots.free('interactive')).toBe(1);
    await expect(slots.until(controller.signal)('interactive')).rejects.toThrow('stop');
  });

  it('serves those who wait in the order in which they came', async () => {
    const slots = createSlots(1);
    const take = slots.until(never);
    let release = await take('bulk');
    const order: number[] = [];
    const waiting = [1, 2, 3].map(async (number) => {
      release = await take('bulk');
      order.push(number);
      release();
    });
    release();
    await Promise.all(waiting);
    expect(order).toEqual([1, 2, 3]);
  });

  it('never gives out more than there are, in any order of taking and releasing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 10 }),
        fc.array(fc.constantFrom('interactive', 'bulk', 'release'), { maxLength: 60 }),
        async (total, steps) => {
          const slots = createSlots(total);
          const take = slots.until(never);
          const held: (() => void)[] = [];
          let asked = 0;
          for (const step of steps) {
            if (step === 'release') held.shift()?.();
            else {
              asked += 1;
              void take(step).then((release) => held.push(release));
            }
            await Promise.resolve();
            await Promise.resolve();
            expect(slots.free('interactive')).toBeGreaterThanOrEqual(0);
          }
          // Whoever waits is served in the end.
          let served = 0;
          while (served < asked) {
            const release = held.shift();
            if (release === undefined) break;
            served += 1;
            release();
            await new Promise((resolve) => setImmediate(resolve));
          }
          expect(slots.free('interactive')).toBe(total);
        },
      ),
    );
  });
});
