import { SettingError } from '@nightshift/shared/config';
import { checkDurability, type RedisConnection } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';

export interface Fitness {
  /** Resolves once Redis was found fit or away. Rejects with a SettingError when it answers and is not fit. */
  firstLook: Promise<void>;
  isFit(): boolean;
  stop(): void;
}

/** A Redis on its way up answers within this; one that does not counts as away. */
const FIRST_LOOK_MS = 2000;

/**
 * Checks at the first contact that Redis keeps what it acknowledges. A later loss of the connection changes nothing:
 * the commands fail by themselves then.
 */
export function checkFitness({
  redis,
  isRelaxed,
  logger,
  onUnfit,
}: {
  redis: RedisConnection;
  isRelaxed: boolean;
  logger: Logger;
  onUnfit: (error: SettingError) => void;
}): Fitness {
  let isFit = false;
  let isFirst = true;
  const first = Promise.withResolvers<void>();
  const over = (): void => {
    isFirst = false;
    clearTimeout(timer);
    redis.off('error', onAway);
    first.resolve();
  };
  const onAway = (): void => {
    over();
  };
  const look = async (): Promise<void> => {
    if (isFit) return;
    try {
      if (!isRelaxed) await checkDurability(redis);
      isFit = true;
      over();
    } catch (error) {
      // Gone again before it could say; the next contact is the first.
      if (!(error instanceof SettingError)) return;
      if (isFirst) first.reject(error);
      else onUnfit(error);
    }
  };
  const onReady = (): void => {
    look().catch((error: unknown) => {
      logger.error({ err: error as Error }, 'redis.check_failed');
    });
  };
  const timer = setTimeout(over, FIRST_LOOK_MS);
  redis.on('ready', onReady);
  redis.on('error', onAway);
  if (redis.status === 'ready') onReady();
  return {
    firstLook: first.promise,
    isFit: () => isFit,
    stop: () => {
      clearTimeout(timer);
      redis.off('ready', onReady);
      redis.off('error', onAway);
      first.resolve();
    },
  };
}
