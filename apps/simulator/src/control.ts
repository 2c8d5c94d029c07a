import { z } from 'zod';
import { badRequest, errorBody, unknownUrl } from './errors.ts';
import type { LedgerPage, LedgerQuery } from './ledger.ts';
import { settingsPatchSchema, type Settings, type SettingsInput } from './settings.ts';
import type { Stats } from './stats.ts';
import type { TimelineEntry, TimelineQuery } from './timeline.ts';
import { describeIssue } from './issue.ts';

/** What can be asked of a running simulator, in this process or over HTTP. */
export interface Control {
  calls(query?: LedgerQuery): LedgerPage;
  stats(): Stats;
  timeline(query?: TimelineQuery): TimelineEntry[];
  settings(): Settings;
  /** Throws a `TypeError` that names the field. */
  configure(patch: SettingsInput): Settings;
  reset(): void;
}

export interface ControlAnswer {
  status: number;
  body: string;
}

const querySchema = z.strictObject({
  after: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(10_000).optional(),
  model: z.string().optional(),
  marker: z.string().optional(),
  digest: z
    .string()
    .regex(/^[0-9a-f]{1,64}$/)
    .optional(),
  outcome: z.enum(['pending', 'ok', 'rate_limited', 'error', 'broken', 'aborted']).optional(),
});

const timelineQuerySchema = z.strictObject({
  after: z.coerce.number().int().optional(),
  model: z.string().optional(),
});

/** Answers `/_simulator/…`; its own calls are not in the ledger. */
export function answerControl(
  control: Control,
  method: string,
  url: URL,
  body: string,
): ControlAnswer {
  const ok = (value: unknown): ControlAnswer => ({ status: 200, body: JSON.stringify(value) });
  switch (`${method} ${url.pathname}`) {
    case 'GET /_simulator/calls': {
      const query = querySchema.safeParse(Object.fromEntries(url.searchParams));
      return query.success ? ok(control.calls(query.data)) : refuse(describeIssue(query.error));
    }
    case 'GET /_simulator/stats':
      return ok(control.stats());
    case 'GET /_simulator/timeline': {
      const query = timelineQuerySchema.safeParse(Object.fromEntries(url.searchParams));
      return query.success
        ? ok({ object: 'list', data: control.timeline(query.data) })
        : refuse(describeIssue(query.error));
    }
    case 'GET /_simulator/config':
      return ok(control.settings());
    case 'POST /_simulator/reset':
      control.reset();
      return ok({ reset: true });
    case 'POST /_simulator/config':
      try {
        return ok(control.configure(JSON.parse(body)));
      } catch (error) {
        return refuse(error instanceof SyntaxError ? 'the body must be JSON' : messageOf(error));
      }
    default: {
      const error = unknownUrl(method, url.pathname);
      return { status: error.status, body: errorBody(error) };
    }
  }
}

/** Checks settings that came from outside; throws a `TypeError` that names the field. */
export function parseSettings(value: unknown): z.infer<typeof settingsPatchSchema> {
  const parsed = settingsPatchSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new TypeError(describeIssue(parsed.error));
}

function refuse(message: string): ControlAnswer {
  return { status: 400, body: errorBody(badRequest(message, message.split(':')[0] ?? null)) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
