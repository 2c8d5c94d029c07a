import { createCustomIds } from '@nightshift/shared/batch';
import type { Endpoint } from '@nightshift/shared/job';
import { createProblemList } from './input-problem.ts';
import { columnOf, compileTemplate, fillTemplate, usesColumns, type Template } from './template.ts';
import { openTable, type TableSource } from './table.ts';
import { InputProblem } from './input-problem.ts';

/** How a row becomes a request. */
export interface Recipe {
  endpoint: Endpoint;
  model: string;
  prompt: string;
  system: string | null;
  /** Null: ids are made from row numbers. */
  idColumn: string | null;
  /** Fields that every body gets. */
  body: Readonly<Record<string, unknown>>;
  maxTokens: number | null;
  temperature: number | null;
}

/** The custom id of a row when no column has it. */
export const rowId = (number: number): string => `row-${number}`;

/**
 * Lines of a batch's input file, one for each row, as a stream. All rows are looked at before it ends with what is wrong.
 * @throws InputProblem
 */
export async function* requestLines(
  source: TableSource,
  recipe: Recipe,
): AsyncGenerator<string, void, undefined> {
  const { name } = source;
  const { columns, rows } = await openTable(source);
  const template = (text: string, flag: string): Template =>
    compileTemplate(text, flag, columns, name);
  const prompt = template(recipe.prompt, '--prompt');
  const system = recipe.system === null ? null : template(recipe.system, '--system');
  if (![prompt, system ?? []].some(usesColumns)) {
    const some = `{{${columns[0] ?? 'column'}}}`;
    throw new InputProblem(
      `--prompt names no column, so every request would be the same: put one in, such as ${some}`,
    );
  }
  const idColumn =
    recipe.idColumn === null ? null : columnOf(recipe.idColumn, '--id-column', columns, name);
  const customIds = createCustomIds();
  const problems = createProblemList(name);
  let count = 0;
  for await (const { line, number, values } of rows) {
    count += 1;
    const customId = idColumn === null ? rowId(number) : (values[idColumn] ?? '').trim();
    const firstLine = customId === '' ? line : customIds.firstLine(customId, line);
    if (customId === '') {
      problems.add(
        line,
        `the column ${JSON.stringify(recipe.idColumn)} is empty, and every row needs an id`,
      );
    } else if (firstLine !== line) {
      problems.add(
        line,
        `the id ${JSON.stringify(customId)} is on line ${firstLine} already, and must be unique`,
      );
    }
    const filled = fillTemplate(prompt, values);
    if (filled.trim() === '') problems.add(line, 'the prompt of this row is empty');
    const body = bodyOf(recipe, filled, system === null ? null : fillTemplate(system, values));
    yield `${JSON.stringify({ custom_id: customId, method: 'POST', url: recipe.endpoint, body })}\n`;
  }
  if (count === 0) problems.add(null, 'there is no row in it');
  problems.throwIfAny();
}

function bodyOf(recipe: Recipe, prompt: string, system: string | null): Record<string, unknown> {
  const { model, endpoint, maxTokens, temperature, body } = recipe;
  const more = { ...(temperature !== null && { temperature }), ...body };
  const limit = (field: string) => (maxTokens === null ? {} : { [field]: maxTokens });
  switch (endpoint) {
    case '/v1/chat/completions': {
      const messages = [
        ...(system === null ? [] : [{ role: 'system', content: system }]),
        { role: 'user', content: prompt },
      ];
      return { model, messages, ...limit('max_completion_tokens'), ...more };
    }
    case '/v1/responses': {
      const instructions = system === null ? {} : { instructions: system };
      return { model, ...instructions, input: prompt, ...limit('max_output_tokens'), ...more };
    }
    case '/v1/completions':
      return { model, prompt, ...limit('max_tokens'), ...more };
    case '/v1/embeddings':
    case '/v1/moderations':
      return { model, input: prompt, ...more };
  }
}
