import { missing } from '../errors.ts';
import type { Endpoint } from './endpoint.ts';

const CATEGORIES = [
  'harassment',
  'harassment/threatening',
  'hate',
  'hate/threatening',
  'illicit',
  'illicit/violent',
  'self-harm',
  'self-harm/instructions',
  'self-harm/intent',
  'sexual',
  'sexual/minors',
  'violence',
  'violence/graphic',
];

const forEach = <Value>(value: Value): Record<string, Value> =>
  Object.fromEntries(CATEGORIES.map((category) => [category, value]));

const RESULT = {
  flagged: false,
  categories: forEach(false),
  category_scores: forEach(0.0001),
  category_applied_input_types: forEach(['text']),
};

/** `POST /v1/moderations`: nothing is ever flagged. */
export const moderations: Endpoint = {
  path: '/v1/moderations',
  idPrefix: 'modr',
  defaultModel: 'omni-moderation-latest',
  check: (body) =>
    body['input'] === undefined || body['input'] === null ? missing('input') : null,
  generation: () => null,
  wantsJson: () => false,
  render(reply) {
    const { input } = reply.body;
    const first: unknown = Array.isArray(input) ? input[0] : undefined;
    const results =
      Array.isArray(input) && typeof first === 'string' ? input.map(() => RESULT) : [RESULT];
    return JSON.stringify({ id: reply.id, model: reply.model, results });
  },
  stream: null,
};
