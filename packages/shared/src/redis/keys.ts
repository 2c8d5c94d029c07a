/**
 * Every key in Redis is made here. A tenant's keys share one hash tag, so that one script can move a job with its
 * indexes; a lane's keys share another, so that lanes spread over the slots of a cluster.
 */
export function createKeys(prefix: string) {
  return {
    prefix,
    /** Set: the tenants that have accepted jobs; the sweeps walk it. */
    tenants: `${prefix}:tenants`,
    /** Hash: lane id → descriptor. */
    lanes: `${prefix}:lanes`,
    workers: {
      /** Sorted set: worker id by its last heartbeat. */
      seen: `${prefix}:{workers}:seen`,
      /** Hash: worker id → `STARTED_AT JSON` of its last heartbeat. */
      records: `${prefix}:{workers}:records`,
    },
    /** String: the worker that does this chore for all, until it is due again. */
    turn: (chore: string) => `${prefix}:turn:${chore}`,
    tenant: (tenant: string) => {
      const base = `${prefix}:{${tenant}}`;
      return {
        /** Hash: one job. */
        job: (id: string) => `${base}:job:${id}`,
        /** Hash: status → how many jobs stand in it. */
        counts: `${base}:counts`,
        /** Sorted set: job id by created_at, all jobs. */
        jobs: `${base}:jobs`,
        /** Sorted set: `STATUS ID` by created_at, jobs that ended without a completed result. */
        unsuccessful: `${base}:unsuccessful`,
        /** Hash: lane id → how fast its results come, see lua/lib/pace.lua. */
        paces: `${base}:paces`,
        /** Sorted set: delivery id by the instant at which it must be put into its queue. */
        outbox: `${base}:outbox`,
        /** Sorted set: job id by expires_at, jobs that are not settled. */
        expiring: `${base}:expiring`,
        /** Hash: one file. */
        file: (id: string) => `${base}:file:${id}`,
        /** Sorted set: file id by created_at. */
        files: `${base}:files`,
        /** Sorted set: file id by expires_at, files that have one. */
        expiringFiles: `${base}:expiring-files`,
        /** Sorted set: what no record holds in the blob store, by the instant from which it may be removed. */
        looseBlobs: `${base}:loose-blobs`,
        /** Hash: one upload in parts. */
        upload: (id: string) => `${base}:upload:${id}`,
        /** Sorted set: `ID BYTES` of uploads in parts that are pending, by expires_at. */
        pendingUploads: `${base}:pending-uploads`,
        /** Hash: one batch. */
        batch: (id: string) => `${base}:batch:${id}`,
        /** Bitmap: which lines of a batch have their result. */
        batchLines: (id: string) => `${base}:batch:${id}:lines`,
        /** Stream: results that the conductor has not written to a file yet. */
        batchResults: (id: string) => `${base}:batch:${id}:results`,
        /** Set: ids of the lines that stand in their lanes' queues or are called. */
        batchWindow: (id: string) => `${base}:batch:${id}:window`,
        /** Sorted set: batch id by created_at. */
        batches: `${base}:batches`,
        /** Set: batches that are not settled; the conductors look here. */
        openBatches: `${base}:open-batches`,
        /** Sorted set: id of a settled batch by the end of its retention. */
        expiringBatches: `${base}:expiring-batches`,
        /** Hash: the job that an idempotency key stands for, and the hash of its content. */
        idempotency: (keyHash: string) => `${base}:idempotency:${keyHash}`,
      };
    },
    lane: (laneId: string) => {
      const base = `${prefix}:{${laneId}}`;
      return {
        /** Hash: cool-down, pauses, probe. */
        state: `${base}:state`,
        /** String: the last logged reason why it is held up. */
        logged: `${base}:logged`,
        /** String: what the fleet believes of the provider's limits, as JSON; see lane/budget.ts. */
        budget: `${base}:budget`,
        /** Hash: calls and refusals per ten seconds, newest minutes only. */
        calls: (bucket: number) => `${base}:calls:${bucket}`,
        /** Hash: lengths of its answers, and its throughput while work was waiting. */
        history: `${base}:history`,
        /** Hash: tenant → virtual time up to which it has been served. */
        shares: (priority: string) => `${base}:shares:${priority}`,
        /** BullMQ's own: the jobs of a queue that have a place in it. */
        prioritized: (priority: string) => `${base}:${priority}:prioritized`,
        /** BullMQ's own: the jobs of a queue without a priority. */
        waiting: (priority: string) => `${base}:${priority}:wait`,
        /** Prefix of the lane's BullMQ keys. */
        queues: base,
      };
    },
    channels: {
      /** Lines of `TENANT JOB_ID STATUS SEQ`: each says that a job changed. */
      events: `${prefix}:events`,
      /** `abort JOB_ID`: whoever holds this job stops its call. */
      control: `${prefix}:control`,
      /** `LANE_ID`: a lane was added or its state changed. */
      lanes: `${prefix}:lane-changes`,
      /** `TENANT BATCH_ID`: a batch was created and has no conductor yet. */
      batches: `${prefix}:new-batches`,
    },
  };
}

export type Keys = ReturnType<typeof createKeys>;
