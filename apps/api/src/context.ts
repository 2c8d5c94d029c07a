import type { BlobStore } from '@nightshift/blobs';
import type { DeliveryBuffer, LaneQueues } from '@nightshift/shared/bullmq';
import type { Clock } from '@nightshift/shared/clock';
import type { Configuration } from '@nightshift/shared/config';
import type {
  FileStore,
  JobStore,
  LaneStore,
  RedisConnection,
  UploadStore,
  WorkerStore,
} from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';
import type { Batching } from './batches/batch-context.ts';
import type { ApiKey } from './config.ts';
import type { EventHub } from './event-hub.ts';
import type { FleetStates } from './fleet-states.ts';
import type { LaneStates } from './lane-states.ts';
import type { UploadSlots } from './upload/upload-slots.ts';

/** Everything that the API is made of; it opens no connection by itself. */
export interface Dependencies {
  /** For the readiness check. */
  redis: RedisConnection;
  jobs: JobStore;
  lanes: LaneStore;
  workers: Pick<WorkerStore, 'all'>;
  files: FileStore;
  uploads: UploadStore;
  blobs: BlobStore;
  laneQueues: LaneQueues;
  deliveryBuffer: DeliveryBuffer;
  eventHub: EventHub;
  configuration: Configuration;
  /** None: everyone on this machine is let in, as one tenant. */
  keys: readonly ApiKey[];
  clock: Clock;
  logger: Logger;
  /** What batches need; without it their routes are not there. */
  batching?: Batching;
  /** Whether Redis is so full that new work must be refused. Default: never. */
  isFull?: () => boolean;
  /** Whether Redis is at its memory limit, so that accepted work waits for room too. Default: never. */
  isAtLimit?: () => boolean;
  /** Whether Redis was found fit to be promised on; until then every call gets 503. Default: it was. */
  isFit?: () => boolean;
  /** Between two comments on a quiet event stream. Default 15,000. */
  heartbeatMs?: number;
  /** How long a request, an upload and headers may take to arrive. Default: a minute, an hour, 20 s. */
  arrival?: Partial<Arrival>;
}

export interface Arrival {
  requestMs: number;
  uploadMs: number;
  headersMs: number;
  checkEveryMs: number;
}

/** What the routes work with. */
export interface Context extends Required<Omit<Dependencies, 'batching'>> {
  laneStates: LaneStates;
  fleetStates: FleetStates;
  uploadSlots: UploadSlots;
}
