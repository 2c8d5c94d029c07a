import { BroadcastChannel, parentPort, workerData } from 'node:worker_threads';
import type { ConductingSettings } from '../../src/batches/open-conductors.ts';

/** In place of a thread of conductors: tells what it hears on CHANNEL, and does what ON_START, ON_NUDGE and ON_STOP say. */
const { variables, workerId } = workerData as ConductingSettings;
const telling = new BroadcastChannel(variables['CHANNEL'] ?? '');

const deeds: Readonly<Record<string, () => void>> = {
  throw: () => {
    throw new Error('struck');
  },
  reject: () => void Promise.reject(new Error('struck')),
  leave: () => process.exit(),
};
const obey = (event: 'start' | 'nudge' | 'stop'): void => {
  telling.postMessage({ workerId, event });
  deeds[variables[`ON_${event.toUpperCase()}`] ?? '']?.();
};

parentPort?.on('message', obey);
obey('start');
parentPort?.postMessage('conducting');
