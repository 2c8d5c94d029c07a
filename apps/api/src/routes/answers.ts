import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { errorTable, type ErrorCode } from '@nightshift/shared/errors';
import { errorEnvelopeSchema } from '@nightshift/shared/http';
import { JSON_TYPE } from '../plugins/error-answers.ts';

/** Sends JSON that is text already. */
export function sendJson(reply: FastifyReply, status: number, json: string): FastifyReply {
  return reply.code(status).header('content-type', JSON_TYPE).send(json);
}

/** A list in the envelope that all lists have. `items` are JSON texts; `ids` are theirs. */
export function listToJson(
  items: readonly string[],
  ids: readonly string[],
  hasMore: boolean,
): string {
  const first = JSON.stringify(ids[0] ?? null);
  const last = JSON.stringify(ids.at(-1) ?? null);
  return `{"object":"list","data":[${items.join(',')}],"first_id":${first},"last_id":${last},"has_more":${hasMore}}`;
}

interface DocumentedAnswer {
  description: string;
  content: Record<string, { schema: z.ZodType }>;
}

/** A good answer, for the document. */
export function answer(
  description: string,
  schema: z.ZodType,
  type = 'application/json',
): DocumentedAnswer {
  return { description, content: { [type]: { schema } } };
}

/** What any call can meet, whatever it asks for. */
const everywhere: readonly ErrorCode[] = [
  'bad_request',
  'invalid_api_key',
  'loopback_only',
  'method_not_allowed',
  'request_timeout',
  'headers_too_large',
  'internal_error',
];
export const onRedis: readonly ErrorCode[] = ['redis_unavailable'];
export const onBody: readonly ErrorCode[] = [
  'invalid_json',
  'json_too_deep',
  'forbidden_key',
  'invalid_type',
  'unknown_parameter',
  'body_too_large',
  'unsupported_media_type',
];

export const onStorage: readonly ErrorCode[] = ['storage_unavailable', 'storage_full'];
/** What a form that brings a file can meet. */
export const onUpload: readonly ErrorCode[] = [
  ...onStorage,
  'redis_full',
  'too_many_uploads',
  'invalid_multipart',
  'missing_required_parameter',
  'invalid_value',
  'body_too_large',
  'unsupported_media_type',
];

/** The error answers of a route, for the document: one per status, which names the codes that it comes with. */
export function errorAnswers(...codes: readonly ErrorCode[]): Record<number, DocumentedAnswer> {
  const byStatus = Map.groupBy(
    new Set([...codes, ...everywhere]),
    (code) => errorTable[code].status,
  );
  return Object.fromEntries(
    [...byStatus].map(([status, own]) => [
      status,
      answer(
        own.map((code) => `\`${code}\`: ${errorTable[code].when}`).join(' '),
        errorEnvelopeSchema,
      ),
    ]),
  );
}
