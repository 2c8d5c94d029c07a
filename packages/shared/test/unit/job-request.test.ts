import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { ApiError } from '../../src/errors/index.ts';
import {
  checkJobRequest,
  jobRequestSchema,
  listJobsQuerySchema,
  schemaError,
  waitQuerySchema,
} from '../../src/http/index.ts';

const errorOf = (schema: z.ZodType, input: unknown): ApiError => {
  const parsed = schema.safeParse(input);
  if (parsed.success) throw new Error(`was accepted: ${JSON.stringify(input)}`);
  return schemaError(parsed.error.issues, input);
};

const withBody = (fields: Record<string, unknown>) => ({ body: { model: 'm' }, ...fields });
const pairs = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, 'v']));

describe('a job request', () => {
  test('the least that it takes, and the defaults', () => {
    expect(jobRequestSchema.parse({ body: { model: 'm', temperature: 0.5 } })).toEqual({
      endpoint: '/v1/chat/completions',
      body: { model: 'm', temperature: 0.5 },
      priority: 'interactive',
    });
  });

  test('null stands for a field that is left out', () => {
    const names = ['metadata', 'run_at', 'expires_after', 'max_attempts', 'webhook_url'];
    const nulls = Object.fromEntries(names.map((name) => [name, null]));
    expect(jobRequestSchema.safeParse(withBody(nulls)).success).toBe(true);
  });

  test.each<[unknown, number]>([
    [90, 90],
    [1.5, 1.5],
    ['90s', 90],
    ['30m', 1800],
    ['24h', 86_400],
    ['30d', 2_592_000],
    [{ anchor: 'created_at', seconds: 60 }, 60],
  ])('expires_after %j is %d seconds', (given, seconds) => {
    expect(jobRequestSchema.parse(withBody({ expires_after: given })).expires_after).toBe(seconds);
  });

  test('metadata at its limits', () => {
    const metadata = { ...pairs(15), ['k'.repeat(64)]: 'v'.repeat(512) };
    expect(jobRequestSchema.parse(withBody({ metadata })).metadata).toEqual(metadata);
  });

  test.each<[string, unknown, string, string | null]>([
    ['no body at all', undefined, 'invalid_type', null],
    ['null', null, 'invalid_type', null],
    ['an array', [], 'invalid_type', null],
    ['text', 'hello', 'invalid_type', null],
    ['body missing', {}, 'missing_required_parameter', 'body'],
    ['body null', { body: null }, 'invalid_type', 'body'],
    ['body an array', { body: [] }, 'invalid_type', 'body'],
    ['model missing', { body: {} }, 'missing_required_parameter', 'body.model'],
    ['model empty', { body: { model: '' } }, 'invalid_value', 'body.model'],
    ['model a number', { body: { model: 5 } }, 'invalid_type', 'body.model'],
    ['model long', { body: { model: 'm'.repeat(257) } }, 'string_above_max_length', 'body.model'],
    ['endpoint unknown', withBody({ endpoint: '/v1/images' }), 'invalid_value', 'endpoint'],
    ['endpoint a number', withBody({ endpoint: 5 }), 'invalid_value', 'endpoint'],
    ['priority unknown', withBody({ priority: 'high' }), 'invalid_value', 'priority'],
    ['metadata an array', withBody({ metadata: [] }), 'invalid_type', 'metadata'],
    ['metadata value', withBody({ metadata: { a: 5 } }), 'invalid_type', 'metadata.a'],
    ['17 pairs', withBody({ metadata: pairs(17) }), 'object_above_max_properties', 'metadata'],
    [
      'metadata key long',
      withBody({ metadata: { ['k'.repeat(65)]: 'v' } }),
      'invalid_value',
      'metadata',
    ],
    [
      'metadata value long',
      withBody({ metadata: { a: 'v'.repeat(513) } }),
      'string_above_max_length',
      'metadata.a',
    ],
    ['run_at text', withBody({ run_at: 'tomorrow' }), 'invalid_type', 'run_at'],
    ['run_at below 0', withBody({ run_at: -1 }), 'integer_below_min_value', 'run_at'],
    ['run_at in ms', withBody({ run_at: 1.8e12 }), 'integer_above_max_value', 'run_at'],
    ['expires_after text', withBody({ expires_after: 'soon' }), 'invalid_value', 'expires_after'],
    ['expires_after true', withBody({ expires_after: true }), 'invalid_type', 'expires_after'],
    ['expires_after 0', withBody({ expires_after: 0 }), 'invalid_value', 'expires_after'],
    ['expires_after 31d', withBody({ expires_after: '31d' }), 'invalid_value', 'expires_after'],
    [
      'expires_after anchor',
      withBody({ expires_after: { anchor: 'now', seconds: 5 } }),
      'invalid_value',
      'expires_after',
    ],
    ['max_attempts 0', withBody({ max_attempts: 0 }), 'integer_below_min_value', 'max_attempts'],
    [
      'max_attempts 101',
      withBody({ max_attempts: 101 }),
      'integer_above_max_value',
      'max_attempts',
    ],
    ['max_attempts 1.5', withBody({ max_attempts: 1.5 }), 'invalid_type', 'max_attempts'],
    ['max_attempts text', withBody({ max_attempts: '3' }), 'invalid_type', 'max_attempts'],
    ['webhook_url a number', withBody({ webhook_url: 5 }), 'invalid_type', 'webhook_url'],
    ['unknown field', withBody({ prioritty: 'bulk' }), 'unknown_parameter', 'prioritty'],
  ])('%s', (_what, input, code, param) => {
    const error = errorOf(jobRequestSchema, input);
    expect(error).toMatchObject({ code, param, status: 400 });
    expect(error.message).toContain(param ?? 'request body');
    expect(error.message).not.toContain('\n');
    expect(error.toEnvelope().error).toMatchObject({ type: 'invalid_request_error', code, param });
  });

  test('an answer stays short, however long the names and values that came', () => {
    const long = 'x'.repeat(100_000);
    for (const input of [
      withBody({ [long]: 1 }),
      withBody({ metadata: { [long]: 5 } }),
      withBody({ priority: long }),
      { body: { model: long } },
    ]) {
      expect(JSON.stringify(errorOf(jobRequestSchema, input).toEnvelope()).length).toBeLessThan(
        1000,
      );
    }
  });

  test('any JSON either passes or is answered with a 400 that has a code', () => {
    const field = fc.oneof(fc.jsonValue(), fc.constantFrom('24h', 'bulk', { model: 'm' }, 5));
    const names = ['body', 'endpoint', 'priority', 'metadata', 'run_at', 'expires_after', 'other'];
    fc.assert(
      fc.property(
        fc.oneof(fc.jsonValue(), fc.dictionary(fc.constantFrom(...names), field)),
        (input) => {
          if (jobRequestSchema.safeParse(input).success) return;
          expect(errorOf(jobRequestSchema, input).status).toBe(400);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('what depends on several fields, or is not served', () => {
  const check = (fields: Record<string, unknown>, body = {}): (() => void) => {
    const request = jobRequestSchema.parse({ body: { model: 'm', ...body }, ...fields });
    return () => {
      checkJobRequest(request, 1_000_000);
    };
  };

  test.each<[string, () => void, string, string]>([
    ['webhook_url', check({ webhook_url: 'http://x' }), 'unsupported_parameter', 'webhook_url'],
    ['stream', check({}, { stream: true }), 'unsupported_parameter', 'body.stream'],
    [
      'expires before it runs',
      check({ run_at: 1060, expires_after: 60 }),
      'invalid_value',
      'expires_after',
    ],
  ])('%s', (_what, run, code, param) => {
    expect(run).toThrow(ApiError);
    expect(run).toThrow(expect.objectContaining({ code, param }));
  });

  test('passes otherwise', () => {
    expect(check({ run_at: 1059, expires_after: 60 })).not.toThrow();
    expect(check({ run_at: 5 }, { stream: false })).not.toThrow();
  });
});

describe('query strings', () => {
  test.each<[Record<string, unknown>, string, string]>([
    [{ limit: '0' }, 'integer_below_min_value', 'limit'],
    [{ limit: '101' }, 'integer_above_max_value', 'limit'],
    [{ limit: 'x' }, 'invalid_value', 'limit'],
    [{ limit: '1.5' }, 'invalid_value', 'limit'],
    [{ status: 'done' }, 'invalid_value', 'status'],
    [{ after: 'x'.repeat(129) }, 'string_above_max_length', 'after'],
    [{ created_after: '-1' }, 'integer_below_min_value', 'created_after'],
    [{ order: 'asc' }, 'unknown_parameter', 'order'],
  ])('list: %j', (input, code, param) => {
    expect(errorOf(listJobsQuerySchema, input)).toMatchObject({ code, param });
  });

  test.each<[Record<string, unknown>, string, string]>([
    [{ wait: '61' }, 'integer_above_max_value', 'wait'],
    [{ wait: '-1' }, 'integer_below_min_value', 'wait'],
    [{ wait: '' }, 'invalid_value', 'wait'],
    [{ wait: ['1', '2'] }, 'invalid_type', 'wait'],
  ])('wait: %j', (input, code, param) => {
    expect(errorOf(waitQuerySchema, input)).toMatchObject({ code, param });
  });

  test('the defaults', () => {
    expect(listJobsQuerySchema.parse({})).toEqual({ limit: 20, metadata: {} });
    expect(waitQuerySchema.parse({ wait: '60' })).toEqual({ wait: 60 });
  });
});
