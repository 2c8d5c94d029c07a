export {
  batchDryRunSchema,
  batchErrorsSchema,
  type BatchDryRun,
  type BatchErrorGroup,
  type BatchErrors,
} from './batch-extras.ts';
export {
  batchRequestSchema,
  batchResultsQuerySchema,
  checkBatchRequest,
  createBatchQuerySchema,
  listBatchesQuerySchema,
  retryBatchSchema,
  type BatchRequest,
  type BatchResultsQuery,
  type RetryBatch,
} from './batch-request.ts';
export { batchListSchema, batchSchema, presentBatch, type BatchView } from './batch-view.ts';
export {
  checkJobRequest,
  jobRequestSchema,
  listJobsQuerySchema,
  metadataSchema,
  waitQuerySchema,
  type JobRequest,
  type ListJobsQuery,
} from './job-request.ts';
export { jobListSchema, jobSchema, jobToJson, type WaitingFor } from './job-view.ts';
export { errorEnvelopeSchema, laneListSchema, laneSchema, type LaneView } from './lane-view.ts';
export { schemaError } from './schema-error.ts';
