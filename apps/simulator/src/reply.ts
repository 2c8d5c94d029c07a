import type { Endpoint, Reply } from './endpoints/endpoint.ts';
import type { JsonObject } from './json.ts';
import { answerText } from './marker.ts';
import type { Settings } from './settings.ts';

/** Of the answers' text. */
const CHARACTERS_PER_TOKEN = 4;
const FILLER = 'the night is long and the queue is longer still, so on it goes; '.repeat(64);

/** What a call weighs before it is answered. */
export interface Weight {
  inputTokens: number;
  outputTokens: number;
  choices: number;
  /** What admission takes from the token bucket. */
  chargedTokens: number;
  finishReason: 'stop' | 'length';
}

/**
 * Input tokens are the body's bytes over `bytes_per_token` (4), rounded up. Output tokens are `output_tokens`, or
 * those of a scripted answer, or `max_tokens` where that is less, for each choice. Charged is the input plus, for each choice,
 * the larger of `max_tokens` and `estimate_tokens`, as OpenAI charges at admission.
 */
export function weigh(
  endpoint: Endpoint,
  body: JsonObject,
  bodyBytes: number,
  settings: Settings,
  said: string | null = null,
): Weight {
  const inputTokens = Math.ceil(bodyBytes / settings.bytes_per_token);
  const generation = endpoint.generation(body);
  if (generation === null) {
    return {
      inputTokens,
      outputTokens: 0,
      choices: 1,
      chargedTokens: inputTokens,
      finishReason: 'stop',
    };
  }
  const { choices, maxTokens } = generation;
  const most = maxTokens ?? Infinity;
  const length =
    said === null ? settings.output_tokens : Math.ceil(said.length / CHARACTERS_PER_TOKEN);
  const promised = Math.max(maxTokens ?? 0, settings.estimate_tokens);
  return {
    inputTokens,
    outputTokens: Math.min(most, length) * choices,
    choices,
    chargedTokens: inputTokens + promised * choices,
    finishReason: most < length ? 'length' : 'stop',
  };
}

/** Everything the answer to call `n` says. @param said by the script, in place of the text that identifies the call */
export function composeReply(
  call: { n: number; runId: string; sha256: string; marker: string | null; nowMs: number },
  endpoint: Endpoint,
  model: string,
  body: JsonObject,
  weight: Weight,
  settings: Settings,
  said: string | null,
): Reply {
  const digest = call.sha256.slice(0, 12);
  const tokens = weight.outputTokens / weight.choices;
  return {
    id: `${endpoint.idPrefix}-${call.runId}-${call.n}-${digest}`,
    createdAt: Math.floor(call.nowMs / 1000),
    model,
    body,
    text:
      said === null
        ? identifyingText(call, digest, endpoint.wantsJson(body), tokens * CHARACTERS_PER_TOKEN)
        : said.slice(0, tokens * CHARACTERS_PER_TOKEN),
    sha256: call.sha256,
    choices: weight.choices,
    inputTokens: weight.inputTokens,
    outputTokens: weight.outputTokens,
    finishReason: weight.finishReason,
    embeddingDimensions: settings.embedding_dimensions,
  };
}

function identifyingText(
  { n, marker }: { n: number; marker: string | null },
  digest: string,
  asJson: boolean,
  characters: number,
): string {
  if (asJson) return JSON.stringify({ call: n, body: digest, marker });
  return padded(answerText(n, digest, marker), characters);
}

/** The identifying text is never cut, however few tokens were asked for. */
function padded(text: string, characters: number): string {
  const missing = characters - text.length - 1;
  if (missing <= 0) return text;
  return `${text} ${FILLER.repeat(Math.ceil(missing / FILLER.length)).slice(0, missing)}`;
}
