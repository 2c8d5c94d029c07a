import type { Core } from '../core.ts';
import { engineFull } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import type { Weight } from '../reply.ts';
import { addLimitHeaders, addRetryAfter, refusalBody } from './headers.ts';

/** Charges the call to its buckets, or answers 429; the answer's headers say where they stand. */
export function admit(
  core: Core,
  exchange: Exchange,
  key: string,
  model: string,
  weight: Weight,
  nowMs: number,
): boolean {
  const { headers: style } = core.settings;
  const allowance = core.limits.allowance(key, model, nowMs);
  const admission = allowance.admit(weight.chargedTokens, nowMs);
  const admitted = admission.kind === 'admitted';
  core.timeline.add(model, nowMs, admitted ? weight.chargedTokens : null);
  addLimitHeaders(exchange.headers, allowance, style, nowMs);
  if (admission.kind !== 'admitted') {
    if (admission.kind === 'refused' && style !== 'none') {
      addRetryAfter(exchange.headers, admission.waitMs);
    }
    exchange.send(429, refusalBody(model, admission, style), 'rate_limited');
    return false;
  }
  exchange.entry.charged_tokens = weight.chargedTokens;
  exchange.atEnd((entry) => {
    // Only a good answer says what was used: a broken one is paid for as it was charged.
    if (entry.outcome !== 'ok') return;
    const used = entry.input_tokens + entry.output_tokens;
    allowance.settle(weight.chargedTokens, used, core.clock());
  });
  return true;
}

/** Takes a slot of the model's engine, in turn; false when the queue is full or the caller left. */
export async function enterEngine(core: Core, exchange: Exchange, model: string): Promise<boolean> {
  const slots = core.limits.slots(model);
  if (!slots.limited) {
    slots.start();
    exchange.atEnd(() => slots.release());
    return true;
  }
  // An engine speaks as vLLM does.
  exchange.headers.push('server', 'uvicorn');
  return new Promise((resolve) => {
    const start = (): void => {
      forget();
      exchange.atEnd(() => slots.release());
      resolve(true);
    };
    const forget = exchange.whenGone(() => {
      if (slots.leaveQueue(start)) resolve(false);
    });
    if (slots.enter(start) === 'full') {
      forget();
      exchange.sendError(engineFull);
      resolve(false);
    }
  });
}
