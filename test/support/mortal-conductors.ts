import { BroadcastChannel, isMainThread, threadName } from 'node:worker_threads';

/**
 * Loaded into a worker process before all else (`NODE_OPTIONS=--import`), it has the thread of its conductors die of an
 * uncaught error whenever the process gets SIGUSR2.
 */
const channel = new BroadcastChannel('mortal-conductors');
channel.unref();
if (isMainThread) process.on('SIGUSR2', () => channel.postMessage('die'));
else if (threadName === 'conductors') {
  channel.addEventListener('message', () => {
    throw new Error('struck');
  });
}
