import { randomUUID } from 'node:crypto';
import { eventually, freePort } from '@nightshift/local';
import { composeCommand, docker, remains, run } from './docker.ts';

const HEALTHY_TIMEOUT_MS = 120_000;

/** The part of `docker inspect` that is looked at. */
export interface Container {
  Id: string;
  Name: string;
  State: { Status: string; ExitCode: number; Health: { Status: string } };
  HostConfig: { ReadonlyRootfs: boolean; CapDrop: string[]; SecurityOpt: string[] };
  NetworkSettings: { Ports: Record<string, { HostIp: string; HostPort: string }[] | null> };
}

export interface ComposeStack {
  apiUrl: string;
  /** With `/v1`, as seen from here. */
  simulatorUrl: string;
  /** All containers of a service, or of all services, in the order of their numbers. */
  containers(service?: string): Promise<Container[]>;
  /** Brings everything up that is not, and waits until all are healthy. */
  up(): Promise<void>;
  logs(): Promise<string>;
  /** Containers, network, volumes. Rejects if anything is left. Can be called twice. */
  down(): Promise<void>;
}

/** The repository's compose file with the simulated provider, in a project and on ports of its own. */
export async function startComposeStack(options: {
  image: string;
  workers: number;
  concurrency: number;
}): Promise<ComposeStack> {
  const [command, ...before] = await composeCommand();
  const project = `nightshift-test-${randomUUID().slice(0, 8)}`;
  const apiPort = await freePort();
  const simulatorPort = await freePort();
  const env = {
    ...process.env,
    COMPOSE_PROFILES: 'simulator',
    NIGHTSHIFT_IMAGE: options.image,
    NIGHTSHIFT_API_PORT: String(apiPort),
    NIGHTSHIFT_SIMULATOR_PORT: String(simulatorPort),
    NIGHTSHIFT_REDIS_PORT: '',
    NIGHTSHIFT_API_KEYS: '',
    OPENAI_BASE_URL: 'http://simulator:4000/v1',
    OPENAI_API_KEY: 'simulated',
    WORKER_CONCURRENCY: String(options.concurrency),
    WORKER_DRAIN_MS: '',
    LOG_LEVEL: 'info',
  };
  const compose = async (...args: string[]): Promise<string> => {
    const all = [...before, '-p', project, '-f', 'docker-compose.yml', ...args];
    return (await run(command, all, { env, timeoutMs: 300_000 })).stdout;
  };
  const label = `com.docker.compose.project=${project}`;

  const stack: ComposeStack = {
    apiUrl: `http://127.0.0.1:${apiPort}`,
    simulatorUrl: `http://127.0.0.1:${simulatorPort}/v1`,
    async containers(service) {
      const filters = [`label=${label}`];
      if (service !== undefined) filters.push(`label=com.docker.compose.service=${service}`);
      const ids = await docker('ps', '-aq', ...filters.flatMap((filter) => ['--filter', filter]));
      if (ids === '') return [];
      const found = JSON.parse(await docker('inspect', ...ids.split('\n'))) as Container[];
      return found.toSorted((left, right) => left.Name.localeCompare(right.Name));
    },
    async up() {
      await compose('up', '-d', '--no-build', '--scale', `worker=${options.workers}`);
      await eventually(
        async () => {
          const states = (await stack.containers()).map(({ Name, State }) => ({
            name: Name,
            health: State.Health.Status,
          }));
          const sick = states.filter(({ health }) => health !== 'healthy');
          if (sick.length > 0) throw new Error(JSON.stringify(sick));
          return states.length > 0;
        },
        {
          timeoutMs: HEALTHY_TIMEOUT_MS,
          intervalMs: 250,
          describe: 'all containers to be healthy',
        },
      );
    },
    logs: async () => await compose('logs', '--no-color', '--tail', '30'),
    async down() {
      await compose('down', '--volumes', '--remove-orphans');
      const left = await remains(label);
      if (left.length > 0) throw new Error(`compose down left behind: ${left.join(', ')}`);
    },
  };
  try {
    await stack.up();
  } catch (error) {
    const logs = await stack.logs().catch(() => '');
    await stack.down();
    throw new Error(`the stack does not come up\n${logs}`, { cause: error });
  }
  return stack;
}
