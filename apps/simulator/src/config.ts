import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { describeIssue } from './issue.ts';
import { latencySchema } from './latency.ts';
import { settingsPatchSchema, type SettingsPatch } from './settings.ts';

/** A wrong variable, flag or script; the message is one line that names it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export interface SimulatorConfig {
  host: string;
  port: number;
  seed: number;
  ledgerSize: number;
  apiKeys: string[];
  settings: SettingsPatch;
}

const number = z.coerce.number<string>('must be a number');
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

const whole = (least: number, most: number) =>
  number.refine((value) => Number.isInteger(value) && value >= least && value <= most, {
    message: `must be a whole number from ${least} to ${most}`,
  });
const positive = number.refine((value) => value > 0, { message: 'must be a number above 0' });

/** Every variable; the flag of `SIMULATOR_A_B` is `--a-b`, of `PORT` it is `--port`. */
const variables = z.object({
  HOST: z.string().min(1, 'must be a host name or address').default('127.0.0.1'),
  PORT: whole(0, 65_535).default(4000),
  SIMULATOR_SEED: whole(0, 4_294_967_295).default(1),
  SIMULATOR_SCRIPT: z.string().optional(),
  SIMULATOR_API_KEYS: list.default([]),
  SIMULATOR_LEDGER_SIZE: whole(1, 10_000_000).default(200_000),
  SIMULATOR_MODELS: list.optional(),
  SIMULATOR_LATENCY: latencySchema.optional(),
  SIMULATOR_FIRST_TOKEN: latencySchema.optional(),
  SIMULATOR_MS_PER_TOKEN: number.optional(),
  SIMULATOR_OUTPUT_TOKENS: whole(1, 1_000_000).optional(),
  SIMULATOR_REQUESTS_PER_MINUTE: positive.optional(),
  SIMULATOR_TOKENS_PER_MINUTE: positive.optional(),
  SIMULATOR_WINDOW_MS: whole(100, 86_400_000).optional(),
  SIMULATOR_SLOTS: whole(1, 1_000_000).optional(),
  SIMULATOR_QUEUE_LIMIT: whole(0, 1_000_000).optional(),
  SIMULATOR_HEADERS: z
    .enum(['openai', 'azure', 'retry_after', 'none'], {
      error: 'must be openai, azure, retry_after or none',
    })
    .optional(),
});

export const variableNames: readonly string[] = Object.keys(variables.shape);

export function flagOf(variable: string): string {
  return variable
    .replace(/^SIMULATOR_/, '')
    .toLowerCase()
    .replaceAll('_', '-');
}

/**
 * The configuration of the process: flags over variables over the script file over defaults.
 * Throws a `ConfigError`.
 */
export function parseConfig(
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): SimulatorConfig {
  const { values, sources } = gather(env, argv);
  const parsed = variables.safeParse(values);
  if (!parsed.success) {
    const name = String(parsed.error.issues[0]?.path[0]);
    const problem = describeIssue(parsed.error).replace(/^[^:]*: /, '');
    throw new ConfigError(`${sources.get(name) ?? name}: ${problem}, got "${values[name] ?? ''}"`);
  }
  const given = parsed.data;
  return {
    host: given.HOST,
    port: given.PORT,
    seed: given.SIMULATOR_SEED,
    ledgerSize: given.SIMULATOR_LEDGER_SIZE,
    apiKeys: given.SIMULATOR_API_KEYS,
    settings: withVariables(readScript(given.SIMULATOR_SCRIPT, sources), given),
  };
}

/** The value of each variable, and the name under which the user gave it. */
function gather(
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): { values: Record<string, string>; sources: Map<string, string> } {
  const flags = readFlags(argv);
  const values: Record<string, string> = {};
  const sources = new Map<string, string>();
  for (const name of variableNames) {
    const flag = flags[flagOf(name)];
    const value = flag ?? env[name];
    // An empty variable is how a shell or a Compose file says "not set".
    if (value === undefined || (value === '' && flag === undefined)) continue;
    values[name] = value;
    sources.set(name, flag === undefined ? name : `--${flagOf(name)}`);
  }
  return { values, sources };
}

function readFlags(argv: readonly string[]): Record<string, string | undefined> {
  const options = Object.fromEntries(
    variableNames.map((name) => [flagOf(name), { type: 'string' as const }]),
  );
  try {
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** A script is what the control API takes, or only its list of rules. */
function readScript(path: string | undefined, sources: Map<string, string>): SettingsPatch {
  if (path === undefined) return {};
  const source = sources.get('SIMULATOR_SCRIPT') ?? 'SIMULATOR_SCRIPT';
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`${source}: cannot read ${path} as JSON: ${reason}`, { cause: error });
  }
  const script = settingsPatchSchema.safeParse(
    Array.isArray(content) ? { rules: content } : content,
  );
  if (script.success) return script.data;
  throw new ConfigError(`${source}: ${path}: ${describeIssue(script.error)}`);
}

function withVariables(script: SettingsPatch, given: z.infer<typeof variables>): SettingsPatch {
  const settings: SettingsPatch = { ...script };
  if (given.SIMULATOR_MODELS) settings.models = given.SIMULATOR_MODELS;
  if (given.SIMULATOR_LATENCY) settings.latency = given.SIMULATOR_LATENCY;
  if (given.SIMULATOR_FIRST_TOKEN) settings.first_token = given.SIMULATOR_FIRST_TOKEN;
  if (given.SIMULATOR_MS_PER_TOKEN !== undefined) {
    settings.ms_per_token = given.SIMULATOR_MS_PER_TOKEN;
  }
  if (given.SIMULATOR_OUTPUT_TOKENS) settings.output_tokens = given.SIMULATOR_OUTPUT_TOKENS;
  if (given.SIMULATOR_HEADERS) settings.headers = given.SIMULATOR_HEADERS;
  if (given.SIMULATOR_WINDOW_MS) {
    settings.request_window_ms = given.SIMULATOR_WINDOW_MS;
    settings.token_window_ms = given.SIMULATOR_WINDOW_MS;
  }
  const everyModel = {
    requests_per_minute: given.SIMULATOR_REQUESTS_PER_MINUTE,
    tokens_per_minute: given.SIMULATOR_TOKENS_PER_MINUTE,
    slots: given.SIMULATOR_SLOTS,
    queue_limit: given.SIMULATOR_QUEUE_LIMIT,
  };
  const limits = Object.entries(everyModel).filter(([, value]) => value !== undefined);
  if (limits.length > 0) {
    settings.limits = {
      ...settings.limits,
      '*': { ...settings.limits?.['*'], ...Object.fromEntries(limits) },
    };
  }
  return settings;
}
