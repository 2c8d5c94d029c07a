import type { Governor } from './lane-pacer.ts';
import { createConcurrencyController, type ConcurrencyController } from './concurrency.ts';
import type { EngineQueue } from './engine-queue.ts';

const WATCHED_FROM = 16;

/** Looks after a lane's concurrency while this worker is the one that does. */
export function createGovernor(engine: EngineQueue): Governor {
  let controller: ConcurrencyController | null = null;
  return {
    decide: (reply, nowMs) => {
      if (reply.governs === null || reply.limited) {
        controller = null;
        return null;
      }
      const { state, done } = reply.governs;
      controller ??= createConcurrencyController(state);
      const limit = controller.step({
        nowMs,
        inFlight: reply.inFlight,
        calls: done.calls,
        ms: done.ms,
        output: done.output,
        overloaded: done.overloaded,
        // A lane with little to do needs no watching.
        queued: reply.inFlight >= WATCHED_FROM || engine.isKnown ? engine.look(nowMs) : null,
      });
      return limit === null ? null : { limit, state: controller.kept };
    },
  };
}
