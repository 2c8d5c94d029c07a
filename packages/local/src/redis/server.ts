import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { show, spawnChild, type Child } from '../child.ts';
import { freePort } from '../free-port.ts';
import { DURABLE, type RedisHandle } from './handle.ts';
import { serverInfo } from './probe.ts';

export interface RedisServerOptions {
  /** Path of a `redis-server` or `valkey-server`. */
  command: string;
  /** Kept by `stop()`. Without it a temporary folder, which `stop()` removes. */
  dataDir?: string;
  /** Default: a free one, another one if it is taken in the meantime. */
  port?: number;
  /** More of its settings, as words of its command line. */
  settings?: readonly string[];
  /** How long another server may still have the data folder open. Default 10,000. */
  busyTimeoutMs?: number;
}

const START_TIMEOUT_MS = 30_000;
const PORT_TRIES = 5;
/** Names the server that has a kept data folder open: two of them would destroy its append-only file. */
const OWNER_FILE = 'nightshift-redis.json';

/**
 * Starts a Redis on loopback that fsyncs every write. It runs in a process group of its own (Ctrl-C
 * in the terminal is for the program that stops it in order) and ends with this process, even if
 * that is killed. Rejects with the server's own last lines if it does not come up.
 */
export async function startRedisServer(options: RedisServerOptions): Promise<RedisHandle> {
  const temporary = options.dataDir === undefined;
  const dataDir = temporary
    ? await mkdtemp(join(tmpdir(), 'nightshift-redis-'))
    : resolve(options.dataDir as string);
  await mkdir(dataDir, { recursive: true });
  if (!temporary) await waitUntilUnowned(dataDir, options.busyTimeoutMs ?? 10_000);

  const launch = async (port: number): Promise<Child> => {
    const child = await spawnChild({
      name: 'redis-server',
      command: options.command,
      args: [
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dataDir],
        ...DURABLE,
        ...(options.settings ?? []),
      ],
      // Some versions refuse to start under a locale that the machine does not have.
      env: { ...process.env, LC_ALL: 'C' },
      ...(temporary && { removeIfOrphaned: dataDir }),
    });
    try {
      await untilServing(child, port);
    } catch (error) {
      await child.kill9();
      throw error;
    }
    if (!temporary) {
      await writeFile(join(dataDir, OWNER_FILE), JSON.stringify({ pid: child.pid, port }));
    }
    return child;
  };

  let started: { port: number; child: Child };
  try {
    started = await launchOnFreePort(launch, options.port);
  } catch (error) {
    if (temporary) await rm(dataDir, { recursive: true, force: true });
    throw error;
  }
  const { port } = started;
  let { child } = started;
  const url = `redis://127.0.0.1:${port}`;
  const { version } = await serverInfo(url);
  let stopping: Promise<void> | undefined;

  const end = async (): Promise<void> => {
    const ended = child.stop();
    child.signal('SIGCONT');
    await ended;
  };
  return {
    url,
    kind: 'server',
    describe: `${options.command} ${version} on 127.0.0.1:${port}, data in ${dataDir}`,
    get pid() {
      return child.pid;
    },
    async kill9() {
      await child.kill9();
    },
    async restart() {
      if (stopping) throw new Error(`redis-server on port ${port} was stopped for good`);
      await end();
      child = await onSamePort(async () => await launch(port));
    },
    async freeze() {
      child.signal('SIGSTOP');
    },
    async thaw() {
      child.signal('SIGCONT');
    },
    async stop() {
      stopping ??= (async () => {
        await end();
        if (temporary) await rm(dataDir, { recursive: true, force: true });
        else await rm(join(dataDir, OWNER_FILE), { force: true });
      })();
      await stopping;
    },
  };
}

async function launchOnFreePort(
  launch: (port: number) => Promise<Child>,
  wanted: number | undefined,
): Promise<{ port: number; child: Child }> {
  for (let tries = 1; ; tries += 1) {
    const port = wanted ?? (await freePort());
    try {
      return { port, child: await launch(port) };
    } catch (error) {
      const again = wanted === undefined && tries < PORT_TRIES && error instanceof PortTaken;
      if (!again) throw error;
    }
  }
}

/** The port may be lent for a moment to an outgoing connection of another program. */
async function onSamePort(launch: () => Promise<Child>): Promise<Child> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      return await launch();
    } catch (error) {
      if (!(error instanceof PortTaken) || performance.now() > deadline) throw error;
      await sleep(100);
    }
  }
}

class PortTaken extends Error {}

/** Serving means that this very process answers: another Redis may sit on the port. */
async function untilServing(child: Child, port: number): Promise<void> {
  let deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const info = await serverInfo(`redis://127.0.0.1:${port}`).catch(() => null);
    if (child.exit) {
      const exit = await child.exited;
      const text = `redis-server on port ${port} ended at its start (${show(exit)})\n${child.tail()}`;
      throw /already in use/i.test(text) ? new PortTaken(text) : new Error(text);
    }
    const ours = info?.processId === child.pid;
    if (ours && !info.loading) return;
    // A long append-only file takes as long as it takes.
    if (ours) deadline = performance.now() + START_TIMEOUT_MS;
    if (performance.now() > deadline) {
      throw new Error(
        `redis-server on port ${port} does not serve after ${START_TIMEOUT_MS} ms\n${child.tail()}`,
      );
    }
    await sleep(20);
  }
}

/** A server whose parent was killed is about to end by its watch; a second stack is a mistake. */
async function waitUntilUnowned(dataDir: string, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const owner = await readOwner(dataDir);
    if (!owner) return;
    const info = await serverInfo(`redis://127.0.0.1:${owner.port}`).catch(() => null);
    if (info?.processId !== owner.pid) return;
    if (performance.now() > deadline) {
      throw new Error(
        `${dataDir} is in use by redis-server (process ${owner.pid}, port ${owner.port}): ` +
          'stop the other stack, or set NIGHTSHIFT_DATA_DIR to another folder',
      );
    }
    await sleep(100);
  }
}

async function readOwner(dataDir: string): Promise<{ pid: number; port: number } | null> {
  try {
    const owner = JSON.parse(await readFile(join(dataDir, OWNER_FILE), 'utf8')) as unknown;
    const { pid, port } = owner as { pid?: unknown; port?: unknown };
    return typeof pid === 'number' && typeof port === 'number' ? { pid, port } : null;
  } catch {
    return null;
  }
}
