import { request } from 'undici';

export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

/** The samples of a metrics page in the text format. */
export function parseSamples(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!found) continue;
    const [, name = '', labels = '', value] = found;
    const pairs = [...labels.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)];
    samples.push({
      name,
      labels: Object.fromEntries(pairs.map(([, key, text]) => [key, text])),
      value: Number(value),
    });
  }
  return samples;
}

/** Of several processes together. */
export async function readSamples(urls: readonly string[]): Promise<Sample[]> {
  const pages = await Promise.all(
    urls.map(async (url) => {
      const answer = await request(url);
      return parseSamples(await answer.body.text());
    }),
  );
  return pages.flat();
}

/** The sum of a metric over all its labels and processes, or null when nobody has it. */
export function sumOf(samples: readonly Sample[], name: string): number | null {
  const found = samples.filter((sample) => sample.name === name);
  return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0);
}

/** The mean over all processes of a gauge, for each value of a label. */
export function meansByLabel(
  samples: readonly Sample[],
  name: string,
  label: string,
): Record<string, number> {
  const groups = Map.groupBy(
    samples.filter((sample) => sample.name === name),
    ({ labels }) => labels[label] ?? '',
  );
  const means = [...groups].map(([key, own]): [string, number] => [
    key,
    own.reduce((sum, { value }) => sum + value, 0) / own.length,
  ]);
  return Object.fromEntries(means);
}
