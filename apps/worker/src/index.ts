export { runWorker, startWorker, type WorkerHandle } from './worker.ts';
