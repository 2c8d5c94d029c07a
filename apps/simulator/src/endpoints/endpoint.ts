import type { ProviderError } from '../errors.ts';
import { isJsonObject, type JsonObject } from '../json.ts';

/** Everything an endpoint needs to write a good answer. */
export interface Reply {
  id: string;
  /** Unix seconds. */
  createdAt: number;
  model: string;
  body: JsonObject;
  /** The answer's text, which identifies the call. */
  text: string;
  sha256: string;
  choices: number;
  inputTokens: number;
  /** Of all choices together. */
  outputTokens: number;
  finishReason: 'stop' | 'length';
  embeddingDimensions: number;
}

/** A streamed answer as ready-made server-sent events. */
export interface Frames {
  /** Sent with the first token. */
  head: string[];
  /** One for each piece of the text. */
  pieces: string[];
  tail: string[];
}

export interface Endpoint {
  path: string;
  /** What the ids of its answers begin with. */
  idPrefix: string;
  /** For a body that names no model; null where a model is required. */
  defaultModel: string | null;
  /** What is wrong with a body, or null. */
  check(body: JsonObject): ProviderError | null;
  /**
   * How many answers a body asks for and how many tokens each may have (null: it does not say);
   * null for an endpoint that generates nothing.
   */
  generation(body: JsonObject): { choices: number; maxTokens: number | null } | null;
  /** Whether the text must be JSON. */
  wantsJson(body: JsonObject): boolean;
  render(reply: Reply): string;
  /** `pieces` is the text cut up; null where streaming does not exist. */
  stream: ((reply: Reply, pieces: string[]) => Frames) | null;
}

/** A whole number in a field, or null. */
export function countField(body: JsonObject, ...fields: string[]): number | null {
  for (const field of fields) {
    const value = body[field];
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return Math.floor(value);
  }
  return null;
}

/** `n`, held to OpenAI's 1 to 128. */
export function choicesField(body: JsonObject): number {
  return Math.min(128, Math.max(1, countField(body, 'n') ?? 1));
}

/** `{"type": "json_object"}` or `{"type": "json_schema", …}` */
export function isJsonFormat(format: unknown): boolean {
  const type = isJsonObject(format) ? format['type'] : undefined;
  return type === 'json_object' || type === 'json_schema';
}

/** One server-sent event. */
export function frame(data: unknown, event?: string): string {
  const line = `data: ${JSON.stringify(data)}\n\n`;
  return event === undefined ? line : `event: ${event}\n${line}`;
}

export const DONE = 'data: [DONE]\n\n';
