import { constants } from 'node:os';

/** The reason with which everything ends that a signal ends. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signalName: 'SIGINT' | 'SIGTERM' | 'SIGHUP';
  constructor(signalName: 'SIGINT' | 'SIGTERM' | 'SIGHUP') {
    super(`stopped by ${signalName}`);
    this.signalName = signalName;
  }
  /** 130 for Ctrl-C: what a shell reports for a program that the signal ended. */
  get exitCode(): number {
    return 128 + constants.signals[this.signalName];
  }
}

export interface StopRequests {
  /** From now on signals end the process as they would without us. Can be called twice. */
  dispose(): void;
}

/** One Ctrl-C can come twice, from the terminal and from the npm in front of us: within this time it is the same. */
const SAME_SIGNAL_MS = 300;

/**
 * The first SIGINT, SIGTERM or SIGHUP (a closed terminal) asks to stop in order, the second one to stop without waiting
 * for calls in flight, the third one ends this process as it is; then what it started ends by its own watch.
 */
export function onStopRequest(
  stop: (reason: Interrupted) => void,
  force: () => void,
): StopRequests {
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let count = 0;
  let lastAtMs = -Infinity;
  const listeners = names.map((name) => {
    const listener = (): void => {
      const nowMs = performance.now();
      const isSame = nowMs - lastAtMs < SAME_SIGNAL_MS;
      lastAtMs = nowMs;
      if (isSame) return;
      count += 1;
      if (count === 1) stop(new Interrupted(name));
      else if (count === 2) force();
      else process.exit(new Interrupted(name).exitCode);
    };
    process.on(name, listener);
    return { name, listener };
  });
  return {
    dispose: () => {
      for (const { name, listener } of listeners) process.off(name, listener);
    },
  };
}

/** A closed pipe or terminal takes no more text; that must not end the processes that were started. */
export function surviveClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
}
