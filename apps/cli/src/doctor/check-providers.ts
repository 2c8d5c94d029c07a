import type { Configuration, ProviderSettings } from '@nightshift/shared/config';
import { reasonOf } from '../bulk/trouble.ts';
import { cutTo, oneLine } from '../bulk/text-table.ts';
import { withoutSecrets } from '../stack/services.ts';
import { note, ok, wrong, type Check } from './check.ts';

/** A provider's answer to `GET /models`, which is free. */
export type ProviderLook =
  | { kind: 'answered'; status: number; body: string }
  | { kind: 'unreachable'; reason: string };

const TIMEOUT_MS = 10_000;
const MOST_SAID = 300;
const MOST_BODY = 5_000_000;

/** Asks with the key and the headers that a worker would send. */
export async function askProvider(
  { baseUrl, apiKey, headers }: ProviderSettings,
  signal: AbortSignal,
): Promise<ProviderLook> {
  try {
    const response = await fetch(`${baseUrl}/models`, {
      headers: { ...(apiKey !== null && { authorization: `Bearer ${apiKey}` }), ...headers },
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const text = await response.text();
    return { kind: 'answered', status: response.status, body: text.slice(0, MOST_BODY) };
  } catch (error) {
    signal.throwIfAborted();
    return { kind: 'unreachable', reason: reasonOf(error as Error) };
  }
}

/** The variable that holds a provider's key; null if it needs no key. */
function keyVariable({ name, credential }: ProviderSettings): string | null {
  if (credential !== 'default') return credential;
  return name === 'default' ? 'OPENAI_API_KEY' : null;
}

export function judgeProvider(settings: ProviderSettings, look: ProviderLook): Check {
  const { name, baseUrl, apiKey } = settings;
  const title = `provider ${name}`;
  const place = `${name} at ${withoutSecrets(baseUrl)}`;
  if (look.kind === 'unreachable') {
    const message = `${place} is unreachable: ${redact(look.reason, settings)}`;
    const remedy = 'Check its address and the network. Jobs wait meanwhile, and none fails.';
    return wrong('provider_unreachable', title, message, remedy);
  }
  const { status } = look;
  const said = redact(wordsOf(look.body), settings);
  const answer = `${status}${said === '' ? '' : ` ${said}`}`;
  const variable = keyVariable(settings);
  if (status === 401 || status === 402 || status === 403) {
    const where =
      variable === null
        ? 'Name the variable with its key as api_key_env in NIGHTSHIFT_CONFIG'
        : `Set ${variable} for the workers`;
    const what = apiKey === null ? 'requires a key, and none is set' : 'refuses the key';
    const remedy = `${where} and restart them.`;
    return wrong('provider_key', title, `${place} ${what}: ${answer}`, remedy);
  }
  if (status >= 200 && status < 300) {
    const count = modelsIn(look.body)?.length;
    const models = count === undefined ? '' : `, ${count} models`;
    return ok(title, `${place} answers${apiKey === null ? '' : ' and accepts the key'}${models}`);
  }
  if (status === 404 || status === 405) {
    return ok(
      title,
      `${place} is reachable; it lists no models, so its key cannot be checked for free`,
    );
  }
  if (status === 429) return note(title, `${place} is reachable and at its rate limit: ${answer}`);
  if (status >= 500) {
    const remedy = 'Wait until it recovers. Jobs wait too, and none fails.';
    return wrong('provider_unreachable', title, `${place} answers ${answer}`, remedy);
  }
  return note(
    title,
    `${place} is reachable and answers ${answer}: its key cannot be checked for free`,
  );
}

/** The ids in an answer to `GET /models`; null if it is not a model list. */
export function modelsIn(body: string): string[] | null {
  try {
    const { data } = JSON.parse(body) as { data?: unknown };
    if (!Array.isArray(data)) return null;
    return data.map((model) => String((model as { id?: unknown } | null)?.id));
  } catch {
    return null;
  }
}

/** Lists the routes, and notes each route to a model that its provider does not list. */
export function judgeRoutes(
  { routes, providers }: Configuration,
  looks: ReadonlyMap<string, ProviderLook>,
): Check[] {
  const list = routes.map(({ match, provider }) => `${match} → ${provider}`).join(', ');
  const unused = [...providers.keys()].filter(
    (name) => !routes.some(({ provider }) => provider === name),
  );
  const unlisted = routes.filter(({ match, provider }) => {
    const look = looks.get(provider);
    const known = look?.kind === 'answered' ? modelsIn(look.body) : null;
    return known !== null && known.length > 0 && !match.endsWith('*') && !known.includes(match);
  });
  return [
    ok('models', list),
    ...unused.map((name) => note('models', `no model is routed to ${name}`)),
    ...unlisted.map(({ match, provider }) =>
      note('models', `${match} is routed to ${provider}, which does not list it`),
    ),
  ];
}

/** The provider's message, without markup. */
function wordsOf(body: string): string {
  try {
    const { error, message } = JSON.parse(body) as { error?: unknown; message?: unknown };
    const said = (error as { message?: unknown } | null)?.message ?? error ?? message;
    if (typeof said === 'string') return oneLine(said);
  } catch {
    // Not JSON: usually an HTML page from a gateway.
  }
  return oneLine(body.replaceAll(/<style.*?<\/style>|<[^>]*>/gs, ' '))
    .replaceAll(/ +/g, ' ')
    .trim();
}

/** Hides secrets: some providers and some errors repeat what they were sent. */
function redact(text: string, { apiKey, headers }: ProviderSettings): string {
  const secrets = [apiKey ?? '', ...Object.values(headers)].filter((secret) => secret.length >= 4);
  const hidden = secrets.reduce((clean, secret) => clean.replaceAll(secret, '(hidden)'), text);
  const keys = hidden.replaceAll(/\b(?:sk|pk|key|Bearer)[-_ ][A-Za-z0-9_-]{12,}/g, '(hidden)');
  return cutTo(keys, MOST_SAID);
}
