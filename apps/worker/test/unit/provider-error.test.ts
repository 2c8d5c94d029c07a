import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readProviderError } from '../../src/attempt/provider-error.ts';

it.each([
  ['{"error":{"message":"no","code":"c","type":"t"}}', 'no', 'c', 't'],
  ['{"error":"no"}', 'no', '', ''],
  ['[{"error":{"message":"no","code":429,"status":"RESOURCE_EXHAUSTED"}}]', 'no', '', ''],
  ['{"detail":"no"}', 'no', '', ''],
  ['{"detail":[{"loc":["body"],"msg":"a"},{"msg":"b"}]}', 'a; b', '', ''],
  ['{"message":"no","type":"t"}', 'no', '', 't'],
  ['\uFEFF{"message":"no"}', 'no', '', ''],
  ['"no"', 'no', '', ''],
  ['no healthy upstream', 'no healthy upstream', '', ''],
  ['<html><head><title>502 Bad\n Gateway</title></head></html>', '502 Bad Gateway', '', ''],
  ['<!DOCTYPE html><h1 class="x">Sorry</h1>', 'Sorry', '', ''],
  ['<html></html>', '', '', ''],
  ['', '', '', ''],
  ['{}', '', '', ''],
  ['[]', '', '', ''],
  ['null', '', '', ''],
  ['{"error":{"message":{"text":"no"}}}', '', '', ''],
])('%j', (body, message, code, type) => {
  expect(readProviderError(body)).toMatchObject({ message, code, type });
});

it('reads the status that a body names', () => {
  const statusOf = (body: unknown) => readProviderError(JSON.stringify(body)).status;
  expect(statusOf({ error: { code: 429 } })).toBe(429);
  expect(statusOf({ error: { code: '503' } })).toBe(503);
  expect(statusOf({ error: { code: 'x', status: 500 } })).toBe(500);
  expect(statusOf({ status: 402, message: 'x' })).toBe(402);
  for (const code of [200, 399, 600, 42.5, '42', null]) {
    expect(statusOf({ error: { code } })).toBeNull();
  }
});

it('says something short of every body', () => {
  const body = fc.oneof(
    fc.string({ maxLength: 3000 }),
    fc.json(),
    fc.json().map((text) => `{"error":${text}}`),
  );
  fc.assert(
    fc.property(body, (text) => {
      const { message, code, type } = readProviderError(text);
      expect(message.length).toBeLessThanOrEqual(500);
      expect([typeof code, typeof type]).toEqual(['string', 'string']);
    }),
  );
});
