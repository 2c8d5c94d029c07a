import { parentPort, workerData } from 'node:worker_threads';
import { createLogger } from '@nightshift/shared/telemetry';
import { parseWorkerEnvironment } from '../config.ts';
import { openConductors, type ConductingSettings } from './open-conductors.ts';

export type ConductorThreadCommand = 'nudge' | 'stop';
/** What it says, once. */
export type ConductorThreadWord = 'conducting';

const settings = workerData as ConductingSettings;
const logger = createLogger('worker', parseWorkerEnvironment(settings.variables).LOG_LEVEL);
const conductors = await openConductors(settings, logger);

async function leave(): Promise<void> {
  await conductors.stop();
  // Of this thread alone: what might still hold it must not hold the process.
  process.exit();
}

parentPort?.on('message', (command: ConductorThreadCommand) => {
  if (command === 'nudge') conductors.nudge();
  else void leave();
});
await conductors.start();
parentPort?.postMessage('conducting' satisfies ConductorThreadWord);
