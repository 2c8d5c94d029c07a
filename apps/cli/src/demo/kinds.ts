import * as texts from './texts.ts';

/** What a job is meant to come to. */
type Expectation = { status: 'completed' } | { status: 'failed' | 'expired'; errorCode: string };

/** The body of `POST /v1/jobs`. */
export interface JobRequestBody {
  endpoint: string;
  body: Readonly<Record<string, unknown>> & { model: string };
  priority: 'bulk' | 'interactive';
  metadata: Record<string, string>;
  max_attempts?: number;
  expires_after?: number;
}

/** One job of the sample run. */
export interface SampleJob {
  /** `demo-017`; goes along as `user`, by which the simulated provider's ledger knows it again. */
  key: string;
  kind: string;
  request: JobRequestBody;
  expect: Expectation;
  /** Why it goes wrong on purpose; null for an ordinary job. */
  onPurpose: string | null;
}

/** A job before it has its place in a sample. */
export interface Draft {
  kind: string;
  request: Omit<JobRequestBody, 'metadata' | 'priority'> & { priority?: 'interactive' };
  /** Default: completed. */
  expect?: Expectation;
  onPurpose?: string;
}

const CHAT = '/v1/chat/completions';

const chat = (system: string, user: string): { role: string; content: string }[] => [
  { role: 'system', content: system },
  { role: 'user', content: user },
];

/** The n-th text, its placeholder filled in so that no two jobs are the same. */
export const pick = (list: readonly string[], n: number, base: number): string =>
  (list[n % list.length] ?? '')
    .replace('ORDER', `#${base + 17 * n}`)
    .replace('WEEK', `${n + base}`);

export const classify = (ticket: string, model: string): Draft => ({
  kind: 'classify',
  request: {
    endpoint: CHAT,
    body: {
      model,
      messages: chat(
        'Answer with one word: delivery, payment, damage, account, praise or other.',
        ticket,
      ),
      max_completion_tokens: 16,
    },
  },
});

export const extract = (letter: string, model: string): Draft => ({
  kind: 'extract',
  request: {
    endpoint: CHAT,
    body: {
      model,
      messages: chat('Answer in JSON with the fields name, order, wish and amount_eur.', letter),
      response_format: { type: 'json_object' },
      max_completion_tokens: 80,
    },
  },
});

export const summarise = (report: string): Draft => ({
  kind: 'summarise',
  request: {
    endpoint: '/v1/responses',
    body: {
      model: 'gpt-4o-mini',
      instructions: 'Summarise in one sentence.',
      input: report,
      max_output_tokens: 80,
    },
  },
});

export const translate = (n: number, model: string): Draft => {
  const language = texts.languages[Math.floor(n / texts.sentences.length)] ?? 'German';
  return {
    kind: 'translate',
    request: {
      endpoint: CHAT,
      body: {
        model,
        messages: chat(`Translate into ${language}.`, pick(texts.sentences, n, 0)),
        max_completion_tokens: 60,
      },
    },
  };
};

export const embed = (input: string): Draft => ({
  kind: 'embed',
  request: { endpoint: '/v1/embeddings', body: { model: 'text-embedding-3-small', input } },
});

export const moderate = (input: string): Draft => ({
  kind: 'moderate',
  request: { endpoint: '/v1/moderations', body: { model: 'omni-moderation-latest', input } },
});

export const reply = (n: number): Draft => ({
  kind: 'reply',
  request: {
    endpoint: CHAT,
    priority: 'interactive',
    body: {
      model: 'gpt-4o-mini',
      messages: chat('Answer the customer in two sentences.', pick(texts.tickets, n + 2, 9000)),
      max_completion_tokens: 80,
    },
  },
});

export const troubled = (
  model: string,
  why: string,
  expect: Expectation,
  more: Pick<JobRequestBody, 'max_attempts' | 'expires_after'> = {},
): Draft => ({
  kind: 'troubled',
  onPurpose: why,
  expect,
  request: {
    endpoint: CHAT,
    body: { model, messages: chat('Answer the customer.', `A call to ${model}.`) },
    ...more,
  },
});
