import { randomUUID } from 'node:crypto';
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { freePort } from '@nightshift/local';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  BlobNotFoundError,
  BlobStoreFullError,
  BlobStoreUnavailableError,
  openBlobStore,
  type BlobStore,
} from '../../src/index.ts';
import type { S3Settings } from '../../src/s3/client.ts';
import { openS3Store } from '../../src/s3/s3-store.ts';
import { describeBlobStore, many, pieces, text } from '../support/conformance.ts';
import { startFaultProxy, type Fault, type FaultProxy } from '../support/fault-proxy.ts';
import { startS3Server, type S3Server } from '../support/s3-server.ts';

let server: S3Server;
let proxy: FaultProxy;
let client: S3Client;

beforeAll(async () => {
  server = await startS3Server();
  proxy = await startFaultProxy(server.port);
  const { url: endpoint, credentials } = server;
  client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
});
afterAll(async () => {
  client?.destroy();
  await proxy?.stop();
  await server?.stop();
});

const unfinished = async (prefix: string): Promise<string[]> => {
  const { Uploads = [] } = await client.send(
    new ListMultipartUploadsCommand({ Bucket: server.bucket, Prefix: `${prefix}/` }),
  );
  return Uploads.map(({ Key = '' }) => Key);
};

describeBlobStore('on S3', async () => {
  const prefix = randomUUID();
  const environment = {
    AWS_ENDPOINT_URL_S3: server.url,
    AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
  };
  return {
    store: await openBlobStore(`s3://${server.bucket}/${prefix}`, environment),
    leftovers: async () => await unfinished(prefix),
  };
});

describe('S3 that fails', () => {
  const stores: BlobStore[] = [];
  afterEach(async () => {
    proxy.choose = () => null;
    await Promise.all(stores.splice(0).map(async (store) => await store.close()));
  });

  const open = (more: Partial<S3Settings> = {}): { store: BlobStore; prefix: string } => {
    const prefix = randomUUID();
    const store = openS3Store({
      bucket: server.bucket,
      prefix,
      endpoint: proxy.url,
      region: 'us-east-1',
      credentials: server.credentials,
      ...more,
    });
    stores.push(store);
    return { store, prefix };
  };

  /** The first so many requests that match. */
  const fail = (fault: Fault, pattern: RegExp, times: number): (() => number) => {
    let left = times;
    proxy.choose = (call) => {
      if (left === 0 || !pattern.test(call)) return null;
      left -= 1;
      return fault;
    };
    return () => times - left;
  };

  test.each<[fault: Fault, timeoutMs: number]>([
    ['slow_down', 60_000],
    ['lose_answer', 60_000],
    // Long enough for a part on a machine that is busy.
    ['keep_answer', 3000],
  ])('%s of any request is got over', async (fault, timeoutMs) => {
    const { store, prefix } = open({ timeoutMs });
    const large = 9_000_000;
    const kinds: [RegExp, () => Promise<unknown>][] = [
      [/^PUT [^?]*\/small/, async () => await store.put('f/small', pieces('small'))],
      [/^POST .*\?uploads/, async () => await store.put('f/large', many(large, 100_000))],
      [/^PUT .*partNumber=2/, async () => await store.put('f/large', many(large, 100_000))],
      [/^POST .*uploadId=/, async () => await store.put('f/large', many(large, 100_000))],
      [/^HEAD /, async () => expect(await store.size('f/large')).toBe(large)],
      [/^GET .*\/small/, async () => expect(await text(store.read('f/small'))).toBe('small')],
      [/^GET .*list-type=2/, async () => expect((await store.list('f/').next()).done).toBe(false)],
      [/^DELETE /, async () => await store.remove('f/small')],
    ];
    for (const [pattern, call] of kinds) {
      const failed = fail(fault, pattern, 1);
      await call();
      expect([pattern, failed()]).toEqual([pattern, 1]);
    }
    proxy.choose = () => null;
    expect(await store.size('f/small')).toBeNull();
    expect((await text(store.read('f/large'))).length).toBe(large);
    // An upload whose first answer got lost has no owner: it is the sweep's.
    await store.sweepTemporary(-60_000);
    expect(await unfinished(prefix)).toEqual([]);
  });

  test('three refusals in a row are waited out', async () => {
    const { store } = open();
    const failed = fail('slow_down', /^PUT /, 3);
    expect(await store.put('f/patient', pieces('x'))).toEqual({ bytes: 1 });
    expect(failed()).toBe(3);
  });

  test('a read whose connection breaks goes on where it broke', async () => {
    const { store } = open();
    await store.put('f/broken', many(5_000_000, 100_000));
    const whole = await text(store.read('f/broken'));
    const cut = fail('cut_body', /^GET .*\/broken/, 3);
    expect((await text(store.read('f/broken'))) === whole).toBe(true);
    expect(cut()).toBe(3);
    fail('cut_body', /^GET .*\/broken/, 2);
    const part = await text(store.read('f/broken', { start: 1000, end: 4_000_000 }));
    expect(part === whole.slice(1000, 4_000_000)).toBe(true);
  });

  test('a blob that is replaced while its read is broken is not read half and half', async () => {
    const { store } = open();
    await store.put('f/swapped', many(5_000_000, 100_000));
    fail('cut_body', /^GET .*\/swapped/, 1);
    const reading = store.read('f/swapped');
    await reading.next();
    await store.put('f/swapped', pieces('another'));
    await expect(text(reading)).rejects.toThrow('was replaced while it was read');
  });

  test('an append that stores and then hangs is repeated as it was', async () => {
    const { store } = open({ timeoutMs: 2000 });
    const segment = await store.openSegment('batch-1/1');
    const failed = fail('keep_answer', /^PUT .*segments/, 1);
    expect(await segment.append(Buffer.from('abc'))).toBe(3);
    expect(failed()).toBe(1);
    expect(await segment.append(Buffer.from('def'))).toBe(6);
    expect(await text(store.readSegment('batch-1/1', { start: 0, end: 6 }))).toBe('abcdef');
  });

  test('an append that fails for good ends the segment', async () => {
    const { store } = open();
    const segment = await store.openSegment('batch-1/1');
    await segment.append(Buffer.from('abc'));
    fail('full', /^PUT .*segments/, 1);
    await expect(segment.append(Buffer.from('def'))).rejects.toThrow(BlobStoreFullError);
    await expect(segment.append(Buffer.from('def'))).rejects.toThrow('nothing more');
    expect(await text(store.readSegment('batch-1/1', { start: 0, end: 3 }))).toBe('abc');
  });

  test('a store that is full says so, and keeps nothing of the put', async () => {
    const { store, prefix } = open();
    fail('full', /^PUT /, 1);
    await expect(store.put('f/full', pieces('x'))).rejects.toThrow(BlobStoreFullError);
    fail('full', /partNumber=2/, 1);
    await expect(store.put('f/full', many(30_000_000, 1_000_000))).rejects.toThrow(
      BlobStoreFullError,
    );
    proxy.choose = () => null;
    expect(await store.size('f/full')).toBeNull();
    expect(await unfinished(prefix)).toEqual([]);
  });

  test('the sweep ends uploads that nobody finishes, and lets young ones be', async () => {
    const { store, prefix } = open();
    fail('full', /(partNumber=1|^DELETE )/, 1_000_000);
    await expect(store.put('f/left', many(20_000_000, 1_000_000))).rejects.toThrow(
      BlobStoreFullError,
    );
    proxy.choose = () => null;
    expect(await unfinished(prefix)).toHaveLength(1);
    expect(await store.sweepTemporary(3_600_000)).toBe(0);
    expect(await store.sweepTemporary(-60_000)).toBe(1);
    expect(await unfinished(prefix)).toEqual([]);
  });

  test('a wrong key, a bucket that is not there and a server that is not there are told apart from a missing blob', async () => {
    const wrongKey = open({ credentials: { ...server.credentials, secretAccessKey: 'wrong' } });
    await expect(wrongKey.store.size('f/x')).rejects.toThrow(BlobStoreUnavailableError);
    await expect(wrongKey.store.put('f/x', pieces('x'))).rejects.toThrow(/SignatureDoesNotMatch/);
    const noServer = open({ endpoint: `http://127.0.0.1:${await freePort()}` });
    await expect(noServer.store.size('f/x')).rejects.toThrow(BlobStoreUnavailableError);
    const wrongBucket = open({ bucket: 'not-there' });
    await expect(wrongBucket.store.put('f/x', pieces('x'))).rejects.toThrow(/NoSuchBucket/);
    await expect(text(wrongBucket.store.read('f/x'))).rejects.toThrow(BlobStoreUnavailableError);
    const right = open();
    await expect(text(right.store.read('f/x'))).rejects.toThrow(BlobNotFoundError);
  });
});

test('a segment of 300 appends of a few bytes is read with many requests at once', async () => {
  const store = openS3Store({
    bucket: server.bucket,
    prefix: randomUUID(),
    endpoint: server.url,
    region: 'us-east-1',
    credentials: server.credentials,
  });
  const segment = await store.openSegment('batch-2/1');
  let expected = '';
  for (let at = 0; at < 300; at += 1) {
    await segment.append(Buffer.from(`line ${at}\n`));
    expected += `line ${at}\n`;
  }
  expect(await text(store.readSegment('batch-2/1', { start: 0, end: expected.length }))).toBe(
    expected,
  );
  for await (const chunk of store.readSegment('batch-2/1', { start: 5, end: 100 })) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  await store.removeSegments('batch-2');
  await store.close();
});
