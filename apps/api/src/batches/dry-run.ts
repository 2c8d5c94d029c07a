import {
  quietMinutes,
  validateInput,
  type BatchInputError,
  type NewBatch,
} from '@nightshift/shared/batch';
import { batchInputRules, routeModel } from '@nightshift/shared/config';
import type { BatchDryRun } from '@nightshift/shared/http';
import { laneOf, limitsOf } from '@nightshift/shared/lane';
import { costUsd, findPrice } from '@nightshift/shared/usage';
import type { BatchContext } from './batch-context.ts';
import { createInputEstimate, type ModelEstimate } from './estimate-input.ts';

const MOST_ERRORS = 1000;
const DAY_MINUTES = 24 * 60;

/** What a batch would lead to. Nothing is stored. */
export async function dryRun(
  context: BatchContext,
  batch: Omit<NewBatch, 'inputFileId'>,
  source: AsyncIterable<Uint8Array>,
): Promise<BatchDryRun> {
  const errors: BatchInputError[] = [];
  const estimate = createInputEstimate();
  let valid = 0;
  let wrongLines = 0;
  let wrong = 0;
  for await (const line of validateInput(
    source,
    batchInputRules(context.configuration, batch.endpoint),
  )) {
    if (line.kind === 'request') {
      valid += 1;
      estimate.add(line);
      continue;
    }
    wrong += 1;
    if (line.line !== null) wrongLines += 1;
    const { code, message, param } = line;
    if (errors.length < MOST_ERRORS) errors.push({ code, message, param, line: line.line });
  }
  const nowMs = context.clock.now();
  const models = await Promise.all(
    [...estimate.models()].map(async ([model, of]) => modelView(context, model, of)),
  );
  const finishMs = finishOf(batch, models, nowMs);
  const expiresMs = nowMs + batch.windowMs;
  return {
    object: 'batch.dry_run',
    endpoint: batch.endpoint,
    completion_window: batch.completionWindow,
    valid: wrong === 0,
    request_counts: { total: valid + wrongLines, valid, invalid: wrongLines },
    errors: wrong === 0 ? null : { object: 'list', data: errors, count: wrong },
    estimate: {
      input_tokens: sum(models, ({ input_tokens: tokens }) => tokens),
      output_tokens: sum(models, ({ output_tokens: tokens }) => tokens),
      cost_usd: costOf(models),
      sampled: estimate.isSampled(),
      finishes_at: finishMs === null ? null : Math.ceil(finishMs / 1000),
      expires_at: Math.floor(expiresMs / 1000),
      in_time: finishMs === null ? null : finishMs <= expiresMs,
      models,
    },
  };
}

type ModelView = BatchDryRun['estimate']['models'][number];

async function modelView(
  { configuration, laneStates }: BatchContext,
  model: string,
  { requests, inputTokens, outputTokens }: ModelEstimate,
): Promise<ModelView> {
  const usage = {
    inputTokens,
    cachedInputTokens: 0,
    outputTokens,
    reasoningTokens: 0,
    totalTokens: inputTokens + outputTokens,
  };
  const provider = routeModel(configuration, model);
  const lane = provider && laneOf(provider.name, model, provider.credential);
  const limits = limitsOf(lane === undefined ? null : (await laneStates.get(lane.id)).budget);
  const { requestsPerMinute, tokensPerMinute } = limits;
  const minutes = [
    ...(requestsPerMinute === null ? [] : [requests / requestsPerMinute]),
    ...(tokensPerMinute === null ? [] : [usage.totalTokens / tokensPerMinute]),
  ];
  return {
    model,
    requests,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    cost_usd: costUsd(findPrice(configuration.prices, model), usage),
    minutes: minutes.length === 0 ? null : Math.max(...minutes),
  };
}

/** Lanes work side by side, so the slowest one counts. Nobody knows where one has no known limit. */
function finishOf(
  { runAtMs, quietHours }: Omit<NewBatch, 'inputFileId'>,
  models: readonly ModelView[],
  nowMs: number,
): number | null {
  let longest = 0;
  for (const { minutes } of models) {
    if (minutes === null) return null;
    longest = Math.max(longest, minutes);
  }
  if (models.length === 0) return null;
  const stretched =
    quietHours === null ? longest : (longest * DAY_MINUTES) / quietMinutes(quietHours);
  return Math.max(nowMs, runAtMs ?? 0) + stretched * 60_000;
}

function costOf(models: readonly ModelView[]): number | null {
  if (models.some(({ cost_usd: cost }) => cost === null)) return null;
  return Number(sum(models, ({ cost_usd: cost }) => cost ?? 0).toFixed(12));
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
