import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BatchDryRun, BatchErrors, BatchView, LaneView } from '@nightshift/shared/http';
import { count, money, short } from '../bulk/format.ts';
import type { Api } from './api.ts';
import { parseResults, type ResultLine } from './results.ts';
import { inputFile, type SampleLine } from './sample/sample.ts';
import type { Screen } from './screen.ts';

/** In the demo's folder. */
export const fileNames = {
  input: 'requests.jsonl',
  output: 'output.jsonl',
  errors: 'errors.jsonl',
} as const;

export interface HandInOptions {
  api: Api;
  folder: string;
  lines: readonly SampleLine[];
  /** Whether what is called costs money. */
  isReal: boolean;
  screen: Screen;
}

/** Writes the input file and uploads it. Resolves with the id that it has then. */
export async function handIn(options: HandInOptions): Promise<string> {
  const { api, folder, lines, isReal, screen } = options;
  const path = join(folder, fileNames.input);
  const text = inputFile(lines);
  await writeFile(path, text);
  const id = await api.upload(path);
  const size = Math.ceil(Buffer.byteLength(text) / 1000);
  screen.say(`  uploaded    ${fileNames.input}, ${count(size)} kB, with the official openai SDK`);
  screen.say(`  checked     ${describeDryRun(await api.dryRun(id), isReal)}`);
  return id;
}

function describeDryRun(
  { request_counts: counts, estimate }: BatchDryRun,
  isReal: boolean,
): string {
  const { input_tokens: input, output_tokens: output, cost_usd: cost } = estimate;
  const price =
    cost === null ? 'cost unknown' : `at most ${money(cost)}${isReal ? ' will be spent' : ''}`;
  return `${count(counts.valid)} good lines, about ${short(input + output)} tokens, ${price}`;
}

/** What a settled batch left. */
export interface Harvest {
  batch: BatchView;
  output: readonly ResultLine[];
  failures: readonly ResultLine[];
  /** What failed, as the API groups it. */
  groups: BatchErrors;
  lanes: readonly LaneView[];
}

/** Downloads both files and keeps them beside the input. */
export async function bringHome(api: Api, folder: string, batchId: string): Promise<Harvest> {
  const batch = await api.batch(batchId);
  const [output, failures, groups, lanes] = await Promise.all([
    api.content(batch.output_file_id),
    api.content(batch.error_file_id),
    api.errors(batchId),
    api.lanes(),
  ]);
  await writeFile(join(folder, fileNames.output), output);
  await writeFile(join(folder, fileNames.errors), failures);
  return {
    batch,
    groups,
    lanes,
    output: parseResults(fileNames.output, output),
    failures: parseResults(fileNames.errors, failures),
  };
}
