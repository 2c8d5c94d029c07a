import {
  classify,
  embed,
  extract,
  moderate,
  pick,
  reply,
  summarise,
  translate,
  troubled,
  type Draft,
  type SampleJob,
} from './kinds.ts';
import * as texts from './texts.ts';

/** The model of the simulated provider that refuses some calls with 429, see `simulator-script.ts`. */
export const LIMITED_MODEL = 'gpt-4.1-mini';

/** The sample of the simulated run: 120 jobs, of which 4 go wrong on purpose and 4 are interactive. */
export function sampleJobs(runId: string): SampleJob[] {
  const drafts = [
    ...mixed([
      times(42, (n) => classify(pick(texts.tickets, n, 4000), 'gpt-4.1-nano')),
      times(24, (n) => extract(pick(texts.letters, n, 7000), LIMITED_MODEL)),
      times(18, (n) => summarise(pick(texts.reports, n, 1))),
      times(12, (n) => translate(n, 'gpt-4o-mini')),
      times(10, (n) => embed(texts.products[n] ?? '')),
      times(6, (n) => moderate(texts.comments[n] ?? '')),
      onPurpose,
    ]),
    ...times(4, reply),
  ];
  return finish(drafts, runId);
}

/** The sample for a provider that costs money: 6 short chats, nothing that is meant to fail. */
export function smallSample(runId: string): SampleJob[] {
  const model = 'gpt-4o-mini';
  const drafts = [
    classify(pick(texts.tickets, 0, 4000), model),
    classify(pick(texts.tickets, 1, 4000), model),
    extract(pick(texts.letters, 0, 7000), model),
    translate(0, model),
    translate(1, model),
    { ...reply(2), kind: 'reply' },
  ];
  return finish(drafts, runId, false);
}

/** The simulated provider takes the fault from the model's name. */
const onPurpose: readonly Draft[] = [
  troubled('sim-400', 'the provider rejects the request: no second attempt', {
    status: 'failed',
    errorCode: 'provider_rejected',
  }),
  troubled(
    'sim-500',
    'the provider always answers 500, and max_attempts is 2',
    { status: 'failed', errorCode: 'provider_error' },
    { max_attempts: 2 },
  ),
  troubled(
    'sim-hang',
    'the provider never answers, and expires_after is 6 s',
    { status: 'expired', errorCode: 'job_expired' },
    { expires_after: 6 },
  ),
  troubled('sim-fail-2', 'the provider answers 500 twice, then well: it recovers', {
    status: 'completed',
  }),
];

const times = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));

/** Spreads the groups evenly over one list, as a mixed night's work comes in. */
function mixed(groups: readonly (readonly Draft[])[]): Draft[] {
  return groups
    .flatMap((group) => group.map((draft, n) => ({ draft, at: (n + 0.5) / group.length })))
    .sort((left, right) => left.at - right.at)
    .map(({ draft }) => draft);
}

function finish(drafts: readonly Draft[], runId: string, named = true): SampleJob[] {
  return drafts.map(({ kind, request, expect, onPurpose }, index) => {
    const key = `demo-${String(index + 1).padStart(3, '0')}`;
    return {
      key,
      kind,
      expect: expect ?? { status: 'completed' },
      onPurpose: onPurpose ?? null,
      request: {
        priority: 'bulk',
        ...request,
        body: named ? { ...request.body, user: key } : request.body,
        metadata: { demo: runId, kind, key },
      },
    };
  });
}
