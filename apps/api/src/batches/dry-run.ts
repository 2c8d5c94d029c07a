import {
  quietMinutes,
  validateInput,
  type BatchInputError,
  type NewBatch,
} from '@nightshift/shared/batch';
import { batchInputRules, routeModel } from '@nightshift/shared/config';
import type { BatchDryRun } from '@nightshift/shared/http';
import {
  laneOf,
  laneStanding,
  limitsOf,
  type LaneHistory,
  type LaneStanding,
} from '@nightshift/shared/lane';
import { costUsd, findPrice } from '@nightshift/shared/usage';
import type { BatchContext } from './batch-context.ts';
import { createDuplicateCount } from './duplicates.ts';
import { createInputEstimate, type ModelInput } from './estimate-input.ts';
import { estimateOutput, joinBases, type OutputEstimate } from './estimate-output.ts';
import { estimatePace, joinPaces, type Pace } from './estimate-pace.ts';
import { warnOfModels } from './unknown-models.ts';
import { spanText } from './words.ts';

const MOST_ERRORS = 1000;
const DAY_MINUTES = 24 * 60;

type Given = Omit<NewBatch, 'inputFileId'>;
type Estimate = BatchDryRun['estimate'];

/** What a batch would lead to. Nothing is stored. */
export async function dryRun(
  context: BatchContext,
  batch: Given,
  source: AsyncIterable<Uint8Array>,
): Promise<BatchDryRun> {
  const read = await readInput(context, batch, source);
  const { input, errors } = read;
  const nowMs = context.clock.now();
  const models = await Promise.all(
    [...input.models()].map(async ([model, of]) => estimateModel(context, batch, model, of)),
  );
  const warnings = [...warnOfRunAt(batch, nowMs), ...(await warnOfModels(context, models))];
  const pace = joinPaces(models.map((model) => model.pace));
  const finishMs = finishOf(batch, pace, nowMs);
  const expiresMs = nowMs + batch.windowMs;
  return {
    object: 'batch.dry_run',
    endpoint: batch.endpoint,
    completion_window: batch.completionWindow,
    valid: read.wrong === 0,
    request_counts: {
      total: read.valid + read.wrongLines,
      ...{ valid: read.valid, invalid: read.wrongLines, duplicates: read.duplicates },
    },
    errors: read.wrong === 0 ? null : { object: 'list', data: errors, count: read.wrong },
    warnings,
    estimate: {
      ...totalsOf(models),
      sampled: input.isSampled(),
      finishes_at: finishMs === null ? null : Math.ceil(finishMs / 1000),
      finish_basis: pace.basis,
      expires_at: Math.floor(expiresMs / 1000),
      in_time: finishMs === null ? null : finishMs <= expiresMs,
      models: models.map(modelView),
    },
  };
}

async function readInput(context: BatchContext, batch: Given, source: AsyncIterable<Uint8Array>) {
  const errors: BatchInputError[] = [];
  const input = createInputEstimate();
  const duplicates = createDuplicateCount();
  let valid = 0;
  let wrongLines = 0;
  let wrong = 0;
  const rules = batchInputRules(context.configuration, batch.endpoint);
  for await (const line of validateInput(source, rules)) {
    if (line.kind === 'request') {
      valid += 1;
      input.add(line);
      duplicates.add(line.body);
      continue;
    }
    wrong += 1;
    if (line.line !== null) wrongLines += 1;
    const { code, message, param } = line;
    if (errors.length < MOST_ERRORS) errors.push({ code, message, param, line: line.line });
  }
  return { input, errors, valid, wrong, wrongLines, duplicates: duplicates.count };
}

interface ModelEstimate {
  model: string;
  requests: number;
  inputTokens: number;
  output: OutputEstimate;
  pace: Pace;
  isAnswered: boolean;
  costs: { bounded: number | null; likely: number | null; atMost: number | null };
}

async function estimateModel(
  { configuration, laneStates, lanes }: BatchContext,
  batch: Given,
  model: string,
  { requests, inputTokens, outputs }: ModelInput,
): Promise<ModelEstimate> {
  const provider = routeModel(configuration, model);
  const lane = provider && laneOf(provider.name, model, provider.credential);
  const [known, history]: [Awaited<ReturnType<typeof laneStates.get>> | null, LaneHistory] =
    lane === undefined
      ? [null, { lengths: new Map(), reached: null }]
      : await Promise.all([laneStates.get(lane.id), lanes.history(lane.id)]);
  const output = estimateOutput(outputs, history.lengths.get(batch.endpoint) ?? null);
  const standing: LaneStanding = known === null ? { state: 'open' } : laneStanding(known.state);
  const price = findPrice(configuration.prices, model);
  const cost = (outputTokens: number | null): number | null =>
    outputTokens === null ? null : costUsd(price, usageOf(inputTokens, outputTokens));
  return {
    ...{ model, requests, inputTokens, output },
    isAnswered: history.lengths.size > 0,
    costs: {
      bounded: cost(output.bounded),
      likely: cost(output.likely),
      atMost: cost(output.atMost),
    },
    pace: estimatePace({
      ...{ model, requests, standing, reached: history.reached },
      provider: provider?.name ?? 'no provider',
      tokens: inputTokens + output.likely,
      limits: limitsOf(known?.budget ?? null),
      nowMs: known?.state.nowMs ?? 0,
    }),
  };
}

function usageOf(inputTokens: number, outputTokens: number) {
  return {
    ...{ inputTokens, outputTokens, cachedInputTokens: 0, reasoningTokens: 0 },
    totalTokens: inputTokens + outputTokens,
  };
}

function modelView({ model, requests, inputTokens, output, pace, costs }: ModelEstimate) {
  return {
    ...{ model, requests, input_tokens: inputTokens },
    output_tokens: output.bounded,
    cost_usd: costs.bounded,
    minutes: pace.minutes,
    likely: { output_tokens: output.likely, cost_usd: costs.likely },
    at_most: { output_tokens: output.atMost, cost_usd: costs.atMost },
    unlimited_requests: output.unlimitedRequests,
    output_basis: output.basis,
    finish_basis: pace.basis,
  };
}

function totalsOf(models: readonly ModelEstimate[]) {
  const priced = models.filter(({ costs }) => costs.likely !== null);
  const total = (of: (model: ModelEstimate) => number | null): number | null =>
    models.some((model) => of(model) === null) ? null : sum(models, (model) => of(model) ?? 0);
  const dollars = (of: (model: ModelEstimate) => number | null): number | null => {
    const usd = total(of);
    return usd === null ? null : Number(usd.toFixed(12));
  };
  return {
    input_tokens: sum(models, ({ inputTokens }) => inputTokens),
    output_tokens: sum(models, ({ output }) => output.bounded),
    cost_usd: dollars(({ costs }) => costs.bounded),
    likely: {
      output_tokens: sum(models, ({ output }) => output.likely),
      cost_usd: dollars(({ costs }) => costs.likely),
    },
    at_most: {
      output_tokens: total(({ output }) => output.atMost),
      cost_usd: dollars(({ costs }) => costs.atMost),
    },
    known: {
      requests: sum(priced, ({ requests }) => requests),
      cost_usd: Number(sum(priced, ({ costs }) => costs.likely ?? 0).toFixed(12)),
    },
    unlimited_requests: sum(models, ({ output }) => output.unlimitedRequests),
    output_basis: joinBases(models.map(({ output }) => output)),
  } satisfies Partial<Estimate>;
}

function finishOf({ runAtMs, quietHours }: Given, { minutes }: Pace, nowMs: number): number | null {
  if (minutes === null) return null;
  const stretched =
    quietHours === null ? minutes : (minutes * DAY_MINUTES) / quietMinutes(quietHours);
  return Math.max(nowMs, runAtMs ?? 0) + stretched * 60_000;
}

/** A smaller difference may be the duration of the call, or clock skew. */
const PAST_AFTER_MS = 60_000;

function warnOfRunAt({ runAtMs }: Given, nowMs: number): BatchDryRun['warnings'] {
  if (runAtMs === null || nowMs - runAtMs < PAST_AFTER_MS) return [];
  const message = `run_at was ${spanText(nowMs - runAtMs)} ago: the batch starts now`;
  return [{ code: 'run_at_past', message, model: null, suggestion: null }];
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
