import { badRequest, missing } from '../errors.ts';
import { isJsonObject, type JsonObject } from '../json.ts';
import {
  countField,
  frame,
  isJsonFormat,
  type Endpoint,
  type Frames,
  type Reply,
} from './endpoint.ts';
import { wrongTemperature } from './temperature.ts';

/** `POST /v1/responses`, answered at once: background mode is what a queue in front adds. */
export const responses: Endpoint = {
  path: '/v1/responses',
  idPrefix: 'resp',
  defaultModel: null,

  check(body) {
    if (body['background'] === true) {
      return badRequest('The simulator does not run responses in the background.', 'background');
    }
    return body['input'] === undefined ? missing('input') : wrongTemperature(body);
  },

  generation: (body) => ({ choices: 1, maxTokens: countField(body, 'max_output_tokens') }),

  wantsJson(body) {
    const text = body['text'];
    return isJsonObject(text) && isJsonFormat(text['format']);
  },

  render: (reply) => JSON.stringify(responseObject(reply, 'completed')),

  stream(reply, pieces): Frames {
    let sequence = 0;
    const event = (type: string, fields: object): string => {
      const data = { type, sequence_number: sequence, ...fields };
      sequence += 1;
      return frame(data, type);
    };
    const place = { item_id: itemId(reply), output_index: 0, content_index: 0 };
    const started = { response: responseObject(reply, 'in_progress') };
    const last = reply.finishReason === 'stop' ? 'response.completed' : 'response.incomplete';
    return {
      head: [
        event('response.created', started),
        event('response.in_progress', started),
        event('response.output_item.added', {
          output_index: 0,
          item: { ...outputItem(reply), status: 'in_progress', content: [] },
        }),
        event('response.content_part.added', { ...place, part: { ...textPart(reply), text: '' } }),
      ],
      pieces: pieces.map((delta) =>
        event('response.output_text.delta', { ...place, delta, logprobs: [] }),
      ),
      tail: [
        event('response.output_text.done', { ...place, text: reply.text, logprobs: [] }),
        event('response.content_part.done', { ...place, part: textPart(reply) }),
        event('response.output_item.done', { output_index: 0, item: outputItem(reply) }),
        event(last, { response: responseObject(reply, 'completed') }),
      ],
    };
  },
};

function responseObject(reply: Reply, phase: 'in_progress' | 'completed'): object {
  const over = phase === 'completed';
  const cut = reply.finishReason === 'length';
  return {
    id: reply.id,
    object: 'response',
    created_at: reply.createdAt,
    status: over && cut ? 'incomplete' : phase,
    background: false,
    completed_at: over ? reply.createdAt : null,
    error: null,
    incomplete_details: over && cut ? { reason: 'max_output_tokens' } : null,
    instructions: null,
    max_output_tokens: countField(reply.body, 'max_output_tokens'),
    model: reply.model,
    output: over ? [outputItem(reply)] : [],
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    service_tier: 'default',
    store: reply.body['store'] !== false,
    temperature: 1,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_p: 1,
    truncation: 'disabled',
    usage: over
      ? {
          input_tokens: reply.inputTokens,
          input_tokens_details: { cached_tokens: 0 },
          output_tokens: reply.outputTokens,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: reply.inputTokens + reply.outputTokens,
        }
      : null,
    user: null,
    metadata: flatMetadata(reply.body),
  };
}

function itemId(reply: Reply): string {
  return reply.id.replace('resp', 'msg');
}

function outputItem(reply: Reply): object {
  return {
    id: itemId(reply),
    type: 'message',
    status: reply.finishReason === 'stop' ? 'completed' : 'incomplete',
    role: 'assistant',
    content: [textPart(reply)],
  };
}

function textPart(reply: Reply): object {
  return { type: 'output_text', annotations: [], logprobs: [], text: reply.text };
}

/** Only strings are echoed: a value nested 100 000 deep would overflow the stack of stringify. */
function flatMetadata(body: JsonObject): JsonObject {
  const metadata = body['metadata'];
  if (!isJsonObject(metadata)) return {};
  return Object.fromEntries(
    Object.entries(metadata).filter(([, value]) => typeof value === 'string'),
  );
}
