export type EncodingName = 'o200k_base' | 'cl100k_base';

/**
 * Families whose encoding OpenAI has published (tiktoken's `model.py`, and gpt-oss, whose own encoding adds only special
 * tokens to o200k_base). The first that matches wins; a name that goes on must go on behind a hyphen, or, for whole
 * generations, a point: `gpt-5.2-pro` is a `gpt-5`.
 */
const families: readonly (readonly [RegExp, EncodingName])[] = [
  [/^(chatgpt-4o|gpt-4o|gpt-4\.1|gpt-4\.5|gpt-5|gpt-oss|o1|o3|o4)(?=[-.]|$)/, 'o200k_base'],
  [/^(gpt-4|gpt-3\.5-turbo|gpt-35-turbo|davinci-002|babbage-002)(?=-|$)/, 'cl100k_base'],
  [/^(text-embedding-ada-002|text-embedding-3-small|text-embedding-3-large)$/, 'cl100k_base'],
];

/** What stands before a model's own name: routes such as `azure/openai/`, a vendor as `openai.`, and `ft:`. */
const prefixes = /^(?:.*\/)?(?:openai\.)?(?:ft:)?/;

/**
 * The encoding of a model, by its name as callers write it: dated (`gpt-4o-2024-08-06`), fine-tuned
 * (`ft:gpt-4o-mini-2024-07-18:acme::8Xyz`), behind a provider (`openai/gpt-4o-mini`), with a variant (`…:free`). Null where
 * it is not known: a newer generation may count differently, and other vendors do.
 */
export function encodingOf(model: string): EncodingName | null {
  // Model names are short; what is not one is not worth a search.
  const name = model.slice(0, 200).replace(prefixes, '').replace(/:.*$/s, '').toLowerCase();
  return families.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}
