import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { eventually, freePort, spawnChild, startRedisServer } from '@nightshift/local';

/** The server program of this machine, if it has one: with REDIS_URL or Docker alone there is none to start. */
export const redisServer: string | undefined = ['redis-server', 'valkey-server'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);

export interface Topology {
  /** For `REDIS_URL`. */
  url: string;
  stop(): Promise<void>;
}

/** Sentinel watches one master and its replica. */
export interface Watched extends Topology {
  killMaster(): Promise<void>;
}

const HOST = '127.0.0.1';
const MASTER = 'nightshift';

async function ask(port: number, ...command: [string, ...string[]]): Promise<unknown> {
  const node = new Redis(port, HOST);
  node.on('error', () => {
    // Not up yet; it tries again.
  });
  try {
    return await node.call(...command);
  } finally {
    node.disconnect();
  }
}

/** Three masters, which share the slots. */
export async function startCluster(command: string): Promise<Topology> {
  const nodes = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const [port, busPort] = [await freePort(), await freePort()];
      const settings = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort)];
      const handle = await startRedisServer({ command, port, settings });
      return { handle, port, busPort };
    }),
  );
  const [first] = nodes;
  const share = Math.ceil(16_384 / nodes.length);
  for (const [at, { port }] of nodes.entries()) {
    const [from, to] = [at * share, Math.min((at + 1) * share, 16_384) - 1];
    await ask(port, 'CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
    await ask(port, 'CLUSTER', 'SET-CONFIG-EPOCH', String(at + 1));
    if (first === undefined || at === 0) continue;
    await ask(port, 'CLUSTER', 'MEET', HOST, String(first.port), String(first.busPort));
  }
  for (const { port } of nodes) {
    await eventually(
      async () =>
        /cluster_state:ok[^]*cluster_known_nodes:3/.test(
          String(await ask(port, 'CLUSTER', 'INFO')),
        ),
      { describe: `the node on port ${port} to know all others` },
    );
  }
  return {
    url: `redis+cluster://${nodes.map(({ port }) => `${HOST}:${port}`).join(',')}`,
    stop: async () => {
      await Promise.all(nodes.map(async ({ handle }) => handle.stop()));
    },
  };
}

/** A master, its replica, and one Sentinel that makes the replica the master when the master is gone. */
export async function startWatched(command: string): Promise<Watched> {
  const master = await startRedisServer({ command });
  const { port } = new URL(master.url);
  const replica = await startRedisServer({ command, settings: ['--replicaof', HOST, port] });
  await eventually(
    async () =>
      /connected_slaves:1[^]*state=online/.test(
        String(await ask(Number(port), 'INFO', 'replication')),
      ),
    { describe: 'the replica to follow' },
  );
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-sentinel-'));
  const file = join(folder, 'sentinel.conf');
  const sentinelPort = await freePort();
  const lines = [
    `port ${sentinelPort}`,
    `bind ${HOST}`,
    `dir ${folder}`,
    `sentinel monitor ${MASTER} ${HOST} ${port} 1`,
    `sentinel down-after-milliseconds ${MASTER} 1000`,
    `sentinel failover-timeout ${MASTER} 5000`,
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  const sentinel = await spawnChild({
    name: 'sentinel',
    command,
    args: [file, '--sentinel'],
    removeIfOrphaned: folder,
  });
  await eventually(
    async () => {
      const replicas = await ask(sentinelPort, 'SENTINEL', 'REPLICAS', MASTER);
      return Array.isArray(replicas) && replicas.length === 1;
    },
    { describe: 'Sentinel to know the replica' },
  );
  return {
    url: `redis+sentinel://${HOST}:${sentinelPort}/${MASTER}`,
    killMaster: async () => master.kill9(),
    stop: async () => {
      await sentinel.stop();
      await Promise.all([replica.stop(), master.stop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
