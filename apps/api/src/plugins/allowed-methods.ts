import type { FastifyInstance } from 'fastify';

/** Watches the routes as they are added. The function that it returns names the methods that a path takes. */
export function allowedMethods(app: FastifyInstance): (path: string) => string[] {
  const methodsByPattern = new Map<string, { matches: RegExp; methods: Set<string> }>();
  app.addHook('onRoute', ({ url, method }) => {
    const entry = methodsByPattern.get(url) ?? { matches: toRegExp(url), methods: new Set() };
    methodsByPattern.set(url, entry);
    for (const one of [method].flat()) entry.methods.add(one.toUpperCase());
  });
  return (path) => {
    const found = new Set<string>();
    for (const { matches, methods } of methodsByPattern.values()) {
      if (matches.test(path)) for (const method of methods) found.add(method);
    }
    return [...found].toSorted();
  };
}

/** `/v1/jobs/:id/cancel` and `/docs/*` as expressions; the other characters of our paths mean themselves. */
function toRegExp(pattern: string): RegExp {
  const source = pattern
    .replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll(/:\w+/g, '[^/]+');
  return new RegExp(`^${source}$`);
}
