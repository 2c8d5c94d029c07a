import { readFileSync } from 'node:fs';
import { ApiError, errorTable, type ErrorCode } from '@nightshift/shared/errors';
import { expect, it } from 'vitest';
import { toApiError } from '../../src/plugins/error-answers.ts';

it('docs/errors.md lists exactly the codes of the table', () => {
  const page = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) \| `(\w+)` \| (.*) \|$/gm)].map(
    ([, code, status, type, when]) => [code, { status: Number(status), type, when }],
  );
  expect(Object.fromEntries(rows)).toEqual(errorTable);
  expect(rows.length).toBe(Object.keys(errorTable).length);
});

it.each<[unknown, ErrorCode]>([
  [new ApiError('not_found', 'x'), 'not_found'],
  [new Error('Connection is closed.'), 'redis_unavailable'],
  [new Error('Command timed out'), 'redis_unavailable'],
  [Object.assign(new Error('x'), { name: 'MaxRetriesPerRequestError' }), 'redis_unavailable'],
  [new Error('LOADING Redis is loading the dataset in memory'), 'redis_unavailable'],
  [new Error('MISCONF Errors writing to the AOF file: No space left'), 'redis_unavailable'],
  [new Error("OOM command not allowed when used memory > 'maxmemory'."), 'redis_full'],
  [Object.assign(new Error('x'), { code: 'FST_ERR_CTP_BODY_TOO_LARGE' }), 'body_too_large'],
  [Object.assign(new Error('x'), { code: 'FST_SOMETHING', statusCode: 400 }), 'bad_request'],
  [new TypeError('secret internals'), 'internal_error'],
  ['a text', 'internal_error'],
  [Object.create(null), 'internal_error'],
])('%s is answered as %s', (error, code) => {
  const answer = toApiError(error);
  expect(answer.code).toBe(code);
  expect(JSON.stringify(answer.toEnvelope())).not.toContain('secret');
});
