import { z } from 'zod';
import { modelMatches } from './faults/rules.ts';
import { isJsonObject, type JsonObject } from './json.ts';

const pattern = z.string().superRefine((source, context) => {
  try {
    compiled(source);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

/** A text of one's own in place of the one that identifies the call. */
export const answerSchema = z.strictObject({
  /** A model name; a `*` at its end stands for any rest. Left out: every model. */
  model: z.string().optional(),
  /** A regular expression that the prompt must match; its `.` is any character, line ends too. */
  when: pattern,
  /** What is said then; `$1` to `$9` and `$<name>` stand for what its groups matched. */
  say: z.string().min(1),
});

export type ScriptedAnswer = z.infer<typeof answerSchema>;

/** What the script has the models say: the first entry that matches a call decides. */
export class ScriptedAnswers {
  #answers: Array<ScriptedAnswer & { expression: RegExp }> = [];

  constructor(answers: readonly ScriptedAnswer[]) {
    this.set(answers);
  }

  set(answers: readonly ScriptedAnswer[]): void {
    this.#answers = answers.map((answer) => ({ ...answer, expression: compiled(answer.when) }));
  }

  /** Null where the script says nothing. */
  answer(model: string, body: JsonObject): string | null {
    if (this.#answers.length === 0) return null;
    const prompt = promptOf(body);
    for (const { model: wanted, expression, say } of this.#answers) {
      if (wanted !== undefined && !modelMatches(wanted, model)) continue;
      const found = expression.exec(prompt);
      if (found) return filledIn(say, found);
    }
    return null;
  }
}

/** Messages, their parts, the text of a part: nothing that is asked stands deeper. */
const DEEPEST = 6;

/** All that a body asks, whatever its endpoint: one text per line. */
export function promptOf({ messages, instructions, input, prompt }: JsonObject): string {
  return [instructions, prompt, input, messages]
    .flatMap((value) => textsOf(value, DEEPEST))
    .join('\n');
}

function textsOf(value: unknown, depth: number): string[] {
  if (typeof value === 'string') return [value];
  if (depth === 0) return [];
  if (Array.isArray(value)) return value.flatMap((item) => textsOf(item, depth - 1));
  if (!isJsonObject(value)) return [];
  return [value['content'], value['text']].flatMap((item) => textsOf(item, depth - 1));
}

function compiled(source: string): RegExp {
  return new RegExp(source, 'su');
}

function filledIn(say: string, found: RegExpExecArray): string {
  return say.replaceAll(/\$(?:([1-9])|<(\w+)>)/g, (_, index?: string, name?: string) =>
    index === undefined ? (found.groups?.[name ?? ''] ?? '') : (found[Number(index)] ?? ''),
  );
}
