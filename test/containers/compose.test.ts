import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { eventually } from '@nightshift/local';
import { call, createCaller } from './support/caller.ts';
import { startComposeStack, type ComposeStack, type Container } from './support/compose-stack.ts';
import { docker, requireDocker } from './support/docker.ts';
import { buildImage, shellInImage, type Image } from './support/image.ts';

const JOBS = 30;
/** Of one worker: fewer than the jobs, so that both have some. */
const CONCURRENCY = 20;
/** Long enough that all jobs are at the provider when a worker is hurt, shorter than a worker's drain. */
const CALL_MS = 6000;

let image: Image;
let stack: ComposeStack;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

beforeAll(async () => {
  await requireDocker();
  image = await buildImage();
  console.log(`image: ${seconds(image.buildMs)}, ${(image.sizeBytes / 1e6).toFixed(0)} MB`);
});
afterAll(async () => {
  await image?.remove();
});

describe('the image', () => {
  test('says what it can run, without a network and on a read-only root', async () => {
    const said = await docker('run', '--rm', '--read-only', '--network', 'none', image.tag);
    expect(said).toContain('nightshift <command>');
  });

  test('has the built tree and nothing that only a build needs', async () => {
    const sources = String.raw`find /app -name '*.ts' -o -name src -path '/app/*/src' -not -path '*/node_modules/*'`;
    expect(await shellInImage(image.tag, sources)).toBe('');
    const packages = await shellInImage(image.tag, 'ls /app/node_modules/.pnpm');
    expect(packages).toMatch(/^bullmq@/m);
    expect(packages).not.toMatch(/^(node|typescript|turbo|vitest|knip|oxlint)@/m);
  });
});

describe('the compose file', () => {
  beforeAll(async () => {
    const startedAt = performance.now();
    stack = await startComposeStack({
      image: image.tag,
      workers: 2,
      concurrency: CONCURRENCY,
    });
    console.log(`compose up: all healthy after ${seconds(performance.now() - startedAt)}`);
  });
  afterAll(async () => {
    await stack?.down();
  });

  test('takes a job, for those with the key only, and settles it', async () => {
    showLogsOnFailure();
    expect((await call(stack, 'GET', '/v1/jobs', undefined, null)).status).toBe(401);
    const caller = createCaller(stack, 'first', 'gpt-4o-mini');
    await caller.submit(1);
    const [job] = await caller.completed(30_000);
    expect(job).toMatchObject({ status: 'completed', attempts: 1 });
  });

  test('runs every process as a user without rights, on a read-only root, for loopback alone', async () => {
    const ours = (await stack.containers()).filter(({ Name }) => !Name.includes('redis'));
    expect(ours).toHaveLength(4);
    for (const { Id, Name, HostConfig } of ours) {
      expect(HostConfig, Name).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'] });
      const look =
        'id -u; grep CapEff /proc/1/status; touch /app/x /etc/x; touch /tmp/x && echo "tmp can be written"';
      const found = await docker('exec', Id, 'sh', '-c', `{ ${look}; } 2>&1`);
      expect(found, Name).toMatch(/^1000\nCapEff:\t0{16}\n/);
      expect(found.match(/Read-only file system/g), Name).toHaveLength(2);
      expect(found, Name).toContain('tmp can be written');
    }
    const published = (await stack.containers()).flatMap(({ NetworkSettings }) =>
      Object.values(NetworkSettings.Ports).flatMap((ports) => ports ?? []),
    );
    expect(published.map(({ HostIp }) => HostIp)).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.1']);
  });

  test('lets a stopped worker finish what it has in flight', async () => {
    showLogsOnFailure();
    const { caller, victim } = await withJobsInFlight('drain');
    await docker('stop', victim.Id);
    expect((await inspect(victim)).State).toMatchObject({ Status: 'exited', ExitCode: 0 });
    const jobs = await caller.completed(30_000);
    expect(jobs.map(({ attempts }) => attempts)).toEqual(jobs.map(() => 1));
    await stack.up();
  });

  test('hands the jobs of a worker process that is killed to the others within 10 s', async () => {
    showLogsOnFailure();
    const { caller, victim } = await withJobsInFlight('crash');
    const killedAt = Date.now();
    await docker('exec', victim.Id, 'sh', '-c', KILL_NODE);
    await caller.completed(60_000);
    const again = await caller.repeatsSince(killedAt);
    report('killed process', again);
    expect(again.length).toBeGreaterThan(0);
    expect(again.length).toBeLessThanOrEqual(CONCURRENCY);
    expect(Math.max(...again)).toBeLessThan(10_000);
    // The restart policy brings the container back.
    await stack.up();
  });

  test('settles every job when a whole container is killed, its own within 30 s', async () => {
    showLogsOnFailure();
    const { caller, victim } = await withJobsInFlight('kill');
    await docker('kill', victim.Id);
    const killedAt = Date.now();
    await caller.completed(90_000);
    const again = await caller.repeatsSince(killedAt);
    report('killed container', again);
    expect(again.length).toBeGreaterThan(0);
    expect(again.length).toBeLessThanOrEqual(CONCURRENCY);
    expect(Math.max(...again)).toBeLessThan(30_000);
    await stack.up();
  });

  test('keeps everything that was accepted when Redis is killed', async () => {
    showLogsOnFailure();
    const { caller } = await withJobsInFlight('redis');
    const [redis] = await stack.containers('redis');
    await docker('kill', redis!.Id);
    await stack.up();
    await caller.completed(90_000);
  });
});

/** Its process id is looked up inside: `docker kill` would end the container with everything in it. */
const KILL_NODE = `
for process in /proc/[0-9]*; do
  case $(tr '\\0' ' ' <$process/cmdline) in
    */bin/node\\ */main.js\\ worker\\ ) kill -9 $(basename $process) ;;
  esac
done`;

/** All of these jobs are at the provider, on both workers; the second worker is the one to hurt. */
async function withJobsInFlight(name: string) {
  const caller = createCaller(stack, name, `sim-slow-${CALL_MS}--${name}`);
  await caller.submit(JOBS);
  await eventually(
    async () => (await caller.look()).every(({ status }) => status === 'in_progress'),
    { timeoutMs: CALL_MS, intervalMs: 50, describe: 'all jobs to be in progress at once' },
  );
  const victim = (await stack.containers('worker'))[1]!;
  return { caller, victim };
}

async function inspect({ Id }: Container): Promise<Container> {
  const all = await stack.containers();
  return all.find((container) => container.Id === Id)!;
}

function report(what: string, again: readonly number[]): void {
  const [first, last] = [Math.min(...again), Math.max(...again)];
  console.log(
    `${what}: ${again.length} calls made again after ${seconds(first)} to ${seconds(last)}`,
  );
}

function showLogsOnFailure(): void {
  onTestFailed(async () => {
    console.log(await stack.logs());
  });
}
