import { SettingError } from '@nightshift/shared/config';
import { describeValue } from '@nightshift/shared/errors';

export type BlobLocation =
  | { kind: 'file'; path: string }
  | { kind: 's3'; bucket: string; prefix: string };

const bucketPattern = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const prefixPattern = /^[A-Za-z0-9!_.*'()-]+(\/[A-Za-z0-9!_.*'()-]+)*$/;

/**
 * Reads `NIGHTSHIFT_BLOBS`: `file:PATH`, relative to the working directory or absolute, or `s3://BUCKET/PREFIX`.
 * @throws SettingError
 */
export function parseBlobLocation(given: string): BlobLocation {
  const fail = (rule: string): never => {
    throw new SettingError(`NIGHTSHIFT_BLOBS: ${rule}, got ${describeValue(given)}`);
  };
  if (given.startsWith('file:')) {
    const path = given.slice('file:'.length).replace(/^\/\/(?=\/)/, '');
    if (path === '' || path.includes('\0') || path.startsWith('//')) {
      return fail(
        'must name a folder after file:, such as file:./data/blobs or file:/var/lib/blobs',
      );
    }
    return { kind: 'file', path };
  }
  const [, bucket = '', rest = ''] = /^s3:\/\/([^/]*)(.*)$/s.exec(given) ?? [];
  if (!given.startsWith('s3://')) return fail('must be file:PATH or s3://BUCKET/PREFIX');
  if (!bucketPattern.test(bucket)) {
    return fail('must name a bucket of 3 to 63 of a-z 0-9 . - after s3://');
  }
  const prefix = rest.replace(/^\//, '').replace(/\/$/, '');
  if (prefix !== '' && (!prefixPattern.test(prefix) || /(^|\/)\.\.?(\/|$)/.test(prefix))) {
    return fail("must have a prefix of letters, digits and !_.*'()- between single slashes");
  }
  return { kind: 's3', bucket, prefix };
}
