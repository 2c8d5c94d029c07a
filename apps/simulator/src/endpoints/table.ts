import { chat } from './chat.ts';
import { completions } from './completions.ts';
import { embeddings } from './embeddings.ts';
import type { Endpoint } from './endpoint.ts';
import { moderations } from './moderations.ts';
import { responses } from './responses.ts';

/** The endpoints that take calls, by path. */
export const endpoints: ReadonlyMap<string, Endpoint> = new Map(
  [chat, completions, responses, embeddings, moderations].map((endpoint) => [
    endpoint.path,
    endpoint,
  ]),
);
