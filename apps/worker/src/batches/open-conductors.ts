import { configuredBlobsAt, openConfiguredBlobs } from '@nightshift/blobs';
import { createLaneQueues } from '@nightshift/shared/bullmq';
import { systemClock } from '@nightshift/shared/clock';
import type { Configuration } from '@nightshift/shared/config';
import {
  connectRedis,
  createConductorStore,
  createFairShare,
  createJobStore,
  createKeys,
  createLaneStore,
  loadScripts,
  watchMemory,
} from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';
import { parseWorkerEnvironment } from '../config.ts';
import type { ConductorDependencies } from './conductor.ts';
import { createConductors, type Conductors } from './conductors.ts';

/** What stands in the environment and was read from it: it goes into a thread as it is. */
export interface ConductingSettings {
  variables: Readonly<Record<string, string | undefined>>;
  configuration: Configuration;
  /** Under which the batches are held. */
  workerId: string;
}

/**
 * Conductors with all that they need opened for them alone, since in a thread there is nothing else; it closes when they
 * are stopped. `hands`: what their effects go through instead.
 */
export async function openConductors(
  { variables, configuration, workerId }: ConductingSettings,
  logger: Logger,
  hands?: Pick<ConductorDependencies, 'store' | 'blobs'>,
): Promise<Conductors> {
  const environment = parseWorkerEnvironment(variables);
  const blobs = await openConfiguredBlobs(variables);
  const keys = createKeys(environment.NIGHTSHIFT_KEY_PREFIX);
  const redis = connectRedis(environment.REDIS_URL, 'durable', logger);
  const run = loadScripts(redis);
  const { retention, limits } = configuration;
  const fairShare = createFairShare({ run, keys });
  // Lines are bulk, and those of different batches always take turns.
  const queues = createLaneQueues({ redis, keys, share: () => fairShare });
  const memory = watchMemory({ redis, logger });
  const conductors = createConductors({
    store:
      hands?.store ?? createConductorStore({ redis, run, keys, retentionMs: retention.batchesMs }),
    jobs: createJobStore({ redis, run, keys, retentionMs: retention.jobsMs }),
    lanes: createLaneStore({ redis, run, keys, maxLanes: limits.lanes }),
    queues,
    blobs: hands?.blobs ?? blobs,
    memory,
    blobsAt: configuredBlobsAt(variables),
    configuration,
    clock: systemClock,
    logger,
    workerId,
  });

  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await conductors.stop();
    memory.stop();
    await queues.close();
    await blobs.close();
    redis.disconnect();
  };
  return {
    ...conductors,
    stop: async () => {
      stopped ??= stop();
      await stopped;
    },
  };
}
