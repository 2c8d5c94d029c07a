import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createCustomIds,
  isTimeZone,
  parseCompletionWindow,
  quietMinutes,
} from '../../src/batch/index.ts';
import { readConfiguration, batchInputRules } from '../../src/config/index.ts';

describe('completion_window', () => {
  it.each([
    ['24h', 86_400_000],
    ['1m', 60_000],
    ['90m', 5_400_000],
    ['20160m', 1_209_600_000],
    ['336h', 1_209_600_000],
    ['14d', 1_209_600_000],
    ['20161m', null],
    ['337h', null],
    ['15d', null],
    ['0m', null],
    ['01h', null],
    ['-1h', null],
    ['1.5h', null],
    ['24H', null],
    ['24', null],
    ['24 h', null],
    ['60s', null],
    ['99999999h', null],
    ['', null],
  ])('%s → %s', (text, ms) => {
    expect(parseCompletionWindow(text)).toBe(ms);
  });
});

describe('quiet hours', () => {
  it.each([
    ['22:00', '06:00', 480],
    ['00:00', '23:59', 1439],
    ['06:00', '06:00', 0],
    ['06:01', '06:00', 1439],
  ])('%s to %s are %s minutes', (start, end, minutes) => {
    expect(quietMinutes({ start, end })).toBe(minutes);
  });

  it('know time zones from what is none', () => {
    expect(['Europe/Berlin', 'UTC', 'America/Argentina/Buenos_Aires'].every(isTimeZone)).toBe(true);
    expect(['', 'Mars/X', 'Europe', '../etc'].some(isTimeZone)).toBe(false);
  });
});

it('custom ids are found again, and others are not', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { minLength: 1 }), fc.string(), (ids, other) => {
      const customIds = createCustomIds();
      ids.forEach((id, index) => customIds.firstLine(id, index + 1));
      ids.forEach((id, index) => expect(customIds.lineOf(id)).toBe(index + 1));
      if (!ids.includes(other)) expect(customIds.lineOf(other)).toBeNull();
    }),
    { numRuns: 50 },
  );
});

it('the rules of an input come from the configuration', () => {
  const configuration = readConfiguration(
    {
      providers: { own: { base_url: 'http://127.0.0.1:1/v1' } },
      models: [{ match: 'own-*', provider: 'own' }],
      limits: { batch_requests: 7, job_body_bytes: 99 },
    },
    'test',
    {},
  );
  const rules = batchInputRules(configuration, '/v1/embeddings');
  expect(rules).toMatchObject({
    endpoint: '/v1/embeddings',
    limits: { requests: 7, lineBytes: 99 },
  });
  expect(rules.servesModel?.('own-1')).toBe(true);
  expect(rules.servesModel?.('gpt')).toBe(false);
});
