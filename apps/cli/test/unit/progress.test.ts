import { expect, test } from 'vitest';
import { createScreen, progressLine, type Standing } from '../../src/demo/progress.ts';

const standing: Standing = {
  total: 120,
  submitted: 120,
  byStatus: { completed: 28, failed: 1, expired: 1, in_progress: 12, queued: 78 },
  elapsedMs: 2345,
  lanes: [{ model: 'gpt-4o-mini', state: 'open', until: null }],
  waitsFor: null,
};

test('says how much is settled, in progress and queued', () => {
  expect(progressLine(standing, 0)).toBe(
    '[####............] 30/120 settled, 12 in progress, 78 queued, 2.3 s',
  );
  expect(progressLine({ ...standing, submitted: 116, byStatus: {} }, 0)).toBe(
    '[................] 0/120 settled, 116 submitted, 0 in progress, 0 queued, 2.3 s',
  );
  const all = progressLine({ ...standing, byStatus: { completed: 120 } }, 0);
  expect(all).toContain('[################] 120/120 settled');
});

test('names the lanes that are shut, and why a job waits while nothing is settled', () => {
  const lanes = [
    { model: 'gpt-4.1-mini', state: 'cooling', until: 1003 },
    { model: 'gpt-4o', state: 'paused', until: null },
  ] as const;
  expect(progressLine({ ...standing, lanes }, 1_000_400)).toMatch(
    /, gpt-4\.1-mini cools 3 s, gpt-4o paused$/,
  );
  const waitsFor = 'Attempt 1 of 8 failed: connection refused.';
  expect(progressLine({ ...standing, waitsFor }, 0)).not.toContain('refused');
  expect(progressLine({ ...standing, waitsFor, byStatus: {} }, 0)).toMatch(/connection refused\.$/);
});

function fakeOutput(isTTY: boolean, columns = 80) {
  let text = '';
  const output = { isTTY, columns, write: (more: string) => (text += more) };
  return { output, text: () => text };
}

test('a terminal has one line that is replaced, and lines that stay above it', () => {
  const { output, text } = fakeOutput(true, 24);
  const screen = createScreen(output);
  screen.progress('one');
  screen.progress('two, and much more than fits');
  screen.say('a worker was killed');
  screen.endProgress();
  screen.endProgress();
  expect(text()).toBe(
    '  one\r\u001B[K  two, and much more th\r\u001B[Ka worker was killed\n  two, and much more th\n',
  );
});

test('elsewhere there is a plain line at most each second, and the last one', () => {
  const { output, text } = fakeOutput(false);
  let nowMs = 0;
  const screen = createScreen(output, () => nowMs);
  for (const line of ['one', 'two', 'three', 'four']) {
    screen.progress(line);
    nowMs += 400;
  }
  screen.progress('five');
  screen.say('a worker was killed');
  screen.endProgress();
  screen.endProgress();
  expect(text()).toBe('  one\n  four\na worker was killed\n  five\n');
});
