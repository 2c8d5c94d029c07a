import { startWorker } from '../../src/worker.ts';
import { moments, stepBy, steps } from './steps.ts';

/**
 * A worker process that sends itself a signal at one step of one batch:
 * `stepping-worker.ts BATCH STEP MOMENT SIGKILL|SIGSTOP`. It conducts no other batch.
 */
const [, , batchId = '', ...point] = process.argv;
const step = steps.find((name) => name === point[0]);
const moment = moments.find((name) => name === point[1]);
const signal = (['SIGKILL', 'SIGSTOP'] as const).find((name) => name === point[2]);
if (step === undefined || moment === undefined || signal === undefined) {
  throw new Error(`there is no step ${point.join(' ')}`);
}
const worker = await startWorker(process.env, undefined, (hands) =>
  stepBy(hands, { batchId, step, moment }, () => {
    process.stdout.write(`struck ${step} ${moment}\n`);
    process.kill(process.pid, signal);
    process.stdout.write(`woken ${step} ${moment}\n`);
  }),
);
process.once('SIGTERM', () => void worker.stop());
