import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  loadConfiguration,
  readConfiguration,
  routeModel,
  SettingError,
} from '../../src/config/index.ts';
import { findPrice, publicPrices } from '../../src/usage/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'nightshift-configuration-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const messageOf = (read: () => unknown): string => {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(SettingError);
    return (error as Error).message;
  }
  throw new Error('was accepted');
};
const complaint = (content: unknown): string =>
  messageOf(() => readConfiguration(content, 'FILE', {}));

describe('without a file', () => {
  test('every model goes to OPENAI_BASE_URL with OPENAI_API_KEY', () => {
    const configuration = loadConfiguration({
      OPENAI_BASE_URL: 'http://127.0.0.1:8080/v1/',
      OPENAI_API_KEY: 'sk-1',
    });
    expect(routeModel(configuration, 'anything/at:all')).toEqual({
      name: 'default',
      baseUrl: 'http://127.0.0.1:8080/v1',
      credential: 'default',
      apiKey: 'sk-1',
      headers: {},
      limits: {},
      metrics: { url: 'http://127.0.0.1:8080/metrics', isConfigured: false },
    });
    expect(configuration.retry.maxAttempts).toBe(8);
    expect(configuration.prices).toEqual(publicPrices);
  });

  test('empty variables count as not set', () => {
    const empty = { NIGHTSHIFT_CONFIG: '', OPENAI_BASE_URL: '', OPENAI_API_KEY: '' };
    expect(loadConfiguration(empty)).toEqual(loadConfiguration({}));
    expect(routeModel(loadConfiguration(empty), 'm')).toMatchObject({
      baseUrl: 'https://api.openai.com/v1',
      apiKey: null,
    });
  });
});

describe('providers and routes', () => {
  const content = {
    providers: {
      openai: { base_url: 'https://api.openai.com/v1', api_key_env: 'OPENAI_API_KEY' },
      local: { base_url: 'http://127.0.0.1:8000/v1', headers: { 'x-team': 'night' } },
    },
    models: [
      { match: 'gpt-4o', provider: 'local' },
      { match: 'gpt-*', provider: 'openai' },
    ],
  };

  test('the first route that matches serves; a model that none serves has no provider', () => {
    const configuration = readConfiguration(content, 'FILE', { OPENAI_API_KEY: 'sk-2' });
    expect(routeModel(configuration, 'gpt-4o')?.name).toBe('local');
    expect(routeModel(configuration, 'gpt-4o-mini')).toMatchObject({
      name: 'openai',
      credential: 'OPENAI_API_KEY',
      apiKey: 'sk-2',
    });
    expect(routeModel(configuration, 'xgpt-4o')).toBeUndefined();
  });

  test('one provider needs no routes', () => {
    const { openai } = content.providers;
    const configuration = readConfiguration({ providers: { openai } }, 'FILE', {});
    expect(routeModel(configuration, 'm')).toMatchObject({ name: 'openai', apiKey: null });
  });

  test('several without routes, an empty list, and an unknown provider are named', () => {
    expect(complaint({ providers: content.providers })).toContain('FILE: models: must route');
    expect(complaint({ models: [] })).toContain('FILE: models: must route');
    expect(complaint({ ...content, models: [{ match: '*', provider: 'nobody' }] })).toBe(
      'FILE: models.0.provider: must be one of openai, local, got "nobody"',
    );
  });
});

test('own prices come before public ones, a pattern also for the models that it matches', () => {
  const of = (prices: unknown, model: string) =>
    findPrice(readConfiguration({ prices }, 'FILE', {}).prices, model)?.input;
  expect(of({ 'gpt-4o': { input: 7, output: 7 } }, 'gpt-4o')).toBe(7);
  expect(of({ 'gpt-*': { input: 7, output: 7 } }, 'gpt-4o')).toBe(7);
  expect(of({ '*': { input: 0, output: 0 } }, 'claude-opus-4-5-20251101')).toBe(0);
  expect(of({ 'gpt-*': { input: 7, output: 7 } }, 'o3')).toBe(publicPrices['o3']?.input);
});

describe('a wrong value is named by its field', () => {
  test.each<[string, unknown]>([
    ['content', []],
    ['surprise', { surprise: 1 }],
    ['providers', { providers: [] }],
    ['providers.a b', { providers: { 'a b': { base_url: 'http://x' } } }],
    ['providers.a.base_url', { providers: { a: { base_url: 'ftp://x' } } }],
    ['providers.a.base_url', { providers: { a: {} } }],
    ['models.0.match', { models: [{ match: '', provider: 'default' }] }],
    ['limits.lanes', { limits: { lanes: 0 } }],
    ['limits.job_body_bytes', { limits: { job_body_bytes: '1 MB' } }],
    ['limits.lines', { limits: { lines: 1 } }],
    ['retry.max_attempts', { retry: { max_attempts: 101 } }],
    ['retry.base_ms', { retry: { base_ms: 0 } }],
    ['prices.m.input', { prices: { m: { input: -1, output: 1 } } }],
    ['prices.m.output', { prices: { m: { input: 1 } } }],
    ['retention.jobs_seconds', { retention: { jobs_seconds: 60 } }],
    ['retention.batches_seconds', { retention: { batches_seconds: 0 } }],
    ['retention.batches_seconds', { retention: { batches_seconds: null } }],
    ['retention.batch_files_seconds', { retention: { batch_files_seconds: '30 d' } }],
    ['limits.uploads_at_once', { limits: { uploads_at_once: 0 } }],
    ['limits.uploads_at_once_bytes', { limits: { uploads_at_once_bytes: 1.5 } }],
  ])('%s', (field, content) => {
    const message = complaint(content);
    expect(message.startsWith(`FILE: ${field}: `)).toBe(true);
    expect(message).not.toContain('\n');
  });
});

describe('a key that was written into the file is not repeated', () => {
  const provider = { base_url: 'http://x' };
  test.each<[string, unknown]>([
    ['as api_key', { providers: { a: { ...provider, api_key: 'sk-hunter2' } } }],
    ['as the name of a variable', { providers: { a: { ...provider, api_key_env: 'sk-hunter2' } } }],
    ['in a list', { providers: [{ ...provider, api_key: 'sk-hunter2' }] }],
    ['in the headers', { providers: { a: { ...provider, headers: 'Bearer sk-hunter2' } } }],
    ['under a wrong name', { providers: { 'a b': { ...provider, api_key: 'sk-hunter2' } } }],
    ['at the top', { api_key: 'sk-hunter2' }],
  ])('%s', (_where, content) => {
    expect(complaint(content)).not.toContain('hunter2');
  });

  test('in a file that is not JSON', () => {
    const path = join(folder, 'broken.json');
    for (const text of ['{"api_key": sk-hunter2}', 'sk-hunter2', '{"api_key": "sk-hunter2" x']) {
      writeFileSync(path, text);
      const message = messageOf(() => loadConfiguration({ NIGHTSHIFT_CONFIG: path }));
      expect(message.startsWith(`NIGHTSHIFT_CONFIG ${path}: must be JSON (`)).toBe(true);
      expect(message).not.toContain('hunter2');
    }
  });
});

describe('the file', () => {
  test('is read, and named with its field when it is wrong', () => {
    const path = join(folder, 'good.json');
    writeFileSync(path, JSON.stringify({ limits: { lanes: 3 } }));
    expect(loadConfiguration({ NIGHTSHIFT_CONFIG: path }).limits.lanes).toBe(3);
    writeFileSync(path, JSON.stringify({ limits: { lanes: 'x' } }));
    expect(messageOf(() => loadConfiguration({ NIGHTSHIFT_CONFIG: path }))).toBe(
      `NIGHTSHIFT_CONFIG ${path}: limits.lanes: must be a whole number of at least 1, got "x"`,
    );
  });

  test('that is not there is named with the reason', () => {
    const path = join(folder, 'absent.json');
    expect(messageOf(() => loadConfiguration({ NIGHTSHIFT_CONFIG: path }))).toMatch(
      /^NIGHTSHIFT_CONFIG: must name a readable file, got ".*absent\.json" \(ENOENT\)$/,
    );
  });
});
