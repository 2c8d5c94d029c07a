import { text } from 'node:stream/consumers';
import { createLaneQueues } from '@nightshift/shared/bullmq';
import { priorities, type Priority } from '@nightshift/shared/job';
import { connectRedis, createKeys, whenReady } from '@nightshift/shared/redis';
import { createLogger } from '@nightshift/shared/telemetry';
import { parseWorkerEnvironment } from '../config.ts';

/** Gives up after this long: by then the locks have run out, and other workers have taken the jobs. */
const GIVE_UP_MS = 60_000;

/** Hands back what a dead worker held: standard input has one line `LANE PRIORITY BULL_WORKER_ID` for each queue. */
const environment = parseWorkerEnvironment();
const logger = createLogger('rescuer', environment.LOG_LEVEL);
const redis = connectRedis(environment.REDIS_URL, 'durable', logger);
const queues = createLaneQueues({ redis, keys: createKeys(environment.NIGHTSHIFT_KEY_PREFIX) });
setTimeout(() => {
  logger.warn('rescue.gave_up');
  process.exit(1);
}, GIVE_UP_MS).unref();

const lines = (await text(process.stdin)).split('\n').map((line) => line.split(' '));
await whenReady(redis);
let returned = 0;
for (const [laneId = '', priority = '', bullWorkerId = ''] of lines) {
  if (isPriority(priority)) returned += await queues.returnHeldBy(laneId, priority, bullWorkerId);
}
logger.info({ returned }, 'rescue.done');
await queues.close();
redis.disconnect();

function isPriority(word: string): word is Priority {
  return (priorities as readonly string[]).includes(word);
}
