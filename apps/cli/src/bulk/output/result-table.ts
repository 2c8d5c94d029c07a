import { CommandError } from '../exit-codes.ts';
import { columnOf } from '../input/template.ts';
import { rowId } from '../input/request-of-row.ts';
import { hasByteOrderMark } from '../input/decode-text.ts';
import { openTable, type TableSource } from '../input/table.ts';
import { cellsOf, type ResultLine } from './result.ts';

/** The table that a batch was made of. */
export interface JoinedRows {
  source: TableSource;
  idColumn: string | null;
}

export const BYTE_ORDER_MARK = '\uFEFF';

const CELLS = ['answer', 'error', 'input_tokens', 'output_tokens'] as const;

/**
 * Results as a table: the custom id and the answer, or, with the rows that the batch was made of, those rows and the answer.
 * Both are in the order of the input, so they are read side by side, and no row is held.
 * @throws CommandError when the rows are not those of the batch
 */
export async function* resultTable(
  results: AsyncIterable<string>,
  joined: JoinedRows | null,
  given: string | null,
): AsyncGenerator<string, void, undefined> {
  const table = joined && (await openTable(joined.source));
  // Excel reads a CSV file as UTF-8 only if it begins with the mark.
  if (joined !== null && (await hasByteOrderMark(joined.source))) yield BYTE_ORDER_MARK;
  // As the rows have it: a spreadsheet that writes semicolons reads them, too.
  const delimiter = given ?? table?.delimiter ?? ',';
  const line = (values: readonly string[]): string =>
    `${values.map((value) => quoted(value, delimiter)).join(delimiter)}\r\n`;
  const columns = table === null ? ['custom_id'] : table.columns;
  yield line([...columns, ...namesBeside(columns)]);
  const idColumn =
    joined?.idColumn == null
      ? null
      : columnOf(joined.idColumn, '--id-column', columns, joined.source.name);
  try {
    for await (const text of results) {
      const result = JSON.parse(text) as ResultLine;
      const { answer, error, inputTokens, outputTokens } = cellsOf(result);
      const cells = [answer, error, inputTokens, outputTokens];
      if (table === null) {
        yield line([result.custom_id, ...cells]);
        continue;
      }
      const { value: row } = await table.rows.next();
      const id = row && (idColumn === null ? rowId(row.number) : row.values[idColumn]?.trim());
      if (row === undefined || id !== result.custom_id) {
        throw new CommandError(
          `${joined?.source.name}: its rows are not those of this batch: ${JSON.stringify(result.custom_id)} should be next, and there is ${id === undefined ? 'none' : JSON.stringify(id)}`,
        );
      }
      yield line([...row.values, ...cells]);
    }
  } finally {
    await table?.rows.return();
  }
}

/** A column that the input has already keeps its name; ours gets another. */
function namesBeside(columns: readonly string[]): string[] {
  const taken = new Set(columns);
  return CELLS.map((name) => {
    let free: string = name;
    for (let n = 2; taken.has(free); n += 1) free = `${name}_${n}`;
    return free;
  });
}

function quoted(value: string, delimiter: string): string {
  const isPlain = !/["\r\n]|^\s|\s$/.test(value) && !value.includes(delimiter);
  return isPlain ? value : `"${value.replaceAll('"', '""')}"`;
}
