import OpenAI from 'openai';
import { expect, test } from 'vitest';
import type { ResultsQuery } from '../../src/bulk/client.ts';
import { createDisplay } from '../../src/bulk/display.ts';
import { resultBytes } from '../../src/bulk/output/result-lines.ts';
import { createPatience } from '../../src/bulk/patience.ts';
import { createProgressTracker } from '../../src/bulk/progress.ts';
import { batchAt, laneView } from '../support/batches.ts';

function setUp() {
  const said: string[] = [];
  const pauses: number[] = [];
  let nowMs = 0;
  const stop = new AbortController();
  const clock = {
    now: () => nowMs,
    monotonic: () => nowMs,
    sleep: async (ms: number) => {
      pauses.push(ms);
      nowMs += ms;
    },
  };
  const say = (line: string): void => void said.push(line);
  const patience = createPatience({ url: 'http://api', clock, signal: stop.signal, say });
  return { patience, said, pauses, stop };
}

const refusedConnection = (): Error =>
  new OpenAI.APIConnectionError({
    message: 'Connection error.',
    cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
  });
const answer = (status: number, message: string, headers = {}): Error =>
  OpenAI.APIError.generate(
    status,
    { error: { message, param: 'metadata' } },
    undefined,
    new Headers(headers),
  );

/** Throws these one after the other, then answers. */
function failing(...errors: Error[]): () => Promise<string> {
  return async () => {
    const error = errors.shift();
    if (error) throw error;
    return 'yes';
  };
}

test('an API that was there is waited for, and what is said is said once', async () => {
  const { patience, said, pauses } = setUp();
  await patience.with(failing());
  const away = Array.from({ length: 8 }, refusedConnection);
  expect(await patience.with(failing(...away))).toBe('yes');
  expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000, 5000]);
  expect(said).toEqual([
    'http://api does not answer (connection refused); trying again, next in 1 s',
    'http://api answers again',
  ]);
});

test('a server that says when is asked then', async () => {
  const { patience, said, pauses } = setUp();
  const busy = answer(503, 'Redis is away.', { 'retry-after': '7' });
  expect(await patience.with(failing(busy))).toBe('yes');
  expect(pauses).toEqual([7000]);
  expect(said[0]).toBe(
    'http://api does not answer (503, Redis is away.); trying again, next in 7 s',
  );
});

test('before the first answer a wrong address is told soon', async () => {
  const { patience, pauses } = setUp();
  const away = Array.from({ length: 20 }, refusedConnection);
  await expect(patience.with(failing(...away))).rejects.toThrow(
    'there is no Nightshift at http://api (connection refused): start one with npm start, or say where it is with --url or NIGHTSHIFT_URL',
  );
  expect(pauses.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(5000);
});

test('a no is a no, and names the field', async () => {
  const { patience } = setUp();
  await expect(
    patience.with(failing(answer(400, "Invalid 'metadata': too many."))),
  ).rejects.toThrow(/^Invalid 'metadata': too many\.$/);
  await expect(patience.with(failing(answer(400, 'Too many.')))).rejects.toThrow(
    /^metadata: Too many\.$/,
  );
  await expect(patience.with(failing(answer(401, 'Incorrect API key.')))).rejects.toThrow(
    /^Incorrect API key\. The key is taken from NIGHTSHIFT_API_KEY\.$/,
  );
  await expect(patience.with(failing(new RangeError('a defect')))).rejects.toThrow(RangeError);
});

test('a signal ends the wait', async () => {
  const { patience, stop } = setUp();
  stop.abort(new Error('stopped'));
  await expect(patience.with(failing())).rejects.toThrow('stopped');
});

/** Sends `whole` in pieces of `size` bytes, and cuts the line after `until` of them. */
async function* cutAfter(whole: Buffer, size: number, until: number) {
  for (let from = 0; from < whole.length; from += size) {
    if (from + size > until) throw new TypeError('terminated');
    yield whole.subarray(from, from + size);
  }
}
async function textOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const chunk of source) text += Buffer.from(chunk).toString('utf8');
  return text;
}

test('results go on where they were cut, whatever the chunks', async () => {
  const { patience } = setUp();
  const whole = Buffer.from('one\ntwo\nthree\n');
  const cuts = [
    [3, 5],
    [4, 9],
    [2, 9],
    [5, 99],
  ] as const;
  let calls = 0;
  const client = {
    results: async () => {
      const [size, until] = cuts[calls] ?? [1, 0];
      calls += 1;
      return { bytes: cutAfter(whole, size, until), nextAfter: '' };
    },
  };
  expect(await textOf(resultBytes('batch_1', 'input', { client, patience }))).toBe(
    whole.toString(),
  );
  expect(calls).toBe(4);
});

test('in the order of completion a page that was cut is asked for again as a whole', async () => {
  const { patience } = setUp();
  const pages: Record<string, Buffer> = { '': Buffer.from('one\n'), a: Buffer.from('two\n') };
  const asked: string[] = [];
  const client = {
    results: async (_id: string, query: ResultsQuery) => {
      const after = ('after' in query ? query.after : undefined) ?? '';
      const isCut = after === 'a' && !asked.includes('a');
      asked.push(after);
      const bytes = cutAfter(pages[after] ?? Buffer.alloc(0), 2, isCut ? 2 : 99);
      return { bytes, nextAfter: after === '' ? 'a' : 'b' };
    },
  };
  expect(await textOf(resultBytes('batch_1', 'completion', { client, patience }))).toBe(
    'one\ntwo\n',
  );
  expect(asked).toEqual(['', 'a', 'a', 'b']);
});

function display(isTerminal: boolean, columns = 80) {
  let text = '';
  let nowMs = 0;
  const output = { columns, write: (more: string) => (text += more) };
  const shown = createDisplay(output, { isTerminal, everyMs: 10_000, now: () => nowMs });
  const tracker = createProgressTracker();
  return {
    ...{ output, shown },
    text: () => text,
    look: (completed: number, atMs: number) => {
      nowMs = atMs;
      const figures = tracker.look({
        atMs: 1_020_000 + atMs,
        batch: batchAt(completed),
        lanes: [laneView()],
      });
      shown.show(figures);
    },
  };
}

test('without a terminal there is a JSON line every ten seconds, and the last figures', () => {
  const { look, shown, text } = display(false);
  for (let n = 0; n <= 25; n += 1) look(n, n * 1000);
  shown.say('a note');
  shown.end();
  shown.end();
  const lines = text().trimEnd().split('\n');
  expect(lines[3]).toBe('a note');
  const seen = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Seen);
  expect(seen.map(({ request_counts: counts }) => counts.completed)).toEqual([0, 10, 20, 25]);
});
interface Seen {
  request_counts: { completed: number };
}

test('on a terminal the figures are drawn anew, also after it became narrower', () => {
  const { look, shown, text, output } = display(true);
  look(0, 0);
  expect(text().split('\n')).toHaveLength(4);
  look(10, 1000);
  expect(text()).toContain('\u001B[3A\r\u001B[J');
  output.columns = 40;
  look(20, 2000);
  expect(text()).toContain('\u001B[8A\r\u001B[J');
  const before = text().length;
  shown.say('a note');
  expect(text().slice(before)).toMatch(/a note\nbatch_/);
  shown.end();
});
