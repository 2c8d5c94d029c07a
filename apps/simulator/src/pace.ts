import type { Frames } from './endpoints/endpoint.ts';
import type { Exchange } from './exchange.ts';
import type { Draws } from './faults/decide.ts';
import { sampleLatency, type Latency } from './latency.ts';
import { drawFor, purposes } from './random.ts';
import type { Settings } from './settings.ts';

/** More pieces than this would only cost time when nobody paces them. */
const PIECES_AT_ONCE = 8;
const FIRST_TOKEN_SHARE = 0.1;

/** When the parts of one answer are sent. */
export interface Pace {
  /** Until a whole answer is sent. */
  wholeMs: number;
  /** Until a stream's first event. */
  firstTokenMs: number;
  /** Between a stream's pieces. */
  betweenMs: number;
  pieces: number;
}

/** The same seed, body and attempt give the same pace. */
export function planPace(settings: Settings, draws: Draws, tokens: number): Pace {
  const { latency, first_token: firstToken, ms_per_token: msPerToken } = settings;
  const count = Math.max(1, tokens);
  if (latency.kind === 'fixed' && latency.ms === 0 && !firstToken && !msPerToken) {
    return { wholeMs: 0, firstTokenMs: 0, betweenMs: 0, pieces: Math.min(count, PIECES_AT_ONCE) };
  }
  const wholeMs = sample(latency, draws, purposes.latency, purposes.latencyPair);
  const firstTokenMs = firstToken
    ? sample(firstToken, draws, purposes.firstToken, purposes.firstTokenPair)
    : wholeMs * FIRST_TOKEN_SHARE;
  const betweenMs = msPerToken ?? Math.max(0, wholeMs - firstTokenMs) / count;
  const together = firstTokenMs + betweenMs * count;
  return {
    wholeMs: msPerToken === null ? wholeMs : together,
    firstTokenMs,
    betweenMs,
    pieces: betweenMs > 0 ? count : Math.min(count, PIECES_AT_ONCE),
  };
}

function sample(latency: Latency, draws: Draws, first: number, pair: number): number {
  const { seed, digest, attempt } = draws;
  return sampleLatency(
    latency,
    drawFor(seed, digest, attempt, first),
    drawFor(seed, digest, attempt, pair),
  );
}

/** The text in as many pieces as the pace has. */
export function pacePieces(text: string, pace: Pace): string[] {
  const size = Math.max(1, Math.ceil(text.length / pace.pieces));
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += size) pieces.push(text.slice(at, at + size));
  return pieces;
}

/**
 * Writes a stream at its pace, without ending the response; false if the caller left. Pieces are
 * due at fixed times after the first, so that timers that fire late do not add up.
 */
export async function streamReply(
  exchange: Exchange,
  frames: Frames,
  pace: Pace,
): Promise<boolean> {
  exchange.open(200, ['content-type', 'text/event-stream', 'cache-control', 'no-cache']);
  const { response } = exchange;
  if (pace.betweenMs <= 0) {
    response.write(wholeStream(frames));
    return true;
  }
  response.write(frames.head.join(''));
  if (frames.head.length === 0) response.flushHeaders();
  const startedAtMs = performance.now();
  for (const [index, piece] of frames.pieces.entries()) {
    const dueMs = pace.betweenMs * (index + 1) - (performance.now() - startedAtMs);
    if (!(await exchange.sleep(dueMs))) return false;
    response.write(piece);
  }
  response.write(frames.tail.join(''));
  return true;
}

export function wholeStream(frames: Frames): string {
  return [...frames.head, ...frames.pieces, ...frames.tail].join('');
}
