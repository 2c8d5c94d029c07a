import type { LedgerEntry, LedgerPage } from '@nightshift/simulator';

const CALL_TIMEOUT_MS = 10_000;
const PAGE = 10_000;

/** Every call that the simulated provider received, oldest first. @param baseUrl with `/v1` */
export async function readLedger(baseUrl: string): Promise<LedgerEntry[]> {
  const page = await ask<LedgerPage>(baseUrl, `/_simulator/calls?limit=${PAGE}`);
  return page.data;
}

/** How many calls it received so far, and how many of them it refused with 429. */
export async function readCounts(baseUrl: string): Promise<{ calls: number; refused: number }> {
  const stats = await ask<{ calls: number; rate_limited: number }>(baseUrl, '/_simulator/stats');
  return { calls: stats.calls, refused: stats.rate_limited };
}

async function ask<Answer>(baseUrl: string, path: string): Promise<Answer> {
  const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
  const response = await fetch(new URL(path, baseUrl), { signal });
  return (await response.json()) as Answer;
}
