import { z } from 'zod';
import { describeValue } from '../errors/index.ts';
import { logLevels } from '../telemetry/index.ts';

/** A wrong setting. Its message is one line that names the setting, what was given and what is allowed. */
export class SettingError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SettingError';
  }
}

const secretNames = /KEY(?!_PREFIX)|SECRET|TOKEN|PASSWORD|REDIS_URL/;

/**
 * Reads a process's settings from its environment, once, at start. An empty variable counts as not set, as in a
 * Compose file.
 * @throws SettingError for the first wrong variable; the value of one that may hold a secret is not repeated.
 */
export function parseEnvironment<Schema extends z.ZodType>(
  schema: Schema,
  environment: Readonly<Record<string, string | undefined>>,
): z.infer<Schema> {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const name = String(issue?.path[0] ?? 'environment');
  const value =
    secretNames.test(name) && given[name] !== undefined ? '(hidden)' : describeValue(given[name]);
  throw new SettingError(`${name}: ${issue?.message ?? 'is not valid'}, got ${value}`);
}

/** A whole number written in decimal digits. */
export function wholeNumber(lowest: number, highest: number): z.ZodType<number, string> {
  const message = `must be a whole number from ${lowest} to ${highest}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, message)
    .transform(Number)
    .refine((number) => number >= lowest && number <= highest, message);
}

const redisUrl = z
  .string()
  .regex(
    /^(rediss?|redis\+sentinel|rediss\+sentinel|redis\+cluster|rediss\+cluster):\/\/\S+$/,
    'must be redis://HOST:PORT, rediss://…, redis+sentinel://HOST:PORT,…/MASTER or redis+cluster://HOST:PORT,…',
  );

/** What every process of Nightshift reads. */
export const commonEnvironment = z.object({
  REDIS_URL: redisUrl.default('redis://127.0.0.1:6379'),
  LOG_LEVEL: z.enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` }).default('info'),
  NIGHTSHIFT_CONFIG: z.string().optional(),
  NIGHTSHIFT_KEY_PREFIX: z
    .string()
    .regex(/^[a-z0-9_-]{1,32}$/i, 'must be 1 to 32 letters, digits, - or _')
    .default('nightshift'),
  DURABILITY: z
    .enum(['strict', 'relaxed'], { error: 'must be strict or relaxed' })
    .default('strict'),
  OPENAI_API_KEY: z.string().optional(),
  OPENAI_BASE_URL: z
    .url({
      protocol: /^https?$/,
      error: 'must be an http or https URL such as https://api.openai.com/v1',
    })
    .optional(),
});
