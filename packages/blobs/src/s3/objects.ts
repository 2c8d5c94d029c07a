import { DeleteObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { Bucket } from './client.ts';

export interface StoredObject {
  path: string;
  bytes: number;
  modifiedAtMs: number;
}

const DELETES_AT_ONCE = 16;

/** The objects under a path, in the order of their keys, a page of up to 1,000 at a time. */
export async function* objects(
  bucket: Bucket,
  path: string,
  mostOnPage = 1000,
): AsyncGenerator<StoredObject, void, undefined> {
  let ContinuationToken: string | undefined;
  do {
    const page = await bucket.send(
      path,
      new ListObjectsV2Command({
        Bucket: bucket.Bucket,
        Prefix: bucket.key(path),
        MaxKeys: mostOnPage,
        ...(ContinuationToken !== undefined && { ContinuationToken }),
      }),
    );
    for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
      yield { path: bucket.path(Key), bytes: Size, modifiedAtMs: LastModified?.getTime() ?? 0 };
    }
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
}

/** One request each: deleting many in one is what some services do not know. */
export async function removeAll(bucket: Bucket, found: AsyncIterable<StoredObject>): Promise<void> {
  let paths: string[] = [];
  const flush = async (): Promise<void> => {
    await Promise.all(paths.map(async (path) => await removeObject(bucket, path)));
    paths = [];
  };
  for await (const { path } of found) {
    paths.push(path);
    if (paths.length >= DELETES_AT_ONCE) await flush();
  }
  await flush();
}

/** S3 answers the same whether it was there or not. */
export async function removeObject(bucket: Bucket, path: string): Promise<void> {
  await bucket.send(
    path,
    new DeleteObjectCommand({ Bucket: bucket.Bucket, Key: bucket.key(path) }),
  );
}
