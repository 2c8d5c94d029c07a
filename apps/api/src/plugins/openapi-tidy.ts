/**
 * Mends what the generators of the document leave behind: one style for all of a query, the bounds of a double on
 * each whole number, and components that nothing points to.
 */
export function tidyDocument<Document extends object>(document: Document): Document {
  const tidied = JSON.parse(JSON.stringify(document, withoutSafeBounds)) as Document & Parts;
  for (const path of Object.values(tidied.paths ?? {})) {
    for (const { parameters = [] } of Object.values(path)) {
      for (const parameter of parameters) {
        // `metadata[k]=v` is what OpenAPI calls deepObject.
        if (parameter.in === 'query' && parameter.name === 'metadata') {
          Object.assign(parameter, { style: 'deepObject', explode: true });
        }
      }
    }
  }
  dropUnused(tidied);
  return tidied;
}

interface Parts {
  paths?: Record<string, Record<string, { parameters?: { in?: string; name?: string }[] }>>;
  components?: { schemas?: Record<string, unknown> };
}

function withoutSafeBounds(key: string, value: unknown): unknown {
  const isBound =
    (key === 'minimum' && value === Number.MIN_SAFE_INTEGER) ||
    (key === 'maximum' && value === Number.MAX_SAFE_INTEGER);
  return isBound ? undefined : value;
}

function dropUnused(document: Parts): void {
  const { schemas = {} } = document.components ?? {};
  for (;;) {
    const text = JSON.stringify(document);
    const unused = Object.keys(schemas).filter(
      (name) => !text.includes(`"#/components/schemas/${name}"`),
    );
    if (unused.length === 0) return;
    for (const name of unused) delete schemas[name];
  }
}
