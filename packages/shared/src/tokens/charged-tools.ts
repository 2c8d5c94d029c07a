import type { ChargedInput } from './charged-input.ts';
import { listOf, recordOf } from './unknown-json.ts';

/**
 * Providers show a model its tools in a form of their own, shorter than JSON. These are the tokens of OpenAI's beside the
 * texts, as published for gpt-4o. https://github.com/openai/openai-cookbook, How_to_count_tokens_with_tiktoken.
 */
const TOOL_TOKENS = 7;
const TOOLS_END_TOKENS = 12;
const PROPERTIES_TOKENS = 3;
/** The published 3, and 2 for the colons of `name:type:description`. */
const PROPERTY_TOKENS = 3 + 2;
const ENUM_TOKENS = -3;
const ENUM_VALUE_TOKENS = 3;

/** Tools of a chat (`{function: {…}}`), of a response (flat), and the older `functions`. */
export function chargeTools(input: ChargedInput, tools: unknown): void {
  const listed = listOf(tools);
  if (listed.length > 0) input.fixedTokens += TOOLS_END_TOKENS;
  for (const value of listed) {
    const tool = recordOf(value);
    const described = recordOf(tool?.['function']) ?? recordOf(tool?.['custom']) ?? tool;
    if (described === undefined) continue;
    input.fixedTokens += TOOL_TOKENS;
    pushText(input, described['name']);
    pushText(input, described['description']);
    chargeSchema(input, described['parameters']);
  }
}

/** Where schemas stand in schemas, by name or in a list. */
const inside = ['items', 'additionalProperties', 'anyOf', 'oneOf', 'allOf'] as const;
const named = ['properties', '$defs', 'definitions'] as const;

/**
 * The names, types, descriptions and allowed values of a JSON schema, however deep: a stack of what is still to read
 * cannot overflow as calls can.
 */
export function chargeSchema(input: ChargedInput, schema: unknown): void {
  const unread: unknown[] = [schema];
  while (unread.length > 0) {
    const value = unread.pop();
    for (const one of listOf(value)) unread.push(one);
    const read = recordOf(value);
    if (read === undefined) continue;
    pushText(input, read['type']);
    pushText(input, read['description']);
    chargeEnum(input, listOf(read['enum']));
    for (const name of inside) unread.push(read[name]);
    for (const name of named) {
      const properties = Object.entries(recordOf(read[name]) ?? {});
      if (properties.length > 0) input.fixedTokens += PROPERTIES_TOKENS;
      for (const [property, its] of properties) {
        input.fixedTokens += PROPERTY_TOKENS;
        input.texts.push(property);
        unread.push(its);
      }
    }
  }
}

function chargeEnum(input: ChargedInput, values: readonly unknown[]): void {
  if (values.length === 0) return;
  input.fixedTokens += ENUM_TOKENS;
  for (const value of values) {
    input.fixedTokens += ENUM_VALUE_TOKENS;
    pushText(input, value);
  }
}

function pushText(input: ChargedInput, value: unknown): void {
  if (typeof value === 'string') input.texts.push(value);
}
