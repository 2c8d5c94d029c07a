import { readFileSync } from 'node:fs';

/** The version of this package, which all Nightshift packages share. The relative path works from `src` and from `dist`. */
export function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
