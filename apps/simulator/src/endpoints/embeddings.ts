import { createHash } from 'node:crypto';
import { badRequest, missing } from '../errors.ts';
import { countField, type Endpoint, type Reply } from './endpoint.ts';

const MOST_INPUTS = 2048;
const MOST_DIMENSIONS = 4096;

/**
 * `POST /v1/embeddings`. A vector depends on the model and its input alone, so equal inputs are
 * equal and others are not; `id`, which OpenAI's answer lacks, names the call.
 */
export const embeddings: Endpoint = {
  path: '/v1/embeddings',
  idPrefix: 'embd',
  defaultModel: null,

  check(body) {
    const { input } = body;
    if (input === undefined || input === null) return missing('input');
    if (input === '' || (Array.isArray(input) && input.length === 0)) {
      return badRequest("'input' must not be empty.", 'input');
    }
    if (Array.isArray(input) && input.length > MOST_INPUTS && typeof input[0] !== 'number') {
      return badRequest(`'input' must hold at most ${MOST_INPUTS} entries.`, 'input');
    }
    if (!isInput(input)) {
      return badRequest(
        "'input' must be a string, a list of token numbers, or a list of either.",
        'input',
      );
    }
    const dimensions = body['dimensions'];
    const countable = countField(body, 'dimensions') ?? 1;
    if (dimensions !== undefined && (countable < 1 || countable > MOST_DIMENSIONS)) {
      return badRequest(`'dimensions' must be 1 to ${MOST_DIMENSIONS}.`, 'dimensions');
    }
    const format = body['encoding_format'] ?? 'float';
    return format === 'float' || format === 'base64'
      ? null
      : badRequest("'encoding_format' must be float or base64.", 'encoding_format');
  },

  generation: () => null,
  wantsJson: () => false,

  render(reply) {
    const asBase64 = reply.body['encoding_format'] === 'base64';
    const dimensions = countField(reply.body, 'dimensions') ?? reply.embeddingDimensions;
    return JSON.stringify({
      id: reply.id,
      object: 'list',
      data: inputsOf(reply).map((input, index) => {
        const vector = vectorFor(reply.model, input, dimensions);
        return {
          object: 'embedding',
          index,
          embedding: asBase64 ? Buffer.from(vector.buffer).toString('base64') : Array.from(vector),
        };
      }),
      model: reply.model,
      usage: { prompt_tokens: reply.inputTokens, total_tokens: reply.inputTokens },
    });
  },

  stream: null,
};

/** A string, a list of token numbers, or a list of either. */
function isInput(input: unknown): boolean {
  const isTokens = (value: unknown): boolean =>
    Array.isArray(value) && value.every((token) => typeof token === 'number');
  if (typeof input === 'string' || isTokens(input)) return true;
  return Array.isArray(input) && input.every((one) => typeof one === 'string' || isTokens(one));
}

/** One text for each vector; token numbers are joined. */
function inputsOf(reply: Reply): string[] {
  const { input } = reply.body;
  if (!Array.isArray(input)) return [String(input)];
  if (typeof input[0] === 'number') return [input.join(',')];
  return input.map(String);
}

/** A vector of length 1, made of the digest of model and input, repeated with a counter. */
function vectorFor(model: string, input: string, dimensions: number): Float32Array {
  const seed = createHash('sha256').update(`${model}\n${input}`).digest();
  const vector = new Float32Array(dimensions);
  let state = seed.readUInt32LE(0);
  let squares = 0;
  for (let index = 0; index < dimensions; index += 1) {
    state = (Math.imul(state ^ seed.readUInt32LE((index % 8) * 4), 0x9e3779b1) + index) >>> 0;
    const component = state / 0x8000_0000 - 1;
    vector[index] = component;
    squares += component * component;
  }
  const length = Math.sqrt(squares) || 1;
  return vector.map((component) => component / length);
}
