import type { LineResult } from '@nightshift/shared/redis';
import { expect, it } from 'vitest';
import { resultLine } from '../../src/batches/result-line.ts';

const result: LineResult = {
  streamId: '1-1',
  line: 7,
  customId: 'a "quoted" id',
  status: 'completed',
  response: { statusCode: 200, requestId: 'req_1', body: '{"big":12345678901234567890}' },
  error: null,
  usage: null,
  costUsd: null,
};
const written = (more: Partial<LineResult>) => resultLine('batch_ab', { ...result, ...more });
const parsed = (more: Partial<LineResult>) =>
  JSON.parse(written(more).text) as { response: { body: unknown } | null; error: unknown };

it('copies the answer as it came, on one line', () => {
  const line = written({});
  expect(line.file).toBe('output');
  expect(line.text).toContain('"body":{"big":12345678901234567890}');
  const broken = written({ response: { ...result.response!, body: '{\n  "a":\r\n 1\n}' } });
  expect(broken.text.indexOf('\n')).toBe(broken.text.length - 1);
  expect(JSON.parse(broken.text)).toMatchObject({
    id: 'batch_req_ab_7',
    custom_id: 'a "quoted" id',
    response: { status_code: 200, request_id: 'req_1', body: { a: 1 } },
    error: null,
  });
});

it('puts an HTTP error into the error file with its response, a page as a string', () => {
  const response = { statusCode: 502, requestId: null, body: '<html>\nno</html>' };
  const error = { code: 'provider_error', message: 'm' };
  expect(written({ status: 'failed', response, error }).file).toBe('failures');
  expect(parsed({ status: 'failed', response, error })).toMatchObject({
    response: { status_code: 502, body: '<html>\nno</html>' },
    error: null,
  });
});

it.each([
  ['expired', 'batch_expired'],
  ['cancelled', 'batch_cancelled'],
] as const)('says why a line that is %s was never answered', (status, code) => {
  expect(parsed({ status })).toMatchObject({ response: null, error: { code } });
});

it('keeps the reason of a line that failed without an answer', () => {
  const error = { code: 'provider_unreachable', message: 'refused' };
  expect(parsed({ status: 'failed', response: null, error })).toMatchObject({
    response: null,
    error,
  });
});
