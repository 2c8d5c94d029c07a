import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
} from '@aws-sdk/client-s3';
import { systemClock, type Clock } from '@nightshift/shared/clock';
import type { BlobStore } from '../blob-store.ts';
import { blocksOf } from '../blocks.ts';
import { checkGroup, checkName, checkRange } from '../names.ts';
import { openBucket, type Bucket, type S3Settings } from './client.ts';
import { download, head } from './download.ts';
import { objects, removeAll, removeObject } from './objects.ts';
import { openSegment, readSegment } from './segments.ts';
import { PART_BYTES, upload } from './upload.ts';

/** Objects `blobs/GROUP/LEAF` and `segments/GROUP/LEAF/OFFSET` under the prefix. Asks nothing of the service yet. */
export function openS3Store(settings: S3Settings, clock: Clock = systemClock): BlobStore {
  const bucket = openBucket(settings);
  const pathOf = (name: string): string => {
    checkName(name);
    return `blobs/${name}`;
  };
  return {
    // An append is a request that costs money and an object that costs a round trip to read.
    gather: { bytes: PART_BYTES, forMs: 5000 },

    put: async (name, source, limits = {}) => {
      const path = pathOf(name);
      const parts = blocksOf(name, source, PART_BYTES, limits);
      return { bytes: await upload(bucket, name, path, parts, limits.signal) };
    },

    async *read(name, range = { start: 0 }) {
      checkRange(range);
      const { start, end = Infinity } = range;
      yield* download(bucket, name, pathOf(name), { start, end }, clock);
    },

    size: async (name) => await head(bucket, name, pathOf(name)),

    remove: async (name) => await removeObject(bucket, pathOf(name)),

    async *list(prefix) {
      for await (const { path, bytes, modifiedAtMs } of objects(bucket, `blobs/${prefix}`)) {
        yield { name: path.slice('blobs/'.length), bytes, modifiedAtMs };
      }
    },

    openSegment: async (name) => {
      checkName(name);
      return await openSegment(bucket, name);
    },

    async *readSegment(name, range) {
      checkName(name);
      checkRange(range);
      yield* readSegment(bucket, name, range);
    },

    removeSegment: async (name) => {
      checkName(name);
      await removeAll(bucket, objects(bucket, `segments/${name}/`));
    },

    removeSegments: async (group) => {
      checkGroup(group);
      await removeAll(bucket, objects(bucket, `segments/${group}/`));
    },

    sweepTemporary: async (olderThanMs) => await abortUploads(bucket, clock.now() - olderThanMs),

    close: async () => bucket.close(),
  };
}

async function abortUploads(bucket: Bucket, startedBeforeMs: number): Promise<number> {
  const what = 'unfinished uploads';
  const { Bucket } = bucket;
  const Prefix = bucket.key('blobs/');
  let aborted = 0;
  let after: { KeyMarker: string; UploadIdMarker?: string } | null = null;
  do {
    const page: ListMultipartUploadsCommandOutput = await bucket.send(
      what,
      new ListMultipartUploadsCommand({ Bucket, Prefix, ...after }),
    );
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if ((Initiated?.getTime() ?? Infinity) > startedBeforeMs) continue;
      await bucket.send(what, new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
      aborted += 1;
    }
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
    after =
      IsTruncated === true && NextKeyMarker !== undefined
        ? {
            KeyMarker: NextKeyMarker,
            ...(NextUploadIdMarker !== undefined && { UploadIdMarker: NextUploadIdMarker }),
          }
        : null;
  } while (after !== null);
  return aborted;
}
