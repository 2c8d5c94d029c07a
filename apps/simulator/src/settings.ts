import { z } from 'zod';
import { faultsSchema, modelMatches, ruleSchema } from './faults/rules.ts';
import { latencySchema } from './latency.ts';
import { answerSchema } from './scripted-answers.ts';

const perMinute = z.number().positive().max(1e12).nullable();

const limitsSchema = z.strictObject({
  /** Null lifts a limit that a wider pattern sets; left out, the wider pattern's holds. */
  requests_per_minute: perMinute.optional(),
  tokens_per_minute: perMinute.optional(),
  /** Calls that one model's engine runs at once; the others queue. */
  slots: z.int().min(1).nullable().optional(),
  /** Calls that may queue before the engine answers 503. */
  queue_limit: z.int().min(0).nullable().optional(),
});

/** By model name, or a prefix with `*` at its end; `*` alone is every model. */
const limitsByModel = z.record(z.string(), limitsSchema.nullable());

const windowMs = z.number().min(100).max(86_400_000);

const shape = {
  models: z.array(z.string().min(1)).max(10_000),
  limits: limitsByModel,
  /** By API key, then by model: on top of `limits`. */
  key_limits: z.record(z.string(), limitsByModel),
  /** How deep the buckets are, in time. */
  request_window_ms: windowMs,
  token_window_ms: windowMs,
  headers: z.enum(['openai', 'azure', 'retry_after', 'none']),
  /** What a refused call costs: nothing, its request, or its request and its tokens. */
  refused_calls: z.enum(['free', 'request', 'all']),
  /** Whether tokens that were charged and not used are given back after the answer. */
  refund: z.boolean(),
  /** How full a bucket is when it is first used: 0 to 1, "empty" or "full". */
  start_level: z.union([
    z.number().min(0).max(1),
    z.enum(['full', 'empty']).transform((word) => (word === 'full' ? 1 : 0)),
  ]),
  outside_share: z.number().min(0).max(1),
  /** Bytes of a body that make one token: what a caller's estimate may get wrong. */
  bytes_per_token: z.number().min(0.1).max(100),
  /** Tokens that a call without max_tokens is charged for its answer. */
  estimate_tokens: z.int().min(0).max(1_000_000),
  /** How long the answers are. */
  output_tokens: z.int().min(1).max(1_000_000),
  embedding_dimensions: z.int().min(1).max(4096),
  latency: latencySchema,
  /** Time to the first token of a stream; null: a tenth of the latency. */
  first_token: latencySchema.nullable(),
  /** Null: the rest of the latency, spread evenly over the tokens. */
  ms_per_token: z.number().min(0).max(60_000).nullable(),
  rules: z.array(ruleSchema).max(1000),
  answers: z.array(answerSchema).max(1000),
} as const;

const settingsSchema = z.strictObject(shape);

export type Settings = z.infer<typeof settingsSchema>;
export type HeaderStyle = Settings['headers'];
export type PacingSettings = Pick<
  Settings,
  | 'request_window_ms'
  | 'token_window_ms'
  | 'refused_calls'
  | 'refund'
  | 'start_level'
  | 'outside_share'
>;

const outageSchema = z.strictObject({
  for_ms: z.number().min(0).max(86_400_000),
  /** What every call meets, or "refuse": nobody listens on the port. */
  fault: z
    .union([z.literal('refuse'), faultsSchema])
    .default([{ fault: { kind: 'status', status: 503 }, times: null, probability: 1 }]),
});

export type Outage = z.infer<typeof outageSchema>;

/** What `POST /_simulator/config` takes: any part of the settings, and an outage from now on. */
export const settingsPatchSchema = settingsSchema
  .partial()
  .extend({ outage: outageSchema.nullable().optional() });

export type SettingsPatch = z.infer<typeof settingsPatchSchema>;
/** The same as it is written in JSON, before durations and faults are parsed. */
export type SettingsInput = z.input<typeof settingsPatchSchema>;

export const defaultSettings: Settings = {
  models: ['sim-ok', 'sim-flaky-30', 'sim-429-once', 'gpt-4o-mini', 'text-embedding-3-small'],
  limits: {},
  key_limits: {},
  request_window_ms: 60_000,
  token_window_ms: 60_000,
  headers: 'openai',
  refused_calls: 'free',
  refund: false,
  start_level: 1,
  outside_share: 0,
  bytes_per_token: 4,
  estimate_tokens: 16,
  output_tokens: 24,
  embedding_dimensions: 16,
  latency: { kind: 'fixed', ms: 0 },
  first_token: null,
  ms_per_token: null,
  rules: [],
  answers: [],
};

/** The limits of one model after every pattern that matches it has had its say. */
export interface Limits {
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  slots: number | null;
  queue_limit: number | null;
}

type LimitsByModel = Settings['limits'];

/** New settings; limits are merged model by model (null removes one), all else is replaced. */
export function mergeSettings(settings: Settings, patch: SettingsPatch): Settings {
  const { outage: _outage, limits, key_limits: keyLimits, ...rest } = patch;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const merged: Settings = { ...settings, ...given };
  if (limits) merged.limits = mergeLimits(settings.limits, limits);
  if (keyLimits) {
    merged.key_limits = { ...settings.key_limits };
    for (const [key, byModel] of Object.entries(keyLimits)) {
      merged.key_limits[key] = mergeLimits(settings.key_limits[key] ?? {}, byModel);
    }
  }
  return merged;
}

function mergeLimits(old: LimitsByModel, patch: LimitsByModel): LimitsByModel {
  const merged: LimitsByModel = { ...old };
  for (const [model, limits] of Object.entries(patch)) {
    if (limits === null) delete merged[model];
    else merged[model] = { ...merged[model], ...limits };
  }
  return merged;
}

/** The wider pattern first, the exact name last, and the key's own limits over all of them. */
export function limitsFor(settings: Settings, key: string | null, model: string): Limits | null {
  const byKey = key === null ? undefined : settings.key_limits[key];
  const layers = [...matching(settings.limits, model), ...matching(byKey ?? {}, model)];
  if (layers.length === 0) return null;
  const limits: Limits = {
    requests_per_minute: null,
    tokens_per_minute: null,
    slots: null,
    queue_limit: null,
  };
  for (const layer of layers) {
    for (const field of Object.keys(limits) as Array<keyof Limits>) {
      const value = layer?.[field];
      if (value !== undefined) limits[field] = value;
    }
  }
  return limits;
}

function matching(byModel: LimitsByModel, model: string): Array<LimitsByModel[string]> {
  return Object.entries(byModel)
    .filter(([pattern]) => modelMatches(pattern, model))
    .sort(([left], [right]) => left.length - right.length)
    .map(([, limits]) => limits);
}
