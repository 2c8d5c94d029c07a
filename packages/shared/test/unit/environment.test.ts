import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  commonEnvironment,
  parseEnvironment,
  SettingError,
  wholeNumber,
} from '../../src/config/index.ts';

const messageOf = (environment: Record<string, string>): string => {
  try {
    parseEnvironment(commonEnvironment, environment);
  } catch (error) {
    expect(error).toBeInstanceOf(SettingError);
    return (error as Error).message;
  }
  throw new Error('was accepted');
};

test('the defaults', () => {
  expect(parseEnvironment(commonEnvironment, {})).toEqual({
    REDIS_URL: 'redis://127.0.0.1:6379',
    LOG_LEVEL: 'info',
    NIGHTSHIFT_KEY_PREFIX: 'nightshift',
    DURABILITY: 'strict',
  });
});

test('an empty variable counts as not set', () => {
  const empty = { REDIS_URL: '', LOG_LEVEL: '', OPENAI_API_KEY: '', OPENAI_BASE_URL: '' };
  expect(parseEnvironment(commonEnvironment, empty)).toEqual(
    parseEnvironment(commonEnvironment, {}),
  );
});

describe('one line names the variable, what is allowed and what was given', () => {
  test.each([
    ['LOG_LEVEL', 'loud', 'must be one of trace, debug', '"loud"'],
    ['DURABILITY', 'perhaps', 'must be strict or relaxed', '"perhaps"'],
    ['NIGHTSHIFT_KEY_PREFIX', 'a:b', 'must be 1 to 32 letters', '"a:b"'],
    ['OPENAI_BASE_URL', 'api.openai.com', 'must be an http or https URL', '"api.openai.com"'],
  ])('%s', (name, given, allowed, shown) => {
    const message = messageOf({ [name]: given });
    expect(message.startsWith(`${name}: `)).toBe(true);
    expect(message).toContain(allowed);
    expect(message.endsWith(`, got ${shown}`)).toBe(true);
    expect(message).not.toContain('\n');
  });

  test('a value of several lines stays on one', () => {
    expect(messageOf({ LOG_LEVEL: 'a\nb' })).not.toContain('\n');
  });
});

test('the value of a variable that may hold a secret is not repeated', () => {
  const message = messageOf({ REDIS_URL: 'http://:hunter2@redis' });
  expect(message).toMatch(/^REDIS_URL: must be redis:\/\/.*, got \(hidden\)$/);
  const schema = z.object({
    OPENAI_API_KEY: z.string().max(3, 'must be short'),
    NIGHTSHIFT_API_KEYS: z.string().max(3, 'must be short'),
    AWS_SECRET_ACCESS_KEY: z.string().max(3, 'must be short'),
  });
  for (const name of Object.keys(schema.shape)) {
    const given = { ...Object.fromEntries(Object.keys(schema.shape).map((key) => [key, 'x'])) };
    expect(() => parseEnvironment(schema, { ...given, [name]: 'hunter2' })).toThrow(
      `${name}: must be short, got (hidden)`,
    );
  }
});

test.each([
  'redis://127.0.0.1:6379',
  'rediss://user:pass@host:1/2',
  'redis+sentinel://a:1,b:2/master',
  'redis+cluster://a:1,b:2',
])('REDIS_URL takes %s', (url) => {
  expect(parseEnvironment(commonEnvironment, { REDIS_URL: url }).REDIS_URL).toBe(url);
});

test('whole numbers are decimal digits within their bounds', () => {
  const port = wholeNumber(1, 65_535);
  expect(port.parse('3000')).toBe(3000);
  for (const bad of ['', '0', '65536', '-1', '1.5', '1e3', ' 1', '0x10', '9'.repeat(400)]) {
    expect(port.safeParse(bad).error?.issues[0]?.message).toBe(
      'must be a whole number from 1 to 65535',
    );
  }
});
