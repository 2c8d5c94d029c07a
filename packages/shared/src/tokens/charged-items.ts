import type { ChargedInput } from './charged-input.ts';
import { listOf, recordOf } from './unknown-json.ts';

/**
 * What a message costs beside its texts, as OpenAI publishes it for its chat models: 3, and one for the role's name. A
 * message's `name` is text and one more. https://github.com/openai/openai-cookbook, How_to_count_tokens_with_tiktoken.
 */
const ITEM_TOKENS = 3 + 1;
const NAME_TOKENS = 1;
/** A tool call's frame around its name and arguments. */
const CALL_TOKENS = 3;

/**
 * Parts that are not text. What they cost depends on the model and on what is in them, which is not decoded here:
 * - an image at low detail costs 85 (OpenAI's figure), any other what 1024 × 1024 at high detail does, 85 + 4 × 170;
 * - audio costs 10 a second, and is taken to last half a minute;
 * - a file is taken for two pages, each as its text and as an image.
 */
export const partTokens = { lowDetailImage: 85, image: 765, audio: 300, file: 2000 } as const;

/** The messages of a chat, or the input of a response: a text, or items of many types that name alike what they hold. */
export function chargeItems(input: ChargedInput, items: unknown): void {
  if (typeof items === 'string') {
    input.fixedTokens += ITEM_TOKENS;
    input.texts.push(items);
    return;
  }
  for (const listed of listOf(items)) {
    const item = recordOf(listed);
    if (item === undefined) continue;
    input.fixedTokens += ITEM_TOKENS;
    if (chargeText(input, item['name'])) input.fixedTokens += NAME_TOKENS;
    chargeContent(input, item['content']);
    chargeContent(input, item['output']);
    chargeContent(input, item['summary']);
    chargeText(input, item['refusal']);
    chargeText(input, item['arguments']);
    chargeText(input, item['input']);
    chargeCall(input, item['function_call']);
    for (const call of listOf(item['tool_calls'])) {
      chargeCall(input, recordOf(call)?.['function']);
      chargeCall(input, recordOf(call)?.['custom']);
    }
  }
}

function chargeCall(input: ChargedInput, value: unknown): void {
  const call = recordOf(value);
  if (call === undefined) return;
  input.fixedTokens += CALL_TOKENS;
  chargeText(input, call['name']);
  chargeText(input, call['arguments']);
  chargeText(input, call['input']);
}

function chargeContent(input: ChargedInput, content: unknown): void {
  if (chargeText(input, content)) return;
  for (const part of listOf(content)) {
    if (!chargeText(input, part)) chargePart(input, part);
  }
}

/** One content part of any API. The characters of an image, a recording or a file are never counted as text. */
export function chargePart(input: ChargedInput, value: unknown): void {
  const part = recordOf(value);
  if (part === undefined) return;
  const type = typeof part['type'] === 'string' ? part['type'] : '';
  if (type.includes('image')) {
    const detail = part['detail'] ?? recordOf(part['image_url'])?.['detail'];
    input.fixedTokens += detail === 'low' ? partTokens.lowDetailImage : partTokens.image;
  } else if (type.includes('audio')) input.fixedTokens += partTokens.audio;
  else if (type.includes('file') || type === 'document') input.fixedTokens += partTokens.file;
  else if (!chargeText(input, part['text'])) chargeText(input, part['refusal']);
}

function chargeText(input: ChargedInput, value: unknown): boolean {
  if (typeof value !== 'string') return false;
  input.texts.push(value);
  return true;
}
