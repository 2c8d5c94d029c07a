import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Core } from './core.ts';
import { bodySha256 } from './digest.ts';
import type { Endpoint, Reply } from './endpoints/endpoint.ts';
import { stringField } from './errors.ts';
import { Exchange } from './exchange.ts';
import { chooseMisbehaviour } from './faults/choose.ts';
import { strikesAtTheDoor } from './faults/fault.ts';
import { performFault, type GoodAnswer } from './faults/perform.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import { givenKey } from './key.ts';
import { admit, enterEngine } from './limits/admit.ts';
import { markerOf } from './marker.ts';
import { pacePieces, planPace, streamReply, wholeStream, type Pace } from './pace.ts';
import { findProblem } from './problem.ts';
import { composeReply, weigh } from './reply.ts';

/** One call: receive → let in → decide faults → admit → queue → wait → answer. */
export async function answerCall(
  core: Core,
  endpoint: Endpoint,
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
): Promise<void> {
  const nowMs = core.clock();
  const body = parseBody(bytes);
  const model = body === null ? null : (stringField(body, 'model') ?? endpoint.defaultModel);
  const exchange = openExchange(core, endpoint, request, response, bytes, body, model, nowMs);
  const { entry } = exchange;

  const key = givenKey(request.headers);
  const draws = { seed: core.seed, digest: entry.body_sha256, attempt: entry.attempt };
  const outage = core.outage.decide(draws, nowMs);
  const problem = outage ? null : findProblem(core.apiKeys, key, endpoint, body, model);
  if (problem) {
    exchange.sendError(problem);
    return;
  }
  const fields = body ?? {};
  const name = model ?? '';
  const misbehaviour = outage ?? chooseMisbehaviour(core.rules, endpoint.path, name, draws, nowMs);
  const { fault } = misbehaviour;
  const said = core.answers.answer(name, fields);
  const weight = weigh(endpoint, fields, bytes.length, core.settings, said);

  const atTheDoor = outage !== null || (fault !== null && strikesAtTheDoor(fault));
  if (!atTheDoor) {
    if (!admit(core, exchange, key ?? '', name, weight, nowMs)) return;
    if (!(await enterEngine(core, exchange, name))) return;
  }
  entry.started_at_ms = Math.floor(core.clock());

  const reply = composeReply(
    { n: entry.n, runId: core.runId, sha256: entry.body_sha256, marker: entry.marker, nowMs },
    endpoint,
    name,
    fields,
    weight,
    core.settings,
    said,
  );
  const pace = planPace(core.settings, draws, weight.outputTokens / weight.choices);
  if (misbehaviour.delayMs > 0) entry.fault = 'slow';
  if (fault === null || fault.kind === 'ok' || fault.kind === 'slow') {
    await answerWell(exchange, endpoint, reply, pace, misbehaviour.delayMs);
  } else if (await exchange.sleep(misbehaviour.delayMs)) {
    performFault(exchange, fault, goodAnswer(endpoint, reply, entry.stream, pace));
  }
}

function parseBody(bytes: Buffer): JsonObject | null {
  try {
    const body: unknown = JSON.parse(bytes.toString());
    return isJsonObject(body) ? body : null;
  } catch {
    return null;
  }
}

function openExchange(
  core: Core,
  endpoint: Endpoint,
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
  body: JsonObject | null,
  model: string | null,
  nowMs: number,
): Exchange {
  const sha256 = bodySha256(bytes);
  const jobHeader = request.headers['x-nightshift-job'];
  const entry = core.ledger.add({
    at_ms: Math.floor(nowMs),
    path: endpoint.path,
    model: model === null ? null : model.slice(0, 200),
    marker: markerOf(body ?? {}, typeof jobHeader === 'string' ? jobHeader : undefined),
    body_sha256: sha256,
    attempt: core.attempts.next(sha256),
    stream: endpoint.stream !== null && body?.['stream'] === true,
    status: null,
    outcome: 'pending',
    fault: null,
    started_at_ms: null,
    ended_at_ms: null,
    client_aborted: false,
    response_id: null,
    input_tokens: 0,
    output_tokens: 0,
    charged_tokens: 0,
  });
  core.counters.opened(entry);
  const exchange = new Exchange(request, response, entry, core.clock);
  exchange.atEnd((ended) => core.counters.ended(ended));
  return exchange;
}

async function answerWell(
  exchange: Exchange,
  endpoint: Endpoint,
  reply: Reply,
  pace: Pace,
  delayMs: number,
): Promise<void> {
  const { entry } = exchange;
  if (entry.stream && endpoint.stream) {
    if (!(await exchange.sleep(delayMs + pace.firstTokenMs))) return;
    const frames = endpoint.stream(reply, pacePieces(reply.text, pace));
    if (!(await streamReply(exchange, frames, pace))) return;
  } else if (!(await exchange.sleep(delayMs + pace.wholeMs))) return;
  entry.response_id = reply.id;
  entry.input_tokens = reply.inputTokens;
  entry.output_tokens = reply.outputTokens;
  if (entry.stream) {
    exchange.response.end();
    exchange.end('ok');
  } else exchange.send(200, endpoint.render(reply), 'ok');
}

function goodAnswer(endpoint: Endpoint, reply: Reply, isStream: boolean, pace: Pace): GoodAnswer {
  if (!isStream || !endpoint.stream) {
    return { contentType: 'application/json', body: endpoint.render(reply), isStream: false };
  }
  const frames = endpoint.stream(reply, pacePieces(reply.text, pace));
  return { contentType: 'text/event-stream', body: wholeStream(frames), isStream: true };
}
