import { open } from 'node:fs/promises';
import type { Endpoint } from '@nightshift/shared/job';

export const contents = ['text', 'tokens'] as const;
export type Content = (typeof contents)[number];

export const endpointOf: Readonly<Record<Content, Endpoint>> = {
  text: '/v1/chat/completions',
  tokens: '/v1/embeddings',
};

const words =
  'the night shift reads what the day left behind and answers each line of it with "care"\n while others – über allem – sleep'.split(
    ' ',
  );

/** The same file each time: lines of about the same length that add up to `bytes`. */
export async function writeInputFile(
  path: string,
  { lines, bytes, content }: { lines: number; bytes: number; content: Content },
): Promise<void> {
  const file = await open(path, 'w');
  const lineBytes = Math.floor(bytes / lines);
  let text = '';
  let seed = 1;
  const next = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed;
  };
  try {
    for (let line = 0; line < lines; line += 1) {
      text += `${requestLine(`request-${line}`, content, lineBytes, next)}\n`;
      if (text.length > 4_000_000 || line === lines - 1) {
        await file.write(text);
        text = '';
      }
    }
  } finally {
    await file.close();
  }
}

function requestLine(
  customId: string,
  content: Content,
  lineBytes: number,
  next: () => number,
): string {
  const head = { custom_id: customId, method: 'POST', url: endpointOf[content] };
  if (content === 'tokens') {
    const input: number[] = [];
    for (let size = 120; size < lineBytes; size += 6) input.push(10_000 + (next() % 90_000));
    return JSON.stringify({ ...head, body: { model: 'embedding-small', input } });
  }
  let prompt = '';
  while (prompt.length < lineBytes - 260) prompt += `${words[next() % words.length]} `;
  const messages = [
    { role: 'system', content: 'You are a helpful assistant.' },
    { role: 'user', content: prompt },
  ];
  return JSON.stringify({ ...head, body: { model: 'chat-small', messages, max_tokens: 200 } });
}
