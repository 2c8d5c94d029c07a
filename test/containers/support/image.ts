import { randomUUID } from 'node:crypto';
import { docker, run } from './docker.ts';

export interface Image {
  tag: string;
  buildMs: number;
  sizeBytes: number;
  remove(): Promise<void>;
}

const BUILD_TIMEOUT_MS = 780_000;

/** Builds the Dockerfile under a tag of its own. */
export async function buildImage(): Promise<Image> {
  const tag = `nightshift-test:${randomUUID().slice(0, 8)}`;
  const stage = `${tag}-build`;
  const remove = async (): Promise<void> => {
    for (const name of [tag, stage]) {
      if ((await docker('images', '-q', name)) !== '') await docker('rmi', '--force', name);
    }
  };
  // Some machines reach the package registry only through the host's own network.
  const build = ['build', '--network', 'host'];
  const startedAt = performance.now();
  try {
    // The classic builder leaves the stages without a name behind; a named one can be removed.
    for (const target of [
      ['--target', 'build', '--tag', stage],
      ['--tag', tag],
    ]) {
      await run('docker', [...build, ...target, '.'], { timeoutMs: BUILD_TIMEOUT_MS });
    }
    return {
      tag,
      buildMs: performance.now() - startedAt,
      sizeBytes: Number(await docker('image', 'inspect', '--format', '{{.Size}}', tag)),
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Runs a shell line in a new container of the image, without a network and on a read-only root. */
export async function shellInImage(tag: string, line: string): Promise<string> {
  const sandbox = ['--rm', '--read-only', '--network', 'none', '--entrypoint', 'sh'];
  return await docker('run', ...sandbox, tag, '-c', line);
}
