import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scanJson } from '../../src/json/index.ts';
import { noStanding, type Job } from '../../src/job/index.ts';
import { jobSchema, jobToJson } from '../../src/http/index.ts';

const job: Job = {
  id: 'job_0',
  tenant: 't',
  endpoint: '/v1/chat/completions',
  model: 'm "quoted"',
  laneId: 'lane_0',
  status: 'completed',
  priority: 'bulk',
  attempts: 2,
  maxAttempts: 8,
  delivery: 1,
  createdAtMs: 1_700_000_000_999,
  startedAtMs: 1_700_000_001_000,
  settledAtMs: null,
  expiresAtMs: null,
  runAtMs: null,
  retryAtMs: null,
  waitReason: null,
  waitMessage: null,
  response: null,
  error: null,
  usage: null,
  costUsd: null,
  metadata: {},
  retryOf: null,
  standing: noStanding,
};

const answered = (body: string): Job => ({
  ...job,
  response: { statusCode: 200, requestId: 'req_1', body },
});

/** The text of `response.body` as it stands in the job's text. */
const bodyText = (text: string): string => {
  const part = (of: string, name: string): string => {
    const result = scanJson(of);
    const span = result.kind === 'ok' ? result.spans.get(name) : undefined;
    return of.slice(span?.start, span?.end);
  };
  return part(part(text, 'response'), 'body');
};

describe("the provider's body", () => {
  test.each([
    '{"seed":9007199254740993,"big":12345678901234567890123,"price":0.10,"e":1E+2}',
    String.raw`{"z":1,"a":2,"10":3,"2":4,"esc":"\u00e9\/","dup":1,"dup":2}`,
    '{ "spaced" :\t[ 1 ,\n2 ] }',
    '"text"',
    'null',
    '[]',
  ])('goes out as the text that came: %s', (body) => {
    const text = jobToJson(answered(body), null);
    expect(bodyText(text)).toBe(body);
    expect(JSON.parse(text)).toMatchObject({ response: { body: JSON.parse(body) as unknown } });
  });

  test('any JSON keeps its bytes, and the whole stays JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
        const body = JSON.stringify(value, null, indent);
        const text = jobToJson(answered(body), null);
        expect(text).toContain(`"body":${body}},"error":`);
        expect((JSON.parse(text) as { response: { body: unknown } }).response.body).toEqual(
          JSON.parse(body),
        );
      }),
    );
  });

  test('what is not JSON is shown as a string, and cannot break out of it', () => {
    const garbage = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', '<html>', '{"cut":', '1}, "status": "failed', '\uFEFF{}', 'NaN'),
    );
    fc.assert(
      fc.property(garbage, (body) => {
        const parsed = JSON.parse(jobToJson(answered(body), null)) as {
          status: string;
          response: { body: unknown };
        };
        expect(parsed.status).toBe('completed');
        let isJson = true;
        try {
          JSON.parse(body);
        } catch {
          isJson = false;
        }
        if (!isJson) expect(parsed.response.body).toBe(body);
      }),
    );
  });
});

test('has the shape of its schema, with nulls written out and whole seconds', () => {
  const plain = JSON.parse(jobToJson(job, null)) as Record<string, unknown>;
  expect(jobSchema.strict().parse(plain)).toEqual(plain);
  expect(Object.keys(plain).toSorted()).toEqual(Object.keys(jobSchema.shape).toSorted());
  expect(plain).toMatchObject({
    model: 'm "quoted"',
    created_at: 1_700_000_000,
    started_at: 1_700_000_001,
    settled_at: null,
    waiting_for: null,
    response: null,
    usage: null,
    cost_usd: null,
  });
});

test('a settled job with everything in it', () => {
  const full: Job = {
    ...answered('{}'),
    settledAtMs: 1_700_000_002_500,
    error: { code: 'provider_rejected', message: 'no "such" model' },
    usage: {
      inputTokens: 1,
      cachedInputTokens: 2,
      outputTokens: 3,
      reasoningTokens: 4,
      totalTokens: 5,
    },
    costUsd: 1.5e-7,
    metadata: { a: 'b', ['constructor']: 'c' },
    retryOf: 'job_1',
  };
  const waitingFor = { reason: 'backoff', message: 'soon', until: 5 } as const;
  const plain = JSON.parse(jobToJson(full, waitingFor)) as Record<string, unknown>;
  expect(jobSchema.strict().parse(plain)).toEqual(plain);
  expect(plain).toMatchObject({
    waiting_for: waitingFor,
    settled_at: 1_700_000_002,
    response: { status_code: 200, request_id: 'req_1', body: {} },
    error: full.error,
    usage: { input_tokens: 1, cached_input_tokens: 2, output_tokens: 3, total_tokens: 5 },
    cost_usd: 1.5e-7,
    metadata: full.metadata,
    retry_of: 'job_1',
  });
});
