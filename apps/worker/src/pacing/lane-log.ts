import type { PaceReply } from '@nightshift/shared/redis';
import type { Logger } from '@nightshift/shared/telemetry';

/** Changes of the concurrency smaller than this part of it are not told: it is adjusted all the time. */
const WORTH_TELLING = 0.2;

/** Tells in the log what the fleet believes of a lane's limits, whenever that changes. */
export function createLaneLog(laneId: string, logger: Logger): (reply: PaceReply) => void {
  let limits = '';
  let concurrency: number | null = null;
  return ({ requestsPerMinute, tokensPerMinute, ...reply }) => {
    const now = JSON.stringify([rounded(requestsPerMinute), rounded(tokensPerMinute)]);
    if (now !== limits && (limits !== '' || reply.limited) && !reply.cold) {
      logger.info({ laneId, requestsPerMinute, tokensPerMinute }, 'lane.limits_changed');
      limits = now;
    }
    if (reply.governs === null || reply.concurrency === null) return;
    if (concurrency === null || Math.abs(reply.concurrency / concurrency - 1) > WORTH_TELLING) {
      concurrency = reply.concurrency;
      logger.info(
        { laneId, concurrency: Math.floor(concurrency), inFlight: reply.inFlight },
        'lane.concurrency_changed',
      );
    }
  };
}

/** A learnt rate moves a little all the time. */
function rounded(perMinute: number | null): number | null {
  return perMinute === null ? null : Number(perMinute.toPrecision(2));
}
