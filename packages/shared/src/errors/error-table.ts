/**
 * Every error that the API answers: code → HTTP status, OpenAI's error type, and when it is answered.
 * The page docs/errors.md is checked against this table by a test.
 */
export const errorTable = {
  invalid_json: {
    status: 400,
    type: 'invalid_request_error',
    when: 'The request body is not valid JSON.',
  },
  json_too_deep: {
    status: 400,
    type: 'invalid_request_error',
    when: 'The JSON body is nested more than 128 levels deep.',
  },
  forbidden_key: {
    status: 400,
    type: 'invalid_request_error',
    when: 'A JSON key could change the prototype of an object (`__proto__`, or `constructor` holding `prototype`).',
  },
  missing_required_parameter: {
    status: 400,
    type: 'invalid_request_error',
    when: 'A required field is missing.',
  },
  unknown_parameter: {
    status: 400,
    type: 'invalid_request_error',
    when: 'A field is not one that this call takes.',
  },
  unsupported_parameter: {
    status: 400,
    type: 'invalid_request_error',
    when: 'A field asks for something that this version does not do.',
  },
  invalid_type: { status: 400, type: 'invalid_request_error', when: 'A field has the wrong type.' },
  invalid_value: {
    status: 400,
    type: 'invalid_request_error',
    when: 'A field has a value that is not allowed.',
  },
  integer_above_max_value: {
    status: 400,
    type: 'invalid_request_error',
    when: 'A number is larger than allowed.',
  },
  integer_below_min_value: {
    status: 400,
    type: 'invalid_request_error',
    when: 'A number is smaller than allowed.',
  },
  string_above_max_length: {
    status: 400,
    type: 'invalid_request_error',
    when: 'A string is longer than allowed.',
  },
  object_above_max_properties: {
    status: 400,
    type: 'invalid_request_error',
    when: 'An object has more entries than allowed.',
  },
  invalid_requests: {
    status: 400,
    type: 'invalid_request_error',
    when: 'Inline `requests` of a batch are wrong; `error.requests` names each by its index.',
  },
  invalid_url: {
    status: 400,
    type: 'invalid_request_error',
    when: 'The path of the request cannot be decoded.',
  },
  invalid_multipart: {
    status: 400,
    type: 'invalid_request_error',
    when: 'A form is not well-formed `multipart/form-data`, or ends too early.',
  },
  invalid_file_format: {
    status: 400,
    type: 'invalid_request_error',
    when: 'A file for the purpose `batch` has another extension than `.jsonl`.',
  },
  bad_request: {
    status: 400,
    type: 'invalid_request_error',
    when: 'The request is not well-formed HTTP.',
  },
  invalid_api_key: {
    status: 401,
    type: 'invalid_request_error',
    when: 'Keys are set and the request carries none, or an unknown one.',
  },
  loopback_only: {
    status: 403,
    type: 'invalid_request_error',
    when: 'No keys are set and the request does not come from this machine.',
  },
  not_found: {
    status: 404,
    type: 'invalid_request_error',
    when: 'No object of yours has this id.',
  },
  unknown_url: { status: 404, type: 'invalid_request_error', when: 'No route has this path.' },
  model_not_found: {
    status: 404,
    type: 'invalid_request_error',
    when: 'No configured provider serves this model.',
  },
  method_not_allowed: {
    status: 405,
    type: 'invalid_request_error',
    when: 'The path exists, but not with this method; `Allow` names those that do.',
  },
  request_timeout: {
    status: 408,
    type: 'invalid_request_error',
    when: 'The request did not arrive completely in time.',
  },
  idempotency_key_reused: {
    status: 409,
    type: 'invalid_request_error',
    when: 'The `Idempotency-Key` was used within 24 hours with other content.',
  },
  job_not_settled: {
    status: 409,
    type: 'invalid_request_error',
    when: 'Only settled jobs can be deleted.',
  },
  job_not_retryable: {
    status: 409,
    type: 'invalid_request_error',
    when: 'Only failed, cancelled or expired jobs can be retried.',
  },
  file_in_use: {
    status: 409,
    type: 'invalid_request_error',
    when: 'A batch that is not settled reads this file.',
  },
  upload_not_pending: {
    status: 409,
    type: 'invalid_request_error',
    when: 'The upload was completed or cancelled, or has expired.',
  },
  batch_not_cancellable: {
    status: 409,
    type: 'invalid_request_error',
    when: 'The batch has ended in another way already.',
  },
  batch_not_retryable: {
    status: 409,
    type: 'invalid_request_error',
    when: 'Only what failed in a settled batch can be retried, while its input file is there.',
  },
  body_too_large: {
    status: 413,
    type: 'invalid_request_error',
    when: 'The request is larger than allowed.',
  },
  unsupported_media_type: {
    status: 415,
    type: 'invalid_request_error',
    when: 'The body is not of the type that the call takes: `application/json`, or `multipart/form-data` for files.',
  },
  range_not_satisfiable: {
    status: 416,
    type: 'invalid_request_error',
    when: 'A `Range` begins behind the end of the file; `Content-Range` has its size.',
  },
  headers_too_large: {
    status: 431,
    type: 'invalid_request_error',
    when: 'The request headers are larger than 16 KiB.',
  },
  too_many_lanes: {
    status: 429,
    type: 'rate_limit_error',
    when: 'More different models are in use than `limits.lanes` allows.',
  },
  too_many_uploads: {
    status: 429,
    type: 'rate_limit_error',
    when: 'More uploads are on their way at once, or begun in parts, than `limits.uploads_at_once` and its bytes allow.',
  },
  internal_error: {
    status: 500,
    type: 'server_error',
    when: 'A defect of ours; the log has it under the request id.',
  },
  redis_unavailable: {
    status: 503,
    type: 'server_error',
    when: 'Redis does not answer. Nothing was promised; try again.',
  },
  redis_full: {
    status: 503,
    type: 'server_error',
    when: 'Redis is nearly full. Accepted work goes on; new work is refused.',
  },
  storage_unavailable: {
    status: 503,
    type: 'server_error',
    when: 'The place where files are kept does not answer. Nothing was promised; try again.',
  },
  storage_full: {
    status: 503,
    type: 'server_error',
    when: 'There is no room for another file. What is there stays readable.',
  },
} as const satisfies Record<string, { status: number; type: string; when: string }>;

export type ErrorCode = keyof typeof errorTable;
