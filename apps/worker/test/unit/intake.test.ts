import { expect, it } from 'vitest';
import { createIntake } from '../../src/lanes/intake.ts';

/** A reader of 61 slots in a process of 64, which has learnt that entries hold so many deliveries. */
function reader(size: number) {
  let ms = 0;
  const intake = createIntake({ monotonic: () => ms }, 64);
  for (let entry = 0; entry < 20; entry += 1) intake.learnSize(size);
  return { intake, pass: (by: number) => (ms += by) };
}

it('takes as many as slots are free, less those that wait here, and at least one', () => {
  const { intake } = reader(1);
  expect(intake.limit(61)).toBe(61);
  const isOver = [1, 2, 3].map(() => intake.takeEntry());
  const moves = [1, 2, 3].map(() => intake.takeDelivery());
  expect(intake.entries).toBe(3);
  expect(intake.limit(61)).toBe(61);
  for (const move of moves) move('in_slot');
  expect(intake.limit(58)).toBe(61);
  expect(intake.limit(0)).toBe(3);
  for (const end of isOver) end();
  for (const move of moves) move('over');
  expect(intake.limit(0)).toBe(1);
});

it('counts a delivery as waiting again after its lane was closed', () => {
  const { intake } = reader(1);
  intake.takeEntry();
  const move = intake.takeDelivery();
  move('in_slot');
  move('waiting');
  expect(intake.limit(1)).toBe(1);
  move('in_slot');
  expect(intake.limit(1)).toBe(2);
});

it('prefetches nothing for calls that all end at once: the next are fetched when they are saved', () => {
  const { intake } = reader(1);
  const moves = Array.from({ length: 61 }, () => {
    intake.takeEntry();
    return intake.takeDelivery();
  });
  for (const move of moves) move('in_slot');
  for (const move of moves) move('recording');
  expect(intake.limit(61)).toBe(61);
});

it('prefetches the average number of saves in progress, so that slots do not stay empty', () => {
  const { intake, pass } = reader(1);
  for (let recording = 0; recording < 20; recording += 1) {
    intake.takeEntry();
    intake.takeDelivery()('recording');
  }
  pass(2000);
  expect(intake.limit(61)).toBe(20 + 61 - 20 + 19);
});

it('prefetches one more bundle, or two if they fill no more than half of the slots', () => {
  expect(reader(4).intake.limit(0)).toBe(2);
  expect(reader(16).intake.limit(0)).toBe(2);
  const few = createIntake({ monotonic: () => 0 }, 4);
  for (let entry = 0; entry < 20; entry += 1) few.learnSize(4);
  expect(few.limit(4)).toBe(2);
  const many = reader(16).intake;
  // 61 free and thirty ahead, in bundles of sixteen.
  expect(many.limit(61)).toBe(6);
});

it('assumes the largest recent entry, and the largest possible one at first', () => {
  const intake = createIntake({ monotonic: () => 0 }, 64);
  expect(intake.limit(32)).toBe(2);
  expect(intake.learnSize(1)).toBe(true);
  expect(intake.limit(30)).toBe(2);
  for (let entry = 0; entry < 20; entry += 1) intake.learnSize(1);
  expect(intake.learnSize(1)).toBe(false);
  expect(intake.limit(30)).toBe(30);
});
