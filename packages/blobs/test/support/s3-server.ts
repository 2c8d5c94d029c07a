import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort, startProcess } from '@nightshift/local';

const VERSION = 'v1.8.0';
const MODULE = 'github.com/versity/versitygw/cmd/versitygw';

/** Where the server stays after it was built once. */
const cache = fileURLToPath(
  new URL(`../../../../node_modules/.cache/versitygw-${VERSION}`, import.meta.url),
);

export interface S3Server {
  url: string;
  port: number;
  credentials: { accessKeyId: string; secretAccessKey: string };
  /** An empty bucket, made by this call. */
  bucket: string;
  stop(): Promise<void>;
}

/** A real S3 server, Versity's gateway over a folder, of one pinned version; built by Go the first time. */
export async function startS3Server(): Promise<S3Server> {
  const bin = await findOrBuild();
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-s3-'));
  const [root, sidecar, bucket] = [join(folder, 'root'), join(folder, 'sidecar'), 'nightshift'];
  await mkdir(join(root, bucket), { recursive: true });
  await mkdir(sidecar);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const credentials = { accessKeyId: 'test-access', secretAccessKey: 'test-secret' };
  const server = await startProcess({
    bin,
    command: 'posix',
    // Metadata beside the objects: not every file system in a container has extended attributes.
    args: ['--sidecar', sidecar, root],
    env: {
      VGW_PORT: `127.0.0.1:${port}`,
      VGW_QUIET: 'true',
      VGW_KEEP_ALIVE: 'true',
      ROOT_ACCESS_KEY_ID: credentials.accessKeyId,
      ROOT_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    readyWhen: async () => (await fetch(url)).status > 0,
  });
  return {
    url,
    port,
    credentials,
    bucket,
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true });
    },
  };
}

async function findOrBuild(): Promise<string> {
  const built = join(cache, 'versitygw');
  if (existsSync(built)) return built;
  process.stderr.write(`S3 server: building ${MODULE}@${VERSION} once, about a minute\n`);
  try {
    await promisify(execFile)('go', ['install', `${MODULE}@${VERSION}`], {
      env: { ...process.env, GOBIN: cache },
    });
  } catch (error) {
    throw new Error(
      `the tests against S3 need Go (https://go.dev/dl/) to build ${MODULE}@${VERSION}: ${(error as Error).message}`,
      { cause: error },
    );
  }
  return built;
}
