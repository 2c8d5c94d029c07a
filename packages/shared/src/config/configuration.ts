import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { describeValue } from '../errors/index.ts';
import { findPrice, publicPrices, type PriceTable } from '../usage/index.ts';
import { SettingError } from './environment.ts';

const positive = (what: string) =>
  z.number({ error: `must be ${what}` }).positive(`must be ${what}`);
const wholePositive = z
  .int('must be a whole number of at least 1')
  .min(1, 'must be a whole number of at least 1');

const limits = z.strictObject({
  requests_per_minute: positive('a number above 0').optional(),
  tokens_per_minute: positive('a number above 0').optional(),
});

const provider = z.strictObject({
  /** With the version: `https://api.openai.com/v1`. */
  base_url: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }),
  /** The name of the environment variable that holds the key; the key itself never stands in a file. */
  api_key_env: z
    .string()
    .regex(/^[A-Z_][A-Z0-9_]*$/i, 'must be the name of an environment variable')
    .optional(),
  headers: z.record(z.string(), z.string()).default({}),
  /** For each of its lanes; a provider's own headers may lower them, never raise them. */
  limits: limits.optional(),
  /**
   * The Prometheus page of an engine of one's own, read for the length of its queue; null for none. Without a setting it is
   * `/metrics` beside the `/v1` of a `base_url` without TLS, once its answers show that vLLM's web server is there.
   */
  metrics_url: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).nullish(),
});

const route = z.strictObject({
  /** A model name, or the beginning of one and `*`. */
  match: z.string().min(1, 'must be a model name or a pattern that ends in *'),
  provider: z.string(),
  /** Instead of the provider's. */
  limits: limits.optional(),
});

const price = z.strictObject({
  input: z.number().min(0),
  cached_input: z.number().min(0).optional(),
  output: z.number().min(0),
});

const configurationFile = z.strictObject({
  providers: z
    .record(
      z.string().regex(/^[a-z0-9_-]{1,64}$/i, 'must be a name of letters, digits, - or _'),
      provider,
    )
    .optional(),
  models: z.array(route).optional(),
  limits: z
    .strictObject({
      job_body_bytes: wholePositive.default(1_048_576),
      lanes: wholePositive.default(1000),
      answer_bytes: wholePositive.default(32_000_000),
      batch_requests: wholePositive.default(50_000),
      upload_bytes: wholePositive.default(200_000_000),
      batch_inline_bytes: wholePositive.default(10_000_000),
      uploads_at_once: wholePositive.default(256),
      uploads_at_once_bytes: wholePositive.default(20_000_000_000),
    })
    .prefault({}),
  retry: z
    .strictObject({
      max_attempts: wholePositive.max(100, 'must be at most 100').default(8),
      base_ms: positive('a number of milliseconds above 0').default(2000),
      cap_ms: positive('a number of milliseconds above 0').default(60_000),
      attempt_timeout_ms: positive('a number of milliseconds above 0').default(600_000),
    })
    .prefault({}),
  prices: z.record(z.string(), price).default({}),
  retention: z
    .strictObject({
      jobs_seconds: wholePositive.min(86_400, 'must be at least 86400').default(30 * 86_400),
      /** From a batch's end; its record stays for as long as one of its files, too. */
      batches_seconds: wholePositive.default(30 * 86_400),
      /** Of output and error files, unless the batch says `output_expires_after`. Null: until they are deleted. */
      batch_files_seconds: wholePositive.nullable().default(30 * 86_400),
    })
    .prefault({}),
});

export interface ProviderSettings {
  name: string;
  baseUrl: string;
  /** The credential's name, for the lane; `default` unless a variable is named. */
  credential: string;
  apiKey: string | null;
  headers: Readonly<Record<string, string>>;
  limits: LimitSettings;
  /** Where an engine tells the length of its queue; null for nowhere. */
  metrics: { url: string; isConfigured: boolean } | null;
}

/** Per minute; what is not set is not limited by us. */
export interface LimitSettings {
  requests?: number;
  tokens?: number;
}

export interface Configuration {
  providers: ReadonlyMap<string, ProviderSettings>;
  /** In order; the first that matches a model serves it. */
  routes: readonly { match: string; provider: string; limits?: LimitSettings }[];
  limits: {
    jobBodyBytes: number;
    lanes: number;
    answerBytes: number;
    batchRequests: number;
    uploadBytes: number;
    /** Of a batch that comes with its requests in place of a file. */
    batchInlineBytes: number;
    /** Of a tenant, on their way to one API process; and begun in parts and not completed. */
    uploadsAtOnce: number;
    uploadsAtOnceBytes: number;
  };
  retry: RetryPolicy;
  prices: PriceTable;
  retention: { jobsMs: number; batchesMs: number; batchFilesMs: number | null };
}

export interface RetryPolicy {
  maxAttempts: number;
  baseMs: number;
  capMs: number;
  attemptTimeoutMs: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The configuration of a process: the file that NIGHTSHIFT_CONFIG names, or the defaults. Without providers in it
 * every model goes to OPENAI_BASE_URL with OPENAI_API_KEY.
 * @throws SettingError that names the file and the field.
 */
export function loadConfiguration(environment: Environment): Configuration {
  const path = environment['NIGHTSHIFT_CONFIG'];
  return path === undefined || path === ''
    ? readConfiguration({}, 'NIGHTSHIFT_CONFIG', environment)
    : readConfiguration(readJsonFile(path), `NIGHTSHIFT_CONFIG ${path}`, environment);
}

export function readConfiguration(
  content: unknown,
  source: string,
  environment: Environment,
): Configuration {
  const parsed = configurationFile.safeParse(content);
  if (!parsed.success) {
    throw new SettingError(`${source}: ${describeIssue(parsed.error.issues[0], content)}`);
  }
  const file = parsed.data;
  const providers = new Map<string, ProviderSettings>();
  for (const [name, settings] of Object.entries(file.providers ?? {})) {
    const variable = settings.api_key_env;
    providers.set(name, {
      name,
      baseUrl: settings.base_url.replace(/\/+$/, ''),
      credential: variable ?? 'default',
      apiKey: variable === undefined ? null : environment[variable] || null,
      headers: settings.headers,
      limits: limitsOf(settings.limits),
      metrics: metricsOf(settings.metrics_url, settings.base_url),
    });
  }
  if (providers.size === 0) {
    // Empty counts as not set, as in a Compose file.
    const baseUrl = environment['OPENAI_BASE_URL'] || 'https://api.openai.com/v1';
    providers.set('default', {
      name: 'default',
      baseUrl: baseUrl.replace(/\/+$/, ''),
      credential: 'default',
      apiKey: environment['OPENAI_API_KEY'] || null,
      headers: {},
      limits: {},
      metrics: ownMetrics(baseUrl),
    });
  }
  const [onlyProvider] = providers.keys();
  const routes =
    file.models?.map(({ match, provider: name, limits: own }) => ({
      match,
      provider: name,
      ...(own !== undefined && { limits: limitsOf(own) }),
    })) ??
    (providers.size === 1 && onlyProvider !== undefined
      ? [{ match: '*', provider: onlyProvider }]
      : []);
  if (routes.length === 0) {
    throw new SettingError(
      `${source}: models: must route models to the providers when there are several, got nothing`,
    );
  }
  for (const [index, { provider: name }] of routes.entries()) {
    if (!providers.has(name)) {
      throw new SettingError(
        `${source}: models.${index}.provider: must be one of ${[...providers.keys()].join(', ')}, got ${describeValue(name)}`,
      );
    }
  }
  const ownPrices: PriceTable = Object.fromEntries(
    Object.entries(file.prices).map(([model, own]) => [
      model,
      { input: own.input, cachedInput: own.cached_input, output: own.output },
    ]),
  );
  return {
    providers,
    routes,
    limits: {
      jobBodyBytes: file.limits.job_body_bytes,
      lanes: file.limits.lanes,
      answerBytes: file.limits.answer_bytes,
      batchRequests: file.limits.batch_requests,
      uploadBytes: file.limits.upload_bytes,
      batchInlineBytes: file.limits.batch_inline_bytes,
      uploadsAtOnce: file.limits.uploads_at_once,
      uploadsAtOnceBytes: file.limits.uploads_at_once_bytes,
    },
    retry: {
      maxAttempts: file.retry.max_attempts,
      baseMs: file.retry.base_ms,
      capMs: file.retry.cap_ms,
      attemptTimeoutMs: file.retry.attempt_timeout_ms,
    },
    prices: mergePrices(ownPrices),
    retention: {
      jobsMs: file.retention.jobs_seconds * 1000,
      batchesMs: file.retention.batches_seconds * 1000,
      batchFilesMs:
        file.retention.batch_files_seconds === null
          ? null
          : file.retention.batch_files_seconds * 1000,
    },
  };
}

/** An operator's pattern speaks for every model that it matches, also for those that the public list names. */
function mergePrices(own: PriceTable): PriceTable {
  const unpriced = Object.entries(publicPrices).filter(
    ([model]) => findPrice(own, model) === undefined,
  );
  return { ...Object.fromEntries(unpriced), ...own };
}

/** The first thing wrong, in one line. Keys do get written into files; what could be one is not repeated. */
function describeIssue(issue: z.core.$ZodIssue | undefined, content: unknown): string {
  if (issue === undefined) return 'content: is not valid';
  const field = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return `${[...issue.path, issue.keys[0]].join('.')}: is not a setting; check its spelling and place`;
  }
  const message = issue.code === 'invalid_key' ? issue.issues[0]?.message : issue.message;
  const value =
    issue.code === 'invalid_key'
      ? issue.path.at(-1)
      : issue.path.reduce<unknown>(
          (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
          content,
        );
  return `${field === '' ? 'content' : field}: ${message ?? 'is not valid'}, got ${describeSetting(issue.path, value)}`;
}

function describeSetting(path: readonly PropertyKey[], value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? 'an array' : 'an object';
  }
  const mayBeSecret = path.includes('headers') || path.at(-1) === 'api_key_env';
  return mayBeSecret && value !== undefined ? '(hidden)' : describeValue(value);
}

function limitsOf(given: z.output<typeof limits> | undefined): LimitSettings {
  return {
    ...(given?.requests_per_minute !== undefined && { requests: given.requests_per_minute }),
    ...(given?.tokens_per_minute !== undefined && { tokens: given.tokens_per_minute }),
  };
}

function metricsOf(
  configured: string | null | undefined,
  baseUrl: string,
): ProviderSettings['metrics'] {
  if (configured === undefined) return ownMetrics(baseUrl);
  return configured === null ? null : { url: configured, isConfigured: true };
}

/** A service out in the world has TLS and no such page. */
function ownMetrics(baseUrl: string): ProviderSettings['metrics'] {
  if (!URL.canParse(baseUrl)) return null;
  const url = new URL(baseUrl);
  if (url.protocol !== 'http:') return null;
  url.pathname = `${url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '')}/metrics`;
  url.search = '';
  return { url: url.href, isConfigured: false };
}

/** What the configuration allows a lane: its route's limits, or its provider's. */
export function configuredLimits(
  configuration: Configuration,
  providerName: string,
  model: string,
): LimitSettings {
  const route = findRoute(configuration, model);
  if (route?.provider === providerName && route.limits !== undefined) return route.limits;
  return configuration.providers.get(providerName)?.limits ?? {};
}

function findRoute(configuration: Configuration, model: string) {
  return configuration.routes.find(({ match }) =>
    match.endsWith('*') ? model.startsWith(match.slice(0, -1)) : model === match,
  );
}

/** The provider that serves a model: the first route that matches, or undefined. */
export function routeModel(
  configuration: Configuration,
  model: string,
): ProviderSettings | undefined {
  const found = findRoute(configuration, model);
  return found === undefined ? undefined : configuration.providers.get(found.provider);
}

function readJsonFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SettingError(
      `NIGHTSHIFT_CONFIG: must name a readable file, got ${describeValue(path)} (${(error as NodeJS.ErrnoException).code ?? 'error'})`,
    );
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    // V8 quotes the text around the fault, which may hold a secret; the position says enough.
    const fault = (error as Error).message.replace(/, (?:\.{3})?".*is not valid JSON$/s, '');
    throw new SettingError(`NIGHTSHIFT_CONFIG ${path}: must be JSON (${fault})`);
  }
}
