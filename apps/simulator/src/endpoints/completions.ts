import { missing } from '../errors.ts';
import { includesUsage, usage } from './chat.ts';
import { choicesField, countField, DONE, frame, type Endpoint, type Frames } from './endpoint.ts';
import { wrongTemperature } from './temperature.ts';

/** `POST /v1/completions` */
export const completions: Endpoint = {
  path: '/v1/completions',
  idPrefix: 'cmpl',
  defaultModel: null,

  check: (body) => (body['prompt'] === undefined ? missing('prompt') : wrongTemperature(body)),

  generation: (body) => ({
    choices: choicesField(body),
    maxTokens: countField(body, 'max_tokens'),
  }),

  wantsJson: () => false,

  render: (reply) =>
    JSON.stringify({
      id: reply.id,
      object: 'text_completion',
      created: reply.createdAt,
      model: reply.model,
      choices: Array.from({ length: reply.choices }, (_, index) => ({
        index,
        text: reply.text,
        logprobs: null,
        finish_reason: reply.finishReason,
      })),
      usage: usage(reply),
      system_fingerprint: 'fp_simulator',
    }),

  stream(reply, pieces): Frames {
    const withUsage = includesUsage(reply.body);
    const chunk = (choices: object[], counted: object | null = null): string =>
      frame({
        id: reply.id,
        object: 'text_completion',
        created: reply.createdAt,
        model: reply.model,
        choices,
        ...(withUsage ? { usage: counted } : {}),
      });
    const choice = (index: number, text: string, finishReason: string | null): string =>
      chunk([{ index, text, logprobs: null, finish_reason: finishReason }]);
    const indexes = Array.from({ length: reply.choices }, (_, index) => index);
    return {
      head: [],
      pieces: pieces.map((text) => indexes.map((index) => choice(index, text, null)).join('')),
      tail: [
        ...indexes.map((index) => choice(index, '', reply.finishReason)),
        ...(withUsage ? [chunk([], usage(reply))] : []),
        DONE,
      ],
    };
  },
};
