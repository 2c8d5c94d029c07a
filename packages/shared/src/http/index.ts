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
