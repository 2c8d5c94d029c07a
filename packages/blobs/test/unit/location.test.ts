import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SettingError } from '@nightshift/shared/config';
import { openBlobStore, parseBlobLocation } from '../../src/index.ts';
import { readS3Settings } from '../../src/open.ts';
import { pieces, text } from '../support/conformance.ts';

test.each([
  ['file:data/blobs', { kind: 'file', path: 'data/blobs' }],
  ['file:./data', { kind: 'file', path: './data' }],
  ['file:/var/lib/blobs', { kind: 'file', path: '/var/lib/blobs' }],
  ['file:///var/lib/blobs', { kind: 'file', path: '/var/lib/blobs' }],
  ['file:a b/é', { kind: 'file', path: 'a b/é' }],
  ['s3://bucket', { kind: 's3', bucket: 'bucket', prefix: '' }],
  ['s3://bucket/', { kind: 's3', bucket: 'bucket', prefix: '' }],
  ['s3://my.bucket-1/prefix', { kind: 's3', bucket: 'my.bucket-1', prefix: 'prefix' }],
  ['s3://bucket/a/B_2/c/', { kind: 's3', bucket: 'bucket', prefix: 'a/B_2/c' }],
])('%s', (given, location) => {
  expect(parseBlobLocation(given)).toEqual(location);
});

test.each([
  ['', 'must be file:PATH or s3://BUCKET/PREFIX, got ""'],
  ['/var/lib', 'must be file:PATH or s3://BUCKET/PREFIX, got "/var/lib"'],
  ['http://x/y', 'must be file:PATH or s3://BUCKET/PREFIX'],
  ['S3://bucket', 'must be file:PATH or s3://BUCKET/PREFIX'],
  ['file:', 'must name a folder after file:'],
  ['file://host/share', 'must name a folder after file:'],
  ['file:a\0b', 'must name a folder after file:'],
  ['s3:bucket', 'must be file:PATH or s3://BUCKET/PREFIX'],
  ['s3://', 'must name a bucket'],
  ['s3:///prefix', 'must name a bucket'],
  ['s3://ab', 'must name a bucket'],
  ['s3://Bucket/x', 'must name a bucket'],
  ['s3://key:secret@bucket/x', 'must name a bucket'],
  ['s3://bucket/a//b', 'must have a prefix'],
  ['s3://bucket/a/../b', 'must have a prefix'],
  ['s3://bucket/a?b', 'must have a prefix'],
  ['s3://bucket/é', 'must have a prefix'],
])('%j is refused in one line', (given, message) => {
  const parse = () => parseBlobLocation(given);
  expect(parse).toThrow(SettingError);
  expect(parse).toThrow(`NIGHTSHIFT_BLOBS: ${message}`);
});

test('the usual AWS variables are read; empty ones count as not set', () => {
  const at = { bucket: 'bucket', prefix: '' };
  expect(readS3Settings(at, {})).toEqual({
    ...at,
    endpoint: null,
    region: null,
    credentials: null,
  });
  expect(
    readS3Settings(at, {
      AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9000',
      AWS_ENDPOINT_URL: 'http://other',
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_SESSION_TOKEN: '',
      AWS_REGION: '',
    }),
  ).toEqual({
    ...at,
    endpoint: 'http://127.0.0.1:9000',
    region: 'us-east-1',
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
  });
  expect(
    readS3Settings(at, { AWS_DEFAULT_REGION: 'eu-central-1', AWS_REGION: 'eu-west-1' }).region,
  ).toBe('eu-west-1');
});

test('wrong AWS variables are named, and secrets are not repeated', () => {
  const at = { bucket: 'bucket', prefix: '' };
  expect(() => readS3Settings(at, { AWS_ENDPOINT_URL_S3: 'localhost:9000' })).toThrow(
    'AWS_ENDPOINT_URL_S3: must be an http or https URL such as http://127.0.0.1:9000, got "localhost:9000"',
  );
  const half = () => readS3Settings(at, { AWS_SECRET_ACCESS_KEY: 'very-secret' });
  expect(half).toThrow('AWS_ACCESS_KEY_ID: must be set when AWS_SECRET_ACCESS_KEY is, got nothing');
});

test('a folder is made when the store is opened', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-open-'));
  const store = await openBlobStore(`file:${folder}/deep/er`, {});
  await store.put('a/b', pieces('x'));
  expect(await text(store.read('a/b'))).toBe('x');
  await store.close();
  await rm(folder, { recursive: true });
});
