export {
  checkFilename,
  completeUploadSchema,
  fileFormSchema,
  listFilesQuerySchema,
  parseFileForm,
  partFormSchema,
  uploadRequestSchema,
  type CompleteUploadRequest,
  type FileForm,
  type ListFilesQuery,
  type UploadRequest,
} from './file-request.ts';
export {
  deletedFileSchema,
  fileListSchema,
  fileSchema,
  presentFile,
  presentUpload,
  uploadPartSchema,
  uploadSchema,
  type UploadPartView,
} from './file-view.ts';
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
export { deletedJobSchema, jobListSchema, jobSchema, jobToJson } from './job-view.ts';
export { presentWait, type WaitingFor } from './wait-view.ts';
export { presentWorker, workerListSchema, workerSchema, type WorkerView } from './worker-view.ts';
export { errorEnvelopeSchema, laneListSchema, laneSchema, type LaneView } from './lane-view.ts';
export { schemaError } from './schema-error.ts';
export { modelListSchema, modelSchema, type ModelView } from './model-view.ts';
