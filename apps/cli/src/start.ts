import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findOrStartRedis, type RedisHandle } from '@nightshift/local';
import { SettingError } from '@nightshift/shared/config';
import { readStartSettings, type Environment, type StartSettings } from './config.ts';
import { readSwitches, usageText } from './flags.ts';
import { lockDataDir } from './stack/data-lock.ts';
import { consoleLine } from './stack/log-line.ts';
import { whyNotListen } from './stack/ports.ts';
import { createProcesses, type ProcessSpec, type Processes } from './stack/processes.ts';
import { superviseProcess, superviseRedis } from './stack/restartable.ts';
import { apiSpec, apiUrl, simulatedProvider, simulatorSpec, workerSpec } from './stack/services.ts';
import { onStopRequest, surviveClosedOutput } from './stack/signals.ts';
import { welcome } from './welcome.ts';

const ABOUT = `The stack for local use: Redis with its data kept, the API, one worker. Set in the environment:
  HOST, PORT             where the API listens (127.0.0.1, 3000)
  NIGHTSHIFT_DATA_DIR    where data and logs are (./data)
  OPENAI_API_KEY, OPENAI_BASE_URL    the provider; with neither it is simulated
  REDIS_URL              a Redis to use instead of an own one
  NIGHTSHIFT_API_KEYS    TENANT:KEY,… that callers must present`;

/** A second Ctrl-C: not the end in order that 0 says. */
const FORCED = 130;
/** How long what a killed stack left may take to let go of the port. */
const LEFT_BEHIND_MS = 15_000;

/** Runs the stack until a signal. Resolves with the exit code: 0 when it was stopped in order, 1 when it cannot start, 130 when the end was forced. */
export async function runStart(environment: Environment, args: readonly string[]): Promise<number> {
  if (readSwitches(args, {}).has('help')) {
    console.log(usageText('start', ABOUT, {}));
    return 0;
  }
  const settings = readStartSettings(environment);
  surviveClosedOutput();
  await mkdir(settings.dataDir, { recursive: true });
  const url = apiUrl(settings.host, settings.port);
  const lock = await lockDataDir(settings.dataDir, `process ${process.pid}, ${url}`);
  const ending = new AbortController();
  let processes: Processes | undefined;
  let wasForced = false;
  const signals = onStopRequest(
    (reason) => {
      console.log('\nStopping; workers finish or hand back what they hold. Once more to force.');
      ending.abort(reason);
    },
    () => {
      wasForced = true;
      processes?.forceStop();
    },
  );
  let redis: RedisHandle | undefined;
  let code = 0;
  try {
    await checkPort(settings, lock.wasLeftBehind ? LEFT_BEHIND_MS : 0, ending.signal);
    redis = await findOrStartRedis({
      docker: 'compose',
      dataDir: join(settings.dataDir, 'redis'),
      announce: (line) => console.log(line),
    });
    ending.signal.throwIfAborted();
    processes = createProcesses({
      logDir: join(settings.dataDir, 'logs'),
      env: { REDIS_URL: redis.url, NIGHTSHIFT_DATA_DIR: settings.dataDir },
      onUnexpectedEnd: () => {},
      onLine: (name, line) => {
        const text = consoleLine(name, line);
        if (text !== null) console.log(text);
      },
    });
    await runStack(settings, redis, processes, ending.signal);
  } catch (error) {
    // What fails because the stack is ending is no failure.
    if (!ending.signal.aborted) {
      report(error);
      code = 1;
    }
  } finally {
    ending.abort();
    await processes?.stop().catch(report);
    await redis?.stop().catch(report);
    await lock.release();
    signals.dispose();
    if (processes !== undefined) console.log('Stopped.');
  }
  return wasForced ? FORCED : code;
}

/** Starts all, tells where it is, and keeps it running. Resolves at the signal. */
async function runStack(
  settings: StartSettings,
  redis: RedisHandle,
  processes: Processes,
  signal: AbortSignal,
): Promise<void> {
  const { provider, host, port, dataDir } = settings;
  const specs: ProcessSpec[] = [apiSpec(host, port), workerSpec('worker')];
  if (provider.simulated) {
    const { spec, url } = await simulatorSpec(['--latency', 'lognormal:600,0.4']);
    for (const service of specs) service.env = { ...service.env, ...simulatedProvider(url) };
    specs.unshift(spec);
  }
  const parts = await Promise.all(
    specs.map(async (spec) => ({ spec, child: await processes.start(spec) })),
  );
  signal.throwIfAborted();
  console.log(
    welcome({
      url: apiUrl(host, port),
      provider: provider.describe,
      redis: redis.describe,
      dataDir,
      hasApiKeys: settings.hasApiKeys,
    }),
  );
  const watch = { signal, say: (line: string) => console.log(line) };
  await Promise.all([
    superviseRedis(redis, watch),
    ...parts.map(async ({ spec, child }) => superviseProcess(processes, spec, child, watch)),
  ]);
}

/** Looked at before anything is started: the API's own complaint would come after half of the stack. */
async function checkPort(
  { host, port }: StartSettings,
  patienceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const why = await whyNotListen(host, port);
    if (why === null) return;
    signal.throwIfAborted();
    if (why !== 'EADDRINUSE') throw new SettingError(whyWrong(host, port, why));
    if (performance.now() >= deadline) {
      throw new SettingError(
        `PORT: ${port} is taken on ${host}: stop what listens there, or take another port: PORT=${port === 65_535 ? 3000 : port + 1} npm start`,
      );
    }
    await sleep(100);
  }
}

function whyWrong(host: string, port: number, code: string): string {
  if (code === 'EACCES') return `PORT: ${port} is not allowed to this user: take one above 1023`;
  return `HOST: must be a name or address of this machine, got "${host}" (${code})`;
}

function report(error: unknown): void {
  console.error(`nightshift start: ${(error as Error).message}`);
}
