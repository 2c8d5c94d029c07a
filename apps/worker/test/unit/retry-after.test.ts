import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryAfterMs } from '../../src/attempt/retry-after.ts';

const NOW = Date.parse('2026-11-21T00:00:00Z');
const read = (headers: Record<string, string>, body = '{}'): number | null =>
  retryAfterMs(new Headers(headers), body, NOW);

describe('retryAfterMs', () => {
  it.each([
    ['nothing said', {}, '{}', null],
    ['milliseconds', { 'retry-after-ms': '1234' }, '{}', 1234],
    ['milliseconds before seconds', { 'retry-after-ms': '20', 'retry-after': '1' }, '{}', 20],
    ['seconds', { 'retry-after': '7' }, '{}', 7000],
    ['fractions of a second', { 'retry-after': '0.5' }, '{}', 500],
    ['a date', { 'retry-after': 'Sat, 21 Nov 2026 00:00:30 GMT' }, '{}', 30_000],
    ['a date in the past', { 'retry-after': 'Fri, 20 Nov 2026 00:00:00 GMT' }, '{}', 0],
    ['nonsense', { 'retry-after': 'soon' }, '{}', null],
    ['a negative number', { 'retry-after': '-5' }, '{}', null],
    ["OpenAI's sentence", {}, '{"error":{"message":"Please try again in 1.2s."}}', 1200],
    ["OpenAI's sentence in minutes", {}, 'Please try again in 6m0.5s. Visit', 360_500],
    ["OpenAI's sentence in milliseconds", {}, 'try again in 20ms.', 20],
    ["Gemini's retry info", {}, '{"details":[{"retryDelay": "34.5s"}]}', 34_500],
  ])('reads %s', (_name, headers, body, expected) => {
    expect(read(headers as Record<string, string>, body)).toBe(expected);
  });

  it("takes a date against the provider's own clock", () => {
    const twoHoursOff = {
      date: 'Sat, 21 Nov 2026 02:00:00 GMT',
      'retry-after': 'Sat, 21 Nov 2026 02:00:05 GMT',
    };
    expect(read(twoHoursOff)).toBe(5000);
  });

  it('never throws and never answers a negative or endless wait', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (header, body) => {
        let headers: Headers;
        try {
          headers = new Headers({ 'retry-after': header });
        } catch {
          return; // Not a header value.
        }
        const wait = retryAfterMs(headers, body, NOW);
        expect(wait === null || (Number.isFinite(wait) && wait >= 0)).toBe(true);
      }),
    );
  });
});
