import type { FastifyInstance } from 'fastify';
import type { BatchContext } from '../batches/batch-context.ts';
import { registerBatchErrors } from './batch-errors.ts';
import { registerBatchEvents } from './batch-events.ts';
import { registerBatchResults } from './batch-results.ts';
import { registerChangeBatches } from './change-batches.ts';
import { registerCreateBatch } from './create-batch.ts';
import { registerReadBatches } from './read-batches.ts';
import { registerRetryBatch } from './retry-batch.ts';

export function registerBatches(app: FastifyInstance, context: BatchContext): void {
  registerCreateBatch(app, context);
  registerReadBatches(app, context);
  registerChangeBatches(app, context);
  registerRetryBatch(app, context);
  registerBatchResults(app, context);
  registerBatchErrors(app, context);
  registerBatchEvents(app, context);
}
