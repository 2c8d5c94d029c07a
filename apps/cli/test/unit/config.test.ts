import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readDemoSettings, readStartSettings, withoutOwnSettings } from '../../src/config.ts';

test('start: defaults, and empty variables count as not set', () => {
  const defaults = {
    host: '127.0.0.1',
    port: 3000,
    dataDir: resolve('data'),
    hasApiKeys: false,
    provider: { simulated: true },
  };
  expect(readStartSettings({})).toMatchObject(defaults);
  const names = ['HOST', 'PORT', 'OPENAI_API_KEY', 'OPENAI_BASE_URL', 'NIGHTSHIFT_DATA_DIR'];
  const empty = Object.fromEntries(names.map((name) => [name, '']));
  expect(readStartSettings(empty)).toMatchObject(defaults);
});

test('start: the provider is real with a key or a base URL, and no secret is repeated', () => {
  const provider = (environment: Record<string, string>) => readStartSettings(environment).provider;
  expect(provider({ OPENAI_API_KEY: 'sk-secret' })).toEqual({
    simulated: false,
    describe: 'https://api.openai.com/v1 (OPENAI_API_KEY is set)',
  });
  expect(provider({ OPENAI_BASE_URL: 'http://me:secret@127.0.0.1:8000/v1' })).toEqual({
    simulated: false,
    describe: 'http://127.0.0.1:8000/v1 (OPENAI_BASE_URL is set)',
  });
});

test('start: providers of a configuration file are not replaced by the simulated one', () => {
  const dir = mkdtempSync(join(tmpdir(), 'nightshift-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'config.json');
  const provider = () => readStartSettings({ NIGHTSHIFT_CONFIG: file }).provider;
  writeFileSync(file, JSON.stringify({ providers: { own: { base_url: 'http://127.0.0.1/v1' } } }));
  expect(provider()).toEqual({ simulated: false, describe: 'those of NIGHTSHIFT_CONFIG' });
  writeFileSync(file, JSON.stringify({ retry: { max_attempts: 3 } }));
  expect(provider().simulated).toBe(true);
});

test('a wrong variable is named', () => {
  expect(() => readStartSettings({ PORT: '0' })).toThrow(
    'PORT: must be a whole number from 1 to 65535, got "0"',
  );
  expect(() => readDemoSettings({ PORT: 'x' })).toThrow(/^PORT: /);
  expect(() => readStartSettings({ LOG_LEVEL: 'loud' })).toThrow(/^LOG_LEVEL: /);
  expect(() => readStartSettings({ NIGHTSHIFT_CONFIG: '/nowhere.json' })).toThrow(
    /^NIGHTSHIFT_CONFIG: /,
  );
});

test('demo: only a key makes the provider real', () => {
  expect(readDemoSettings({}).provider.simulated).toBe(true);
  expect(readDemoSettings({ OPENAI_BASE_URL: 'http://127.0.0.1/v1' }).provider.simulated).toBe(
    true,
  );
  expect(readDemoSettings({ OPENAI_API_KEY: 'sk-x' }).provider).toEqual({
    simulated: false,
    describe: 'https://api.openai.com/v1 (OPENAI_API_KEY is set)',
  });
});

test("demo: settings of the user's own stack are removed, the Redis stays", () => {
  const environment = {
    ...{ NIGHTSHIFT_API_KEYS: 'a:b', WORKER_PORT: '1', SIMULATOR_SEED: '2', HOST: 'h', PORT: '3' },
    ...{ REDIS_URL: 'redis://x', DURABILITY: 'relaxed', PATH: '/bin', OPENAI_API_KEY: 'k' },
  };
  expect(Object.keys(withoutOwnSettings(environment)).sort()).toEqual([
    ...['HOST', 'NIGHTSHIFT_API_KEYS', 'PORT', 'SIMULATOR_SEED', 'WORKER_PORT'],
  ]);
});
