import { connectRedis, type RedisConnection } from '@nightshift/shared/redis';
import { createLogger } from '@nightshift/shared/telemetry';
import { SettingError, type Configuration } from '@nightshift/shared/config';
import { exitCodes } from '../bulk/exit-codes.ts';
import { serverOptions } from '../bulk/server.ts';
import { bulkCommand, type Session } from '../bulk/session.ts';
import { columnsOf } from '../live-block.ts';
import { createApiReader } from './api-reader.ts';
import { note, wrong, type Check } from './check.ts';
import { isApiReady, judgeApi, lookAtApi, type ApiLook } from './check-api.ts';
import { askProvider, judgeProvider, judgeRoutes, type ProviderLook } from './check-providers.ts';
import { judgeRedis, judgeSkew, lookAtRedis, type RedisLook } from './check-redis.ts';
import { checkStorage } from './check-storage.ts';
import { judgeBatches, judgeLanes, judgeWorkers, type LaneLook } from './check-work.ts';
import { createRedisWork } from './lost-deliveries.ts';
import { reportLines, reportOf } from './report.ts';
import { readDoctorSettings, settingFault, type DoctorSettings } from './settings.ts';

const help = {
  usage: 'doctor [flags]',
  about: [
    'Checks Redis, the settings, the providers and their keys (with a free call), storage, the API, the workers, and what is waiting and why. The first line names the most important cause and its fix; below it is a line for each check. Jobs whose queue entries were lost are requeued.',
    'Run it with the environment of the API and the workers. Exits with 0 if nothing is wrong, 1 if something is, 2 if the command line is wrong.',
  ],
  words: { least: 0, most: 0, names: '' },
  options: {
    'This command': {
      json: { about: 'the report as JSON' },
      ...serverOptions,
    },
  },
  examples: ['nightshift doctor', "nightshift doctor --json | jq -r '.cause'"],
};

export const runDoctor = bulkCommand(help, async (session) => {
  const { line, stdout } = session;
  session.onInterrupt('Stopped.');
  const report = reportOf(await allChecks(session));
  if (line.has('json')) stdout.write(`${JSON.stringify(report)}\n`);
  else {
    const width = stdout.isTTY ? columnsOf(stdout) : Infinity;
    const color = stdout.isTTY && stdout.hasColors();
    stdout.write(`${reportLines(report, { width, color }).join('\n')}\n`);
  }
  return report.ok ? exitCodes.success : exitCodes.failure;
});

async function allChecks(session: Session): Promise<Check[]> {
  const { environment, server, signal, clock } = session;
  const settings = readDoctorSettings(environment);
  const { common, configuration } = settings;
  const redis =
    common === null
      ? null
      : connectRedis(common.REDIS_URL, 'request', createLogger('doctor', 'silent'));
  try {
    const [redisLook, api, providers, storage] = await Promise.all([
      redis === null ? null : lookAtRedis(redis, clock),
      lookAtApi(createApiReader(server, signal)),
      checkProviders(settings, signal),
      storageCheck(environment),
    ]);
    const work = await checkWork({ session, redis, redisLook, api, settings });
    return [
      ...settings.checks,
      ...(redisLook === null || common === null
        ? []
        : judgeRedis(redisLook, {
            place: withoutPassword(common.REDIS_URL),
            isRelaxed: common.DURABILITY === 'relaxed',
            isGiven: (environment['REDIS_URL'] ?? '') !== '',
            isApiReady: isApiReady(api),
          })),
      ...providers,
      ...(configuration === null ? [] : foreignLanes(configuration, environment, api)),
      storage,
      judgeApi(server.url, api),
      ...apiClock(api, clock.now()),
      ...work,
    ];
  } finally {
    redis?.disconnect();
  }
}

/** The checks of the providers and of the routes to them. */
async function checkProviders(
  { configuration, namesProvider }: DoctorSettings,
  signal: AbortSignal,
): Promise<Check[]> {
  if (configuration === null) return [];
  if (!namesProvider) {
    const message =
      'not checked: neither OPENAI_API_KEY nor OPENAI_BASE_URL nor NIGHTSHIFT_CONFIG is set here';
    return [
      note('provider', message, 'Set them to the values that the workers have, to check it.'),
    ];
  }
  const looks = new Map<string, ProviderLook>(
    await Promise.all(
      [...configuration.providers.values()].map(
        async (provider) => [provider.name, await askProvider(provider, signal)] as const,
      ),
    ),
  );
  const judged = [...configuration.providers.values()].flatMap((provider) => {
    const look = looks.get(provider.name);
    return look === undefined ? [] : [judgeProvider(provider, look)];
  });
  return [...judged, ...judgeRoutes(configuration, looks)];
}

async function storageCheck(environment: Session['environment']): Promise<Check> {
  try {
    return await checkStorage(environment);
  } catch (error) {
    if (error instanceof SettingError) return settingFault(error.message);
    throw error;
  }
}

/** Workers, lanes, batches and deliveries: from the API, or lanes from Redis if the API is away. */
async function checkWork({
  session,
  redis,
  redisLook,
  api,
  settings,
}: {
  session: Session;
  redis: RedisConnection | null;
  redisLook: RedisLook | null;
  api: ApiLook;
  settings: DoctorSettings;
}): Promise<Check[]> {
  const { configuration, common } = settings;
  const unknown = (name: string): Check =>
    note(
      name,
      `unknown: ${api.refusal ?? (api.live.kind === 'away' ? 'the API is away' : 'the API does not list them')}`,
    );
  const workers = api.workers === 'old' ? null : api.workers;
  const checks: Check[] = [
    api.workers === null ? unknown('workers') : judgeWorkers(workers, session.clock.now()),
  ];
  const work =
    redis === null || redisLook?.kind !== 'there' || common === null
      ? null
      : createRedisWork(redis, {
          keyPrefix: common.NIGHTSHIFT_KEY_PREFIX,
          retentionMs: configuration?.retention.jobsMs ?? 0,
          maxLanes: configuration?.limits.lanes ?? 1,
        });
  try {
    const lanes = api.lanes?.map(laneLook) ?? (await work?.lanes().catch(() => null)) ?? null;
    checks.push(...(lanes === null ? [unknown('lanes')] : judgeLanes(lanes)));
    checks.push(
      ...(api.batches === null
        ? [unknown('batches')]
        : judgeBatches(api.batches.data, api.batches.isComplete)),
    );
    if (work !== null) checks.push(await work.mend(workers));
  } finally {
    await work?.close();
  }
  return checks;
}

type ApiLane = NonNullable<ApiLook['lanes']>[number];

const laneLook = ({ id, provider, model, state, reason, message }: ApiLane): LaneLook => ({
  ...{ id, provider, model, state, reason, message },
});

/** Lanes with work whose provider is missing in the configuration: workers with that configuration do not call them. */
function foreignLanes(
  { providers }: Configuration,
  environment: Session['environment'],
  { lanes }: ApiLook,
): Check[] {
  // Without a file here, the workers may still have one that names other providers.
  if ((environment['NIGHTSHIFT_CONFIG'] ?? '') === '') return [];
  return (lanes ?? [])
    .filter(
      ({ provider, queued }) => !providers.has(provider) && queued.interactive + queued.bulk > 0,
    )
    .map(({ model, provider }) =>
      wrong(
        'models',
        'models',
        `Jobs wait for ${model} at ${provider}, a provider that the configuration does not name`,
        `Add ${provider} to the providers of NIGHTSHIFT_CONFIG and restart the workers, or cancel these jobs.`,
      ),
    );
}

/** The header has whole seconds, and the answer took time to arrive. */
const DATE_GRAIN_MS = 1500;

function apiClock({ live }: ApiLook, nowMs: number): Check[] {
  if (live.kind === 'away' || live.dateMs === null) return [];
  const skewMs = Math.max(0, Math.abs(nowMs - live.dateMs) - DATE_GRAIN_MS);
  const check = judgeSkew('api clock', skewMs, "the API's clock");
  return check.state === 'ok' ? [] : [check];
}

/** Handles all forms of the URL, including several hosts. */
const withoutPassword = (url: string): string =>
  url.replace(/\/\/.*@/, '//').replace(/[?#].*$/, '');
