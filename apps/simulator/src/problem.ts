import type { Endpoint } from './endpoints/endpoint.ts';
import {
  missing,
  modelNotFound,
  unparsableBody,
  wrongApiKey,
  type ProviderError,
} from './errors.ts';
import { parsedFaultName } from './faults/choose.ts';
import type { JsonObject } from './json.ts';

/** What keeps a call from being looked at any further, or null. */
export function findProblem(
  apiKeys: ReadonlySet<string>,
  key: string | null,
  endpoint: Endpoint,
  body: JsonObject | null,
  model: string | null,
): ProviderError | null {
  if (apiKeys.size > 0 && (key === null || !apiKeys.has(key))) return wrongApiKey(key !== null);
  if (body === null) return unparsableBody;
  if (model === null) return missing('model');
  return unknownFault(model) ?? endpoint.check(body);
}

/** A misspelt fault must not pass for a model that behaves well. */
function unknownFault(model: string): ProviderError | null {
  const parsed = parsedFaultName(model);
  return parsed === null || parsed.ok ? null : modelNotFound(model, `${parsed.reason}.`);
}
