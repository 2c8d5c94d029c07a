import type { Endpoint } from '../job/job.ts';
import { chargeItems, chargePart } from './charged-items.ts';
import { chargeSchema, chargeTools } from './charged-tools.ts';
import { listOf, recordOf } from './unknown-json.ts';

/** What of a request is charged as input: its texts, and the tokens of what is not text. */
export interface ChargedInput {
  texts: string[];
  fixedTokens: number;
}

/** The answer's first tokens, which every chat is primed with. */
const PRIMING_TOKENS = 3;

/**
 * Reads what the endpoint charges for and passes over the rest, whatever its types: the body goes to the provider as it
 * is, and what the provider refuses costs nothing. What a request only points at (`previous_response_id`, a stored
 * prompt) cannot be counted here.
 */
export function chargedInput(
  endpoint: Endpoint,
  body: Readonly<Record<string, unknown>>,
): ChargedInput {
  const input: ChargedInput = { texts: [], fixedTokens: 0 };
  switch (endpoint) {
    case '/v1/chat/completions':
      chargeItems(input, body['messages']);
      chargeTools(input, body['tools']);
      chargeTools(input, body['functions']);
      chargeSchema(input, recordOf(recordOf(body['response_format'])?.['json_schema'])?.['schema']);
      input.fixedTokens += PRIMING_TOKENS;
      break;
    case '/v1/responses':
      if (typeof body['instructions'] === 'string') {
        chargeItems(input, [{ content: body['instructions'] }]);
      }
      chargeItems(input, body['input']);
      chargeTools(input, body['tools']);
      chargeSchema(input, recordOf(recordOf(body['text'])?.['format'])?.['schema']);
      input.fixedTokens += PRIMING_TOKENS;
      break;
    case '/v1/completions':
      chargePrompts(input, body['prompt']);
      chargePrompts(input, body['suffix']);
      break;
    case '/v1/embeddings':
      chargePrompts(input, body['input']);
      break;
    case '/v1/moderations':
      chargePrompts(input, body['input']);
      break;
  }
  return input;
}

/** A text, token ids, or a list of either; moderations also take content parts. */
function chargePrompts(input: ChargedInput, prompts: unknown): void {
  if (typeof prompts === 'string') {
    input.texts.push(prompts);
    return;
  }
  const listed = listOf(prompts);
  if (typeof listed[0] === 'number') {
    input.fixedTokens += listed.length;
    return;
  }
  for (const prompt of listed) {
    if (typeof prompt === 'string') input.texts.push(prompt);
    else if (Array.isArray(prompt)) input.fixedTokens += prompt.length;
    else chargePart(input, prompt);
  }
}
