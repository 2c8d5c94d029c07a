export interface StreamedEvent {
  id: number;
  event: string;
  data: Record<string, unknown> & { job: Record<string, unknown> };
}

/** What a browser would make of a finished stream. */
export function parseStream(text: string): { events: StreamedEvent[]; comments: number } {
  const events: StreamedEvent[] = [];
  let comments = 0;
  for (const block of text.split('\n\n')) {
    const fields = new Map<string, string[]>();
    for (const line of block.split('\n')) {
      if (line.startsWith(':')) comments += 1;
      const [, name, value] = /^(\w+): ?(.*)$/s.exec(line) ?? [];
      if (name !== undefined) fields.set(name, [...(fields.get(name) ?? []), value ?? '']);
    }
    const data = fields.get('data');
    if (data === undefined) continue;
    events.push({
      id: Number(fields.get('id')?.[0]),
      event: fields.get('event')?.[0] ?? '',
      data: JSON.parse(data.join('\n')) as StreamedEvent['data'],
    });
  }
  return { events, comments };
}
