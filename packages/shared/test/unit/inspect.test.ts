import { expect, test } from 'vitest';
import { parseInfo } from '../../src/redis/inspect.ts';

const info = (...lines: string[]): string => ['# Server', ...lines, ''].join('\r\n');

test('what Redis and Valkey say of themselves', () => {
  const memory = ['used_memory:1000', 'used_memory_rss:9', 'maxmemory:64000000'];
  expect(parseInfo(info('redis_version:7.2.4', ...memory, 'aof_last_write_status:ok'))).toEqual({
    ...{ server: 'Redis', version: '7.2.4', usedBytes: 1000, maxBytes: 64_000_000 },
    writeError: null,
  });
  const valkey = info('redis_version:7.2.4', 'server_name:valkey', 'valkey_version:8.0.1');
  expect(parseInfo(valkey)).toMatchObject({ server: 'Valkey', version: '8.0.1', maxBytes: 0 });
  expect(parseInfo(info('aof_last_write_status:err'))).toMatchObject({
    version: 'unknown',
    writeError: 'the last write of its append-only file failed (err)',
  });
});
