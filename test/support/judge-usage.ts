import type { Batch, Judged } from './batch-stage.ts';
import type { ProviderCall } from './ledger.ts';

/**
 * Every answer is one that the provider gave to this very request, and the batch's usage is what the provider counted for
 * these answers, whatever else it was called for.
 */
export function judgeUsage(batch: Batch, { output }: Judged, calls: readonly ProviderCall[]): void {
  const given = new Map(calls.map((call) => [call.response_id, call]));
  let tokens = 0;
  for (const { custom_id: id, response } of output) {
    const call = given.get(response?.body.id ?? '');
    if (call?.marker !== id)
      throw new Error(`${id} holds an answer that was given to ${call?.marker}`);
    tokens += call.input_tokens + call.output_tokens;
  }
  if (batch.usage?.total_tokens !== tokens) {
    throw new Error(
      `${batch.id} says ${batch.usage?.total_tokens} tokens, the provider counted ${tokens}`,
    );
  }
}
