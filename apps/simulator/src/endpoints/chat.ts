import { missing } from '../errors.ts';
import { isJsonObject, type JsonObject } from '../json.ts';
import {
  choicesField,
  countField,
  DONE,
  frame,
  isJsonFormat,
  type Endpoint,
  type Frames,
  type Reply,
} from './endpoint.ts';
import { wrongTemperature } from './temperature.ts';

/** `POST /v1/chat/completions` */
export const chat: Endpoint = {
  path: '/v1/chat/completions',
  idPrefix: 'chatcmpl',
  defaultModel: null,

  check(body) {
    const { messages } = body;
    if (!Array.isArray(messages) || messages.length === 0) return missing('messages');
    return wrongTemperature(body);
  },

  generation: (body) => ({
    choices: choicesField(body),
    maxTokens: countField(body, 'max_completion_tokens', 'max_tokens'),
  }),

  wantsJson(body) {
    return isJsonFormat(body['response_format']);
  },

  render: (reply) =>
    JSON.stringify({
      id: reply.id,
      object: 'chat.completion',
      created: reply.createdAt,
      model: reply.model,
      choices: Array.from({ length: reply.choices }, (_, index) => ({
        index,
        message: { role: 'assistant', content: reply.text, refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: reply.finishReason,
      })),
      usage: usage(reply),
      service_tier: 'default',
      system_fingerprint: 'fp_simulator',
    }),

  stream(reply, pieces): Frames {
    const withUsage = includesUsage(reply.body);
    const chunk = (choices: object[], counted: object | null = null): string =>
      frame({
        id: reply.id,
        object: 'chat.completion.chunk',
        created: reply.createdAt,
        model: reply.model,
        service_tier: 'default',
        system_fingerprint: 'fp_simulator',
        choices,
        ...(withUsage ? { usage: counted } : {}),
      });
    const choice = (index: number, delta: object, finishReason: string | null): string =>
      chunk([{ index, delta, logprobs: null, finish_reason: finishReason }]);
    const indexes = Array.from({ length: reply.choices }, (_, index) => index);
    return {
      head: indexes.map((index) =>
        choice(index, { role: 'assistant', content: '', refusal: null }, null),
      ),
      pieces: pieces.map((content) =>
        indexes.map((index) => choice(index, { content }, null)).join(''),
      ),
      tail: [
        ...indexes.map((index) => choice(index, {}, reply.finishReason)),
        ...(withUsage ? [chunk([], usage(reply))] : []),
        DONE,
      ],
    };
  },
};

/** Whether a stream is to end with its usage. */
export function includesUsage(body: JsonObject): boolean {
  const options = body['stream_options'];
  return isJsonObject(options) && options['include_usage'] === true;
}

/** Usage in the words of the completion endpoints. */
export function usage(reply: Reply): object {
  return {
    prompt_tokens: reply.inputTokens,
    completion_tokens: reply.outputTokens,
    total_tokens: reply.inputTokens + reply.outputTokens,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}
