import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const repositoryRoot: string = fileURLToPath(new URL('../../..', import.meta.url));

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  timeoutMs?: number;
}

/** What a program printed on stdout and stderr. Rejects with its last lines if it ends badly. */
export async function run(
  command: string,
  args: readonly string[],
  { env = process.env, timeoutMs = 120_000 }: RunOptions = {},
): Promise<{ stdout: string; stderr: string }> {
  return await new Promise((resolve, reject) => {
    const options = { cwd: repositoryRoot, env, timeout: timeoutMs, maxBuffer: 64_000_000 };
    execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null) return resolve({ stdout, stderr });
      const said = `${stdout}\n${stderr}`.trim().split('\n').slice(-25).join('\n');
      const how = error.killed === true ? `took more than ${timeoutMs} ms` : `code ${error.code}`;
      reject(new Error(`${command} ${args.join(' ')}: ${how}\n${said}`, { cause: error }));
    });
  });
}

export async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args)).stdout.trim();
}

/** This suite is asked for by name: without an engine it fails, so that nobody takes it for passed. */
export async function requireDocker(): Promise<void> {
  try {
    await docker('version', '--format', '{{.Server.Version}}');
  } catch (error) {
    throw new Error(
      'The containers suite needs a Docker engine, and `docker version` finds none: ' +
        'install and start Docker, then run `node scripts/run.mjs containers` again',
      { cause: error },
    );
  }
}

/** `docker compose`, or the older `docker-compose`. */
export async function composeCommand(): Promise<[string, ...string[]]> {
  const candidates: [string, ...string[]][] = [['docker', 'compose'], ['docker-compose']];
  for (const candidate of candidates) {
    const [command, ...before] = candidate;
    const works = run(command, [...before, 'version']).then(
      () => true,
      () => false,
    );
    if (await works) return candidate;
  }
  throw new Error(
    'The containers suite needs Docker Compose, and neither "docker compose" nor docker-compose is there: ' +
      'install one of them (Debian: apt-get install docker-compose)',
  );
}

/** What the engine still has with that label, of every kind: containers, volumes, networks. */
export async function remains(label: string): Promise<string[]> {
  const found = await Promise.all([
    docker('ps', '-aq', '--filter', `label=${label}`),
    docker('volume', 'ls', '-q', '--filter', `label=${label}`),
    docker('network', 'ls', '-q', '--filter', `label=${label}`),
  ]);
  return found.flatMap((text) => text.split('\n')).filter((line) => line !== '');
}
