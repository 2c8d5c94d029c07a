import { quotaExceeded } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import { addRetryAfter } from '../limits/headers.ts';
import type { Fault } from './fault.ts';
import { sendEndless, sendGzipBomb, sendHuge } from './oversized.ts';
import { statusError, waitOf } from './status.ts';

/** The good answer that a fault spoils. */
export interface GoodAnswer {
  contentType: string;
  /** The whole body; for a stream every event of it. */
  body: string;
  isStream: boolean;
}

const HTML =
  '<!DOCTYPE html><html><head><title>Welcome</title></head><body>Sign in to continue.</body></html>';
const MIDSTREAM_ERROR = `data: ${JSON.stringify({ error: { message: 'The server had an error while processing your request.', type: 'server_error', param: null, code: null } })}\n\n`;

/** Answers a call badly, in the way that the fault says. */
export function performFault(
  exchange: Exchange,
  fault: Exclude<Fault, { kind: 'ok' | 'slow' }>,
  good: GoodAnswer,
): void {
  const { contentType, body } = good;
  const half = body.slice(0, Math.floor(body.length / 2));
  exchange.entry.fault = fault.kind;
  switch (fault.kind) {
    case 'status': {
      const waitMs = waitOf(fault);
      if (waitMs !== null) addRetryAfter(exchange.headers, waitMs);
      exchange.sendError(statusError(fault, exchange.entry.model ?? ''));
      return;
    }
    case 'quota':
      exchange.sendError(quotaExceeded);
      return;
    case 'hang':
      return;
    case 'stall':
      exchange.open(200, ['content-type', contentType]);
      exchange.response.write(half);
      return;
    case 'drip':
      drip(exchange, contentType, body, fault.every_ms);
      return;
    case 'reset':
    case 'close':
      exchange.cut(fault.kind);
      return;
    case 'html':
      exchange.send(200, HTML, 'broken', 'text/html; charset=utf-8');
      return;
    case 'truncated': {
      const length = String(Buffer.byteLength(body));
      const promise = good.isStream ? [] : ['content-length', length];
      exchange.open(200, ['content-type', contentType, ...promise]);
      exchange.response.write(half, () => exchange.cut('close'));
      return;
    }
    case 'half_json':
      exchange.send(200, half, 'broken', contentType);
      return;
    case 'wrong_type':
      exchange.send(200, body, 'broken', 'text/plain; charset=utf-8');
      return;
    case 'wrong_shape':
      exchange.send(200, '{"ok":true}', 'broken');
      return;
    case 'empty':
      exchange.send(200, '', 'broken', contentType);
      return;
    case 'huge':
      sendHuge(exchange, contentType, body, fault.megabytes);
      return;
    case 'gzip_bomb':
      sendGzipBomb(exchange, contentType, body, fault.megabytes);
      return;
    case 'endless':
      sendEndless(exchange, good.isStream);
      return;
    case 'midstream':
      if (good.isStream) {
        const events = body.split('\n\n');
        const first = events.slice(0, Math.ceil(events.length / 2)).join('\n\n');
        exchange.send(200, `${first}\n\n${MIDSTREAM_ERROR}`, 'broken', contentType);
      } else exchange.sendError(statusError({ kind: 'status', status: 500 }, ''));
  }
}

function drip(exchange: Exchange, contentType: string, body: string, everyMs: number): void {
  const bytes = Buffer.from(body);
  exchange.open(200, ['content-type', contentType, 'content-length', String(bytes.length)]);
  exchange.response.flushHeaders();
  let sent = 0;
  const timer = setInterval(() => {
    exchange.response.write(bytes.subarray(sent, sent + 1));
    sent += 1;
    if (sent < bytes.length) return;
    clearInterval(timer);
    exchange.response.end();
    exchange.end('broken');
  }, everyMs);
  exchange.whenGone(() => clearInterval(timer));
}
