import type { JsonObject } from './json.ts';

/** An error answer, as OpenAI's envelope states it. */
export interface ProviderError {
  status: number;
  message: string;
  type: string;
  param: string | null;
  code: string | null;
}

export function errorBody({ message, type, param, code }: ProviderError): string {
  return JSON.stringify({ error: { message, type, param, code } });
}

export function badRequest(
  message: string,
  param: string | null,
  code: string | null = null,
): ProviderError {
  return { status: 400, message, type: 'invalid_request_error', param, code };
}

export function missing(param: string): ProviderError {
  return badRequest(`Missing required parameter: '${param}'.`, param, 'missing_required_parameter');
}

export const unparsableBody: ProviderError = badRequest(
  'We could not parse the JSON body of your request: it must be one JSON object.',
  null,
);

export function unknownUrl(method: string, path: string): ProviderError {
  return {
    ...badRequest(`Invalid URL (${method} ${path.slice(0, 200)})`, null, 'unknown_url'),
    status: 404,
  };
}

export function modelNotFound(model: string, reason = ''): ProviderError {
  const message = `The model \`${model.slice(0, 200)}\` does not exist or you do not have access to it.`;
  return {
    ...badRequest(reason === '' ? message : `${message} ${reason}`, 'model', 'model_not_found'),
    status: 404,
  };
}

export function wrongApiKey(given: boolean): ProviderError {
  return {
    status: 401,
    message: given ? 'Incorrect API key provided.' : "You didn't provide an API key.",
    type: 'invalid_request_error',
    param: null,
    code: 'invalid_api_key',
  };
}

export const engineFull: ProviderError = {
  status: 503,
  message: 'The engine is overloaded or not ready yet: its queue is full.',
  type: 'server_error',
  param: null,
  code: 'engine_overloaded',
};

export const quotaExceeded: ProviderError = {
  status: 429,
  message:
    'You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.',
  type: 'insufficient_quota',
  param: null,
  code: 'insufficient_quota',
};

/** The string under `field`, or null when it is absent or something else. */
export function stringField(body: JsonObject, field: string): string | null {
  const value = body[field];
  return typeof value === 'string' && value !== '' ? value : null;
}
