/** What is wrong with an input. Its message is one line for each thing: the file, the line, the field. */
export class InputProblem extends Error {
  override readonly name = 'InputProblem';
}

const MOST_SHOWN = 20;

/** Gathers what is wrong, so that all of it can be mended at once. */
export function createProblemList(path: string) {
  const shown: string[] = [];
  let count = 0;
  return {
    add: (line: number | null, message: string): void => {
      count += 1;
      const where = line === null ? path : `${path}, line ${line}`;
      if (shown.length < MOST_SHOWN) shown.push(`${where}: ${message}`);
    },
    /** @throws InputProblem if there was any. */
    throwIfAny: (): void => {
      if (count === 0) return;
      const more = count > shown.length ? [`and ${count - shown.length} more`] : [];
      throw new InputProblem([...shown, ...more].join('\n'));
    },
  };
}
