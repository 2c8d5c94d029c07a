import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '@nightshift/local';
import { lockDataDir } from '../../src/stack/data-lock.ts';
import { openLogFile } from '../../src/stack/log-file.ts';
import { consoleLine } from '../../src/stack/log-line.ts';
import { reachableHost, whyNotListen } from '../../src/stack/ports.ts';
import { withoutSecrets } from '../../src/stack/services.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'nightshift-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('a data folder is held by one process, which is named to the others', async () => {
  const dir = folder();
  const lock = await lockDataDir(dir, 'process 17, http://127.0.0.1:3000');
  onTestFinished(async () => await lock.release());
  expect(lock.wasLeftBehind).toBe(false);
  await expect(lockDataDir(`${dir}/.`, 'process 18')).rejects.toThrow(
    /NIGHTSHIFT_DATA_DIR: .* is in use by another stack \(process 17, http:\/\/127\.0\.0\.1:3000\)/,
  );
  await lock.release();
  await lock.release();
  const next = await lockDataDir(dir, 'process 18');
  await next.release();
});

test('a log file goes on where it was, and becomes .old when it is full', () => {
  const path = join(folder(), 'logs', 'api.log');
  const first = openLogFile(path, 10);
  first.write('one');
  first.close();
  first.close();
  first.write('dropped');
  const second = openLogFile(path, 10);
  for (const line of ['two', 'three', 'four']) second.write(line);
  second.close();
  expect(readFileSync(`${path}.old`, 'utf8')).toBe('one\ntwo\nthree\n');
  expect(readFileSync(path, 'utf8')).toBe('four\n');
});

test('the console shows warnings and what is not a log line', () => {
  const line = (level: string, more: object) =>
    JSON.stringify({ level, msg: 'redis.away', ...more });
  expect(consoleLine('api', line('info', {}))).toBeNull();
  expect(consoleLine('api', '  ')).toBeNull();
  expect(consoleLine('api', line('warn', { pid: 3, tries: 2, err: { message: 'refused' } }))).toBe(
    'api: warn redis.away tries=2 err=refused',
  );
  expect(consoleLine('worker', 'Error: out of memory')).toBe('worker: Error: out of memory');
});

test('a port that is taken, and an address that is not ours, are told apart', async () => {
  const port = await freePort();
  expect(await whyNotListen('127.0.0.1', port)).toBeNull();
  expect(await whyNotListen('203.0.113.7', port)).toBe('EADDRNOTAVAIL');
});

test('addresses for people: reachable, and without secrets', () => {
  expect(reachableHost('0.0.0.0')).toBe('127.0.0.1');
  expect(reachableHost('::1')).toBe('[::1]');
  expect(withoutSecrets('https://me:secret@gateway.example/v1/?key=secret')).toBe(
    'https://gateway.example/v1',
  );
});
