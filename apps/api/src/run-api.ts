import { setTimeout as delay } from 'node:timers/promises';
import { SettingError } from '@nightshift/shared/config';
import { createLogger, logLevels, type LogLevel } from '@nightshift/shared/telemetry';
import type { Environment } from './config.ts';
import { startApi, type RunningApi } from './start-api.ts';

/** Long enough for calls that are being answered, and within the 30 s that Compose and Kubernetes allow. */
const STOP_WITHIN_MS = 14_000;

/**
 * `nightshift api`: runs until SIGTERM or SIGINT, then ends the process with 0; with 1 and one line on stderr for a
 * wrong setting. A second signal ends it at once.
 */
export async function runApi(environment: Environment): Promise<void> {
  const logger = createLogger('api', levelOf(environment));
  let api: RunningApi;
  try {
    api = await startApi(environment, {
      logger,
      onUnfit: (error) => {
        logger.fatal(error.message);
        process.exit(1);
      },
    });
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    process.stderr.write(`nightshift api: ${error.message}\n`);
    process.exit(1);
  }
  logger.info({ url: api.url }, 'api.listening');
  const signal = await firstSignal();
  logger.info({ signal }, 'api.stopping');
  const isInOrder = await Promise.race([
    api.close().then(() => true),
    delay(STOP_WITHIN_MS, false),
  ]);
  // Accepted jobs whose delivery was not queued are still in the outbox.
  if (isInOrder) logger.info('api.stopped');
  else logger.warn('api.stop_cut_short');
  process.exit(0);
}

async function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isStopping = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (isStopping) process.exit(1);
      isStopping = true;
      resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

/** A wrong level is reported by the parse of the whole environment, which needs a logger before. */
function levelOf({ LOG_LEVEL: level = '' }: Environment): LogLevel {
  return logLevels.find((known) => known === level) ?? 'info';
}
