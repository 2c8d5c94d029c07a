import { fileURLToPath } from 'node:url';

/** The repository's folder; `src` and `dist` lie equally deep. */
export const repositoryRoot: string = fileURLToPath(new URL('../../..', import.meta.url));

/** The command line, which `exec`s: the process id of what it starts is the program's own. */
export const nightshiftBin: string = fileURLToPath(
  new URL('../../../bin/nightshift', import.meta.url),
);
