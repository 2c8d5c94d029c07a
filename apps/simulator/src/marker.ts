import { isJsonObject, type JsonObject } from './json.ts';

const LONGEST_MARKER = 256;

/**
 * What identifies a call for its sender: `metadata.marker`, else `user`, else the header
 * `x-nightshift-job`; cut at 256 characters, null when there is none.
 */
export function markerOf(body: JsonObject, header: string | undefined): string | null {
  const metadata = body['metadata'];
  const inMetadata = isJsonObject(metadata) ? metadata['marker'] : undefined;
  for (const candidate of [inMetadata, body['user'], header]) {
    if (typeof candidate === 'string' && candidate !== '') {
      return candidate.slice(0, LONGEST_MARKER).toWellFormed();
    }
  }
  return null;
}

/**
 * The text of every answer: `[call:17] [body:0123456789ab] [marker:job_1]`. The marker is
 * percent-encoded, so that a `]` in it cannot end it early; it is left out when there is none.
 */
export function answerText(call: number, digest: string, marker: string | null): string {
  const text = `[call:${call}] [body:${digest}]`;
  return marker === null ? text : `${text} [marker:${encodeURIComponent(marker)}]`;
}

/** What `answerText` put into a text, or null when the text is not a simulator's answer. */
export function parseAnswerText(
  text: string,
): { call: number; digest: string; marker: string | null } | null {
  const found = /\[call:(\d+)\] \[body:([0-9a-f]{12})\](?: \[marker:([^\]]*)\])?/.exec(text);
  if (!found) return null;
  const [, call, digest, marker] = found;
  return {
    call: Number(call),
    digest: digest ?? '',
    marker: marker === undefined ? null : decodeURIComponent(marker),
  };
}
