import { isSettled, type JobStatus } from '../../src/job/index.ts';
import { MAX_RESCUES, type BeginResult, type Claim } from '../../src/redis/index.ts';

/** One job as the rules have it, kept in plain variables. */
export interface ModelJob {
  id: string;
  status: JobStatus;
  delivery: number;
  generation: number;
  attempts: number;
  calls: number;
  rescues: number;
  claimId: string | null;
  settledBy: number | null;
  releasedBy: number | null;
  /** Its retry lies ahead. */
  waits: boolean;
  expires: boolean;
  outlived: boolean;
}

/** A claim that some worker got at some time, and the delivery that it got it by. */
interface ModelClaim {
  claim: Claim;
  claimId: string;
  delivery: number;
}

export interface Model {
  jobs: ModelJob[];
  claims: ModelClaim[];
  /** Deliveries that stand in the outbox. */
  outbox: Set<string>;
  /** Deliveries that a queue holds, waiting or with a worker. */
  queue: Set<string>;
  /** The record of each settled job as it was first seen. */
  terminal: Map<string, string>;
}

export const newModel = (): Model => ({
  jobs: [],
  claims: [],
  outbox: new Set(),
  queue: new Set(),
  terminal: new Map(),
});

export const currentDelivery = (job: ModelJob): string => `${job.id}.${job.delivery}`;

export function acceptInModel(model: Model, id: string, expires: boolean): void {
  model.jobs.push({
    id,
    status: 'queued',
    delivery: 1,
    generation: 0,
    attempts: 0,
    calls: 0,
    rescues: 0,
    claimId: null,
    settledBy: null,
    releasedBy: null,
    waits: false,
    expires,
    outlived: false,
  });
  model.outbox.add(`${id}.1`);
}

export function beginInModel(
  job: ModelJob,
  delivery: number,
  claimId: string,
): BeginResult['kind'] {
  if (isSettled(job.status)) return 'settled';
  if (delivery !== job.delivery) return 'stale';
  if (job.outlived) {
    job.status = 'expired';
    return 'expired';
  }
  if (job.status === 'in_progress') {
    if (job.claimId === claimId) return 'started';
    job.rescues += 1;
    if (job.rescues > MAX_RESCUES) {
      job.status = 'failed';
      return 'quarantined';
    }
  } else if (job.waits) {
    return 'not_due';
  }
  job.status = 'in_progress';
  job.claimId = claimId;
  job.generation += 1;
  job.attempts += 1;
  job.calls += 1;
  return 'started';
}

const holds = (job: ModelJob, claim: Claim): boolean =>
  job.status === 'in_progress' && job.generation === claim.generation;

export function settleInModel(
  job: ModelJob,
  claim: Claim,
  status: 'completed' | 'failed',
): 'settled' | 'lost' {
  if (!holds(job, claim)) return job.settledBy === claim.generation ? 'settled' : 'lost';
  job.status = status;
  job.settledBy = claim.generation;
  return 'settled';
}

export function releaseInModel(
  model: Model,
  job: ModelJob,
  claim: Claim,
  delay: 'head' | 'now' | 'later',
  charged: boolean,
): 'released' | 'lost' {
  if (!holds(job, claim)) {
    return job.status === 'queued' && job.releasedBy === claim.generation ? 'released' : 'lost';
  }
  job.status = 'queued';
  job.claimId = null;
  job.releasedBy = claim.generation;
  if (!charged) job.attempts -= 1;
  if (delay !== 'head') {
    // The worker finishes the old delivery; the outbox stands for the new one.
    model.queue.delete(currentDelivery(job));
    job.delivery += 1;
    model.outbox.add(currentDelivery(job));
  }
  job.waits = delay === 'later';
  return 'released';
}

/** Settles a job from outside; its delivery is worth nothing from then on. */
export function endInModel(model: Model, job: ModelJob, status: 'cancelled' | 'expired'): void {
  job.status = status;
  model.outbox.delete(currentDelivery(job));
}
