import { configuredLimits, type Configuration } from '@nightshift/shared/config';
import type { Priority } from '@nightshift/shared/job';
import { laneStanding, type Lane } from '@nightshift/shared/lane';
import type {
  BudgetStore,
  Keys,
  LaneStore,
  RedisConnection,
  Subscriber,
} from '@nightshift/shared/redis';
import type { AttemptDependencies } from '../attempt/run-attempt.ts';
import { createProvider, type Provider } from '../provider/index.ts';
import { createEngineQueue, noEngineQueue, type EngineQueue } from '../pacing/engine-queue.ts';
import { createGovernor } from '../pacing/governor.ts';
import { createLaneLog } from '../pacing/lane-log.ts';
import { createLanePacer, type LanePacer } from '../pacing/lane-pacer.ts';
import { createTokenNeeds, type TokenNeeds } from '../pacing/token-needs.ts';
import type { CredentialHealth } from './lane-health.ts';
import { createLaneWorker, type LaneWorker } from './lane-worker.ts';
import { createSlots } from './slots.ts';
import { createStandingLog } from './standing-log.ts';

export interface FleetOptions {
  redis: RedisConnection;
  keys: Keys;
  lanes: LaneStore;
  budgets: BudgetStore;
  subscriber: Subscriber;
  configuration: Configuration;
  concurrency: number;
  attempt: AttemptDependencies;
  /** A round trip for a lane's budget was made. */
  onPaced: (lane: Lane) => void;
  onEstimate: (model: string, error: { ratio: number; mean: number }) => void;
  onReading: (laneId: string, priority: Priority, bullWorkerId: string) => void;
}

/** The lanes that this process works on: all that are known, each with its readers. */
export interface Fleet {
  start(): Promise<void>;
  /** Takes nothing more; calls in flight get `drainMs` to come back, the rest is handed back to its queues. */
  stop(drainMs: number): Promise<void>;
  readonly laneCount: number;
  readonly slotsUsed: number;
}

/** Changes are announced; this is for what was missed. */
const LOOK_AROUND_MS = 2000;
/** Slots change with every call; sharing them out anew more often than this would only cost. */
const REBALANCE_MS = 20;

export function createFleet(options: FleetOptions): Fleet {
  const { keys, lanes, configuration, attempt } = options;
  const { logger, clock, inFlight } = attempt;
  const slots = createSlots(options.concurrency);
  const standings = createStandingLog(lanes, logger);
  const workers = new Map<string, LaneWorker>();
  const providers = new Map<string, Provider>();
  const credentials = new Map<string, CredentialHealth>();
  const engines: EngineQueue[] = [];
  const unserved = new Set<string>();
  const stopping = new AbortController();
  let lookAround: NodeJS.Timeout | undefined;
  let stopped: Promise<void> | undefined;
  let rebalanceTimer: NodeJS.Timeout | undefined;

  slots.onChange(() => {
    // One lane has all the slots to itself; there is nothing to share out.
    if (workers.size < 2) {
      for (const worker of workers.values()) worker.rebalance();
      return;
    }
    rebalanceTimer ??= setTimeout(() => {
      rebalanceTimer = undefined;
      for (const worker of workers.values()) worker.rebalance();
    }, REBALANCE_MS);
  });

  const providerOf = (name: string): Provider | undefined => {
    const settings = configuration.providers.get(name);
    if (settings === undefined) return undefined;
    let provider = providers.get(name);
    if (provider === undefined) {
      provider = createProvider(settings, configuration.limits.answerBytes);
      providers.set(name, provider);
    }
    return provider;
  };

  const credentialOf = ({ provider, credential }: Lane): CredentialHealth => {
    const key = JSON.stringify([provider, credential]);
    const known = credentials.get(key) ?? { succeededAtMs: 0, succeededSentAtMs: 0 };
    credentials.set(key, known);
    return known;
  };

  const pacerOf = (lane: Lane, needs: TokenNeeds): LanePacer => {
    const metrics = configuration.providers.get(lane.provider)?.metrics ?? null;
    const engine =
      metrics === null ? noEngineQueue : createEngineQueue(metrics.url, lane.model, metrics);
    engines.push(engine);
    const tell = createLaneLog(lane.id, logger);
    return createLanePacer({
      laneId: lane.id,
      workerId: attempt.workerId,
      budgets: options.budgets,
      clock,
      random: attempt.random,
      limits: configuredLimits(configuration, lane.provider, lane.model),
      governor: createGovernor(engine),
      onHeaders: engine.notice,
      onReply: (reply) => {
        options.onPaced(lane);
        if (needs.error !== null) options.onEstimate(lane.model, needs.error);
        tell(reply);
      },
      onFailure: (error) => {
        logger.warn({ laneId: lane.id, reason: (error as Error).message }, 'lane.not_paced');
      },
    });
  };

  const ensure = (lane: Lane): LaneWorker | undefined => {
    const existing = workers.get(lane.id);
    if (existing !== undefined || stopping.signal.aborted) return existing;
    const provider = providerOf(lane.provider);
    if (provider === undefined) {
      if (!unserved.has(lane.id))
        logger.warn({ laneId: lane.id, provider: lane.provider }, 'lane.provider_unknown');
      unserved.add(lane.id);
      return undefined;
    }
    const needs = createTokenNeeds();
    const worker = createLaneWorker({
      ...options,
      lane,
      provider,
      needs,
      pacer: pacerOf(lane, needs),
      slots,
      credential: credentialOf(lane),
      stopping: stopping.signal,
      onReading: (priority, bullWorkerId) => {
        options.onReading(lane.id, priority, bullWorkerId);
      },
    });
    workers.set(lane.id, worker);
    logger.info({ laneId: lane.id, provider: lane.provider, model: lane.model }, 'lane.joined');
    return worker;
  };

  const refresh = async (laneId: string): Promise<void> => {
    const lane = workers.get(laneId)?.lane ?? (await lanes.find(laneId));
    if (lane === null) return;
    const worker = ensure(lane);
    const state = await lanes.state(laneId);
    worker?.update(state);
    await standings.see(lane, state);
  };

  const refreshAll = async (): Promise<void> => {
    for (const lane of await lanes.all()) ensure(lane);
    await Promise.all(
      [...workers.values()].map(async (worker) => {
        const state = await lanes.state(worker.lane.id);
        worker.update(state);
        await worker.watch();
        await standings.see(worker.lane, state);
        const calls = worker.takeCalls();
        if (calls.calls > 0) await lanes.addCalls(worker.lane.id, state.nowMs, calls);
        // A paused or unreachable lane has no throughput.
        const { state: standing } = laneStanding(state);
        const isRunning = standing === 'open' || standing === 'cooling';
        const note = isRunning ? worker.takeNote() : null;
        if (note !== null) await lanes.note(worker.lane.id, state.nowMs, note);
      }),
    );
  };

  const loop = async (): Promise<void> => {
    try {
      await refreshAll();
    } catch (error) {
      logger.warn({ reason: (error as Error).message }, 'lanes.not_read');
    }
    if (!stopping.signal.aborted) lookAround = setTimeout(() => void loop(), LOOK_AROUND_MS);
  };

  const drain = async (drainMs: number): Promise<void> => {
    clearTimeout(lookAround);
    for (const worker of workers.values()) worker.pause();
    const deadline = clock.monotonic() + drainMs;
    while (inFlight.size > 0 && clock.monotonic() < deadline) await clock.sleep(20);
    if (inFlight.size > 0) logger.info({ calls: inFlight.size }, 'worker.handing_off');
    stopping.abort(new Error('the worker stops'));
    inFlight.handOffAll();
    await Promise.all([...workers.values()].map(async (worker) => worker.close()));
    clearTimeout(rebalanceTimer);
    await Promise.all([...providers.values(), ...engines].map(async (each) => each.close()));
  };

  return {
    start: async () => {
      await options.subscriber.subscribe(keys.channels.lanes, (laneId) => {
        refresh(laneId).catch((error: unknown) => {
          logger.warn({ laneId, reason: (error as Error).message }, 'lane.not_read');
        });
      });
      await loop();
    },
    stop: async (drainMs) => {
      stopped ??= drain(drainMs);
      await stopped;
    },
    get laneCount() {
      return workers.size;
    },
    get slotsUsed() {
      return slots.used;
    },
  };
}
