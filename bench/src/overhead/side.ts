import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessIds } from '../measure/cpu.ts';
import type { SideName } from '../measure/rows.ts';

/** One API, one worker and one Redis of their own, up and idle. */
export interface Side {
  readonly name: SideName;
  /** `http://HOST:PORT` of the API. */
  readonly origin: string;
  /** Where jobs are posted to. */
  readonly path: string;
  readonly pids: ProcessIds;
  /** What is posted so that the provider gets `chatRequest`. */
  wrap(chatRequest: object): string;
  /** One O(1) command to Redis, of the same cost on both sides. */
  completed(): Promise<number>;
  /** Jobs that ended in any other way. */
  failed(): Promise<number>;
  /** The text that the provider answered, as a caller finds it afterwards; `accepted` is the body of the 202. */
  answerOf(accepted: string): Promise<string>;
  stop(): Promise<void>;
}

export interface SideOptions {
  /** Base URL of the provider, with `/v1`. */
  providerUrl: string;
  /** Provider calls in flight at once in the worker. */
  concurrency: number;
  /** Where the API and the worker leave V8 CPU profiles when they end, or null. */
  profileDir: string | null;
}

/** A call in the shape of most tutorials, about 400 bytes; the marker comes back in the simulator's answer. */
export function chatRequest(marker: string): object {
  return {
    model: 'gpt-4o-mini',
    messages: [
      { role: 'system', content: 'You sort customer reviews. Answer with one word.' },
      {
        role: 'user',
        content: `Is this review positive, negative or mixed? "${marker}: it came a day late and the box was dented, but the lamp is bright, the colour is the one in the picture and my daughter will not read without it any more."`,
      },
    ],
    user: marker,
  };
}

/** The text of a chat completion. */
export function textOf(completion: unknown): string {
  const { choices } = completion as { choices?: { message?: { content?: string } }[] };
  return choices?.[0]?.message?.content ?? '';
}

/**
 * Waits until a side counts so many completed jobs, looking every `everyMs`.
 * @throws Error when a job failed, or when nothing has moved for a minute.
 */
export async function untilCompleted(side: Side, count: number, everyMs: number): Promise<void> {
  const patienceMs = 60_000;
  let last = -1;
  let movedAt = performance.now();
  for (;;) {
    const completed = await side.completed();
    if (completed >= count) return;
    if (completed !== last) {
      last = completed;
      movedAt = performance.now();
    } else if (performance.now() - movedAt > patienceMs) {
      const failed = await side.failed();
      throw new Error(
        `${side.name}: ${completed} of ${count} jobs are completed, ${failed} failed, and nothing has moved for ${patienceMs / 1000} s`,
      );
    }
    await sleep(everyMs);
  }
}

/** The environment that makes a Node process of a side leave its CPU profile in a folder of its own. */
export function profileEnvironment(
  profileDir: string | null,
  name: string,
): Record<string, string> {
  if (profileDir === null) return {};
  return { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${join(profileDir, name)}` };
}
