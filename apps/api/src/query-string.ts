import { parse } from 'node:querystring';

/**
 * A query as an object, with `metadata[k]=v` gathered under `metadata`, as OpenAPI's deepObject style has it. A name
 * that is given twice becomes a list, which no schema of ours takes.
 */
export function parseQuery(text: string): Record<string, unknown> {
  const flat = parse(text);
  if (!text.toLowerCase().includes('metadata')) return flat;
  const query = Object.create(null) as Record<string, unknown>;
  const metadata = Object.create(null) as Record<string, unknown>;
  let isFiltered = false;
  for (const [name, value] of Object.entries(flat)) {
    const [, key] = /^metadata\[([^\]]+)\]$/.exec(name) ?? [];
    // Schemas drop this key without a word; left under its full name it is refused as unknown.
    if (key === undefined || key === '__proto__') {
      query[name] = value;
    } else {
      metadata[key] = value;
      isFiltered = true;
    }
  }
  if (isFiltered) query['metadata'] = metadata;
  return query;
}
