import { expect, test } from 'vitest';
import { parseInfo } from '../../src/redis/inspect.ts';

const info = (...lines: string[]): string => ['# Server', ...lines, ''].join('\r\n');

test('reads the INFO of Redis and Valkey', () => {
  expect(parseInfo(info('redis_version:7.2.4', 'aof_last_write_status:ok'))).toEqual({
    ...{ server: 'Redis', version: '7.2.4', writeError: null },
  });
  const valkey = info('redis_version:7.2.4', 'server_name:valkey', 'valkey_version:8.0.1');
  expect(parseInfo(valkey)).toMatchObject({ server: 'Valkey', version: '8.0.1' });
  expect(parseInfo(info('aof_last_write_status:err'))).toMatchObject({
    version: 'unknown',
    writeError: 'the last write of its append-only file failed (err)',
  });
});
