import { z } from 'zod';
import { commonEnvironment, parseEnvironment, wholeNumber } from '@nightshift/shared/config';

const workerEnvironment = commonEnvironment.extend({
  /** Most provider calls in flight at once in this process. */
  WORKER_CONCURRENCY: wholeNumber(1, 4096).default(64),
  /** On SIGTERM, calls in flight get this long to come back before their jobs are handed back. */
  WORKER_DRAIN_MS: wholeNumber(0, 3_600_000).default(8000),
  HOST: z.string().default('127.0.0.1'),
  /** Where /livez, /readyz and /metrics of this worker are served; nowhere unless set. */
  WORKER_PORT: wholeNumber(0, 65_535).optional(),
});
export type WorkerEnvironment = z.infer<typeof workerEnvironment>;

export function parseWorkerEnvironment(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): WorkerEnvironment {
  return parseEnvironment(workerEnvironment, environment);
}
