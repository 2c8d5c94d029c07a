import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { answer, errorAnswers } from './answers.ts';

/** One relative path serves `src` and `dist`. */
const file = new URL('../../static/index.html', import.meta.url);

/** The small page at `/`: it holds nothing and shows what the API tells to the key that is typed into it. */
export function registerPage(app: FastifyInstance): void {
  const html = readFileSync(file, 'utf8');
  const policy = [
    "default-src 'none'",
    `script-src ${hashes(html, 'script')}`,
    `style-src ${hashes(html, 'style')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  const schema = {
    operationId: 'page',
    tags: ['operation'],
    summary: 'A page that shows batches, workers, lanes and jobs',
    security: [],
    response: { 200: answer('The page', z.string(), 'text/html'), ...errorAnswers() },
  };
  app.get('/', { schema }, async (_request, reply) =>
    reply
      .headers({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': policy,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-cache',
      })
      .send(html),
  );
}

/** What stands in the page may run, and nothing that gets into it later. */
function hashes(html: string, tag: 'script' | 'style'): string {
  return [...html.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))]
    .map(([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`)
    .join(' ');
}
