import { expect, test } from 'vitest';
import { liveView, plainLine } from '../../src/demo/progress.ts';
import { createScreen } from '../../src/demo/screen.ts';
import { createProgressTracker } from '../../src/bulk/progress.ts';
import { batchAt, batchView, laneView } from '../support/batches.ts';

function fakeOutput(isTTY: boolean, columns = 80) {
  let text = '';
  const output = { isTTY, columns, write: (more: string) => (text += more) };
  return { output, text: () => text };
}

test('a terminal has lines that are replaced, and lines that stay above them', () => {
  const { output, text } = fakeOutput(true);
  const screen = createScreen(output);
  screen.show(['one'], '');
  screen.show(['two', 'three'], '');
  screen.say('* a worker was killed');
  screen.endShow();
  screen.endShow();
  expect(text()).toBe(
    '  one\n\u001B[1A\r\u001B[J  two\n  three\n\u001B[2A\r\u001B[J* a worker was killed\n  two\n  three\n',
  );
});

test('elsewhere there is a plain line every other second at most, and the last one', () => {
  const { output, text } = fakeOutput(false);
  let nowMs = 0;
  const screen = createScreen(output, () => nowMs);
  for (const line of ['one', 'two', 'three', 'four']) {
    screen.show([], line);
    nowMs += 700;
  }
  screen.show([], 'five');
  screen.say('* a worker was killed');
  screen.endShow();
  screen.endShow();
  expect(text()).toBe('  one\n  four\n* a worker was killed\n  five\n');
});

test.each([
  [80, 77],
  [0, 77],
  [undefined, 77],
  [120, 117],
])('%s columns leave %s to what is shown', (columns, left) => {
  const output = { ...fakeOutput(true).output, ...(columns !== undefined && { columns }) };
  if (columns === undefined) Reflect.deleteProperty(output, 'columns');
  expect(createScreen(output).columns).toBe(left);
});

test('one plain line tells how far it is, how fast, what it used, and what was refused', () => {
  const tracker = createProgressTracker();
  const usage = { ...batchView().usage, input_tokens: 12_000, output_tokens: 345 };
  const lanes = [laneView()];
  tracker.look({ atMs: 1_010_000, batch: batchAt(0), lanes });
  const batch = batchAt(248, 2, { usage, cost_usd: 0.0042 });
  const progress = tracker.look({ atMs: 1_035_000, batch, lanes });
  expect(plainLine(progress, { calls: 260, refused: 3 })).toBe(
    '35 s · 250 of 1,000, 25 % · 2 failed · 10.0/s · 12.3k tokens · $0.0042 · 3× 429 · 1 min 15 s to go',
  );
  expect(plainLine({ ...progress, total: 0, status: 'validating' }, null)).toBe(
    'validating: the input is being checked',
  );
  const live = liveView(progress, { calls: 260, refused: 3 }, { columns: 77, color: false });
  expect(live.at(-1)).toBe('at the provider: 260 calls, 3 of them refused with 429');
  expect(liveView(progress, null, { columns: 77, color: false })).toHaveLength(live.length - 1);
});
