export {
  aliveWorkers,
  BEAT_EVERY_MS,
  FORGOTTEN_AFTER_MS,
  isFleetBusy,
  slotsFor,
  workerState,
  workerStates,
  type Fleet,
  type FleetWorker,
  type WorkerBeat,
} from './worker.ts';
