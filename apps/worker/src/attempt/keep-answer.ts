import type { BlobStore } from '@nightshift/blobs';
import type { AttemptStore, Claim, MemoryWatch, Settlement } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';

/**
 * Longer answers go to the blob store. A chat answer is rarely this long (about 16,000 tokens); embeddings and images are. Short
 * answers stay in Redis because each file costs an fsync.
 */
const LONGEST_IN_REDIS = 64_000;
/** While Redis is short of memory, accepted work must fit into the reserve; a file is then the smaller cost. */
const LONGEST_IN_TIGHT_REDIS = 4000;

type Response = Settlement['response'];

/** Stores a large answer in the blob store; returns the response as the record should hold it. */
export type KeepAnswer = (claim: Claim, response: Response) => Promise<Response>;

export function createAnswerKeeper({
  attempts,
  blobs,
  memory,
  logger,
}: {
  attempts: Pick<AttemptStore, 'holdAnswer'>;
  blobs: Pick<BlobStore, 'put'>;
  memory: Pick<MemoryWatch, 'isTight'>;
  logger: Logger;
}): KeepAnswer {
  return async (claim, response) => {
    if (response === null) return null;
    const longest = memory.isTight() ? LONGEST_IN_TIGHT_REDIS : LONGEST_IN_REDIS;
    if (response.body.length <= longest) return response;
    const name = answerBlobName(claim);
    try {
      await attempts.holdAnswer(claim.tenant, name);
      const { bytes } = await blobs.put(name, piecesOf(response.body));
      return { ...response, blob: { name, bytes } };
    } catch (error) {
      // A full disk must not lose an answer that was paid for: the record stores it as it would a short one.
      const { message } = error as Error;
      logger.warn({ jobId: claim.jobId, reason: message }, 'answer.kept_in_redis');
      return response;
    }
  };
}

/** Spread over 256 folders, because a folder of a million files is slow on many disks. Only the claim with this generation writes it. */
export function answerBlobName({ jobId, generation }: Pick<Claim, 'jobId' | 'generation'>): string {
  let sum = 0;
  for (const character of jobId) sum = (31 * sum + character.charCodeAt(0)) % 65_536;
  const folder = (sum % 256).toString(16).padStart(2, '0');
  return `answers-${folder}/${jobId}-${generation}`;
}

async function* piecesOf(body: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(body);
}
