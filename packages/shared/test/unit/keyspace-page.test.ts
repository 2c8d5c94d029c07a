import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { jobStatuses } from '../../src/job/index.ts';
import { createKeys } from '../../src/redis/index.ts';
import { jobFields } from '../../src/redis/job-record.ts';

const read = (path: string): string =>
  readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8');
const keyspace = read('docs/redis-keyspace.md');
const states = read('docs/state-machine.md');
const scripts = readdirSync(new URL('../../lua/', import.meta.url))
  .filter((name) => name.endsWith('.lua'))
  .map((name) => name.slice(0, -4));

/** How the page writes what a key is made of. */
const placeholders: Record<string, string> = {
  tenant: 'TENANT',
  lane: 'LANE',
  job: 'ID',
  idempotency: 'HASH',
  calls: 'BUCKET',
  shares: 'PRIORITY',
  prioritized: 'PRIORITY',
  waiting: 'PRIORITY',
  file: 'ID',
  upload: 'ID',
  batch: 'ID',
  batchLines: 'ID',
  batchResults: 'ID',
  batchWindow: 'ID',
  turn: 'CHORE',
};

/** Every key and channel that `createKeys` can make, with the page's placeholders in it. */
const allKeys = (made: unknown, name: string): string[] => {
  if (typeof made === 'string') return name === 'prefix' ? [] : [made];
  if (typeof made === 'function') {
    const placeholder = placeholders[name];
    if (placeholder === undefined) throw new Error(`keys.${name}: no placeholder in this test`);
    return allKeys((made as (part: string) => unknown)(placeholder), name);
  }
  return Object.entries(made as object).flatMap(([inner, value]) => allKeys(value, inner));
};
const keys = allKeys(createKeys('nightshift'), '');

test.each(keys)('the page names %s', (key) => {
  expect(keyspace).toContain(`\`${key}\``);
});

test('the page names no key that is not made', () => {
  const named = [...keyspace.matchAll(/`(nightshift:[^`]+)`/g)].map(([, key = '']) => key);
  expect(named.toSorted()).toEqual(keys.toSorted());
});

test('the page names every field that a job is read from', () => {
  for (const field of jobFields) expect(keyspace).toContain(`\`${field}\``);
});

test('every script stands on one of the two pages, unless it only reads', () => {
  const named = `${keyspace}${states}`;
  for (const script of scripts.filter((name) => !/^(list|read)-/.test(name))) {
    expect(named).toContain(`\`${script}\``);
  }
});

test('the page of states names each of them', () => {
  for (const status of jobStatuses) expect(states).toContain(`\`${status}\``);
});

test('the page of a full Redis says which scripts refuse', () => {
  const refusing = scripts.filter((name) => {
    const [first = ''] = read(`packages/shared/lua/${name}.lua`).split('\n');
    return !first.includes('allow-oom');
  });
  expect(refusing.toSorted()).toEqual([
    'accept-job',
    'add-part',
    'create-batch',
    'create-file',
    'create-upload',
  ]);
});
