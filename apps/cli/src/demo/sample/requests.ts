import { complaints, praise } from './reviews.ts';
import { items, people, troubles } from './tickets.ts';

/** The body of a chat completion. */
export interface ChatBody {
  model: string;
  messages: { role: 'system' | 'user'; content: string }[];
  [field: string]: unknown;
}

/** What each request asks for. */
export const instructions = {
  triage: 'Sort the mail. Answer in JSON with category, urgency, mood and order.',
  reply: 'Answer the customer in the name of the shop, in two sentences.',
  review: 'Sum up the review for the product page, in one sentence.',
  thread: 'Sum up what this customer wrote to us over the years.',
} as const;

const of = <T>(list: readonly T[], n: number): T => list[n % list.length] as T;

/** The n-th mail. The lists' lengths share no divisor, so that 1,287 go by before one comes again. */
export function mail(n: number): string {
  const [name, city] = of(people, n).split(', ');
  const text = of(troubles, n)
    .says.replace('ITEM', of(items, n))
    .replace('ORDER', `#${4000 + 17 * n}`);
  return `Hello,\n\n${text}\n\nRegards,\n${name}, ${city}`;
}

export const chat = (
  model: string,
  task: keyof typeof instructions,
  content: string,
  maxTokens: number,
): ChatBody => ({
  model,
  messages: [
    { role: 'system', content: instructions[task] },
    { role: 'user', content },
  ],
  max_completion_tokens: maxTokens,
});

export const triage = (n: number, model: string): ChatBody => ({
  ...chat(model, 'triage', mail(n), 60),
  response_format: { type: 'json_object' },
});

export const reply = (n: number, model: string): ChatBody => chat(model, 'reply', mail(n), 120);

export const review = (n: number, model: string): ChatBody =>
  chat(model, 'review', `The ${of(items, n)}: ${of(praise, n).says} ${of(complaints, n).says}`, 60);
