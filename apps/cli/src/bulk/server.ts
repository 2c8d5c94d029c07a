import { UsageError } from '../flags.ts';
import { reachableHost } from '../stack/ports.ts';
import type { OptionTable } from './command-line.ts';

export interface Server {
  /** Without `/v1` and without a slash at the end. */
  url: string;
  apiKey: string | null;
}

export const serverOptions: OptionTable = {
  url: {
    value: 'URL',
    about:
      'where the API is; else NIGHTSHIFT_URL, else http://HOST:PORT (127.0.0.1:3000). The key comes from NIGHTSHIFT_API_KEY',
  },
};

/**
 * The API's own HOST and PORT are the default, so that one environment serves both. OPENAI_API_KEY is the provider's and is
 * never sent.
 * @throws UsageError
 */
export function readServer(
  given: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Server {
  const { HOST, PORT, NIGHTSHIFT_URL, NIGHTSHIFT_API_KEY } = environment;
  const [name, text] =
    given !== undefined
      ? ['--url', given]
      : NIGHTSHIFT_URL
        ? ['NIGHTSHIFT_URL', NIGHTSHIFT_URL]
        : ['HOST and PORT', `http://${reachableHost(HOST || '127.0.0.1')}:${PORT || 3000}`];
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new UsageError(
      `${name} must be an http or https URL such as http://127.0.0.1:3000, got ${JSON.stringify(text)}`,
    );
  }
  return {
    url: text.replace(/\/+$/, '').replace(/\/v1$/, ''),
    apiKey: NIGHTSHIFT_API_KEY || null,
  };
}
