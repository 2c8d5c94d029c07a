export interface Welcome {
  /** Without a slash at the end. */
  url: string;
  provider: string;
  redis: string;
  dataDir: string;
  hasApiKeys: boolean;
}

/** What `start` prints when all of it runs. */
export const welcome = (stack: Welcome): string => `
Nightshift is running.

  provider    ${stack.provider}
  redis       ${stack.redis}
  data        ${stack.dataDir}, logs in ${stack.dataDir}/logs

${addresses(stack.url)}

${example(stack.url, stack.hasApiKeys)}

Ctrl-C stops it; accepted jobs are kept and go on at the next start.`;

export const addresses = (url: string): string =>
  `  dashboard   ${url}/
  reference   ${url}/docs
  base URL    ${url}/v1   (for the OpenAI SDKs, as base_url)`;

/** A first call to copy. */
export const example = (url: string, hasApiKeys: boolean): string =>
  [
    'Try it:',
    `  curl -s ${url}/v1/jobs -H 'content-type: application/json' -H 'prefer: wait=30' \\`,
    ...(hasApiKeys ? ["    -H 'authorization: Bearer ONE_OF_YOUR_KEYS' \\"] : []),
    `    -d '{"body":{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello."}]}}'`,
  ].join('\n');
