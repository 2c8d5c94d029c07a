import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { errorTable } from '@nightshift/shared/errors';
import { createBatchApi, type BatchApi } from '../support/batches.ts';

let api: BatchApi;
beforeAll(async () => {
  api = await createBatchApi(inject('redisUrl'));
});
afterAll(async () => {
  await api.close();
});

interface Operation {
  operationId?: string;
  summary?: string;
  responses: Record<string, { description?: string; content?: Record<string, unknown> }>;
}
interface OpenApiDocument {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}
const openApi = async (): Promise<OpenApiDocument> =>
  (await api.get('/openapi.json')).json<OpenApiDocument>();

describe('/openapi.json', () => {
  it('is valid OpenAPI 3.1', async () => {
    const document = await openApi();
    const validator = new Validator();
    const result = await validator.validate(document as unknown as Record<string, unknown>);
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(validator.version).toBe('3.1');
    expect(document.openapi).toBe('3.1.0');
  });

  it('describes every route, its good answers and its errors', async () => {
    const { paths } = await openApi();
    const described = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.toSorted()).toEqual(registeredRoutes());
    for (const operations of Object.values(paths)) {
      for (const operation of Object.values(operations)) {
        expect(operation.operationId).toBeTruthy();
        expect(operation.summary).toBeTruthy();
        const statuses = Object.keys(operation.responses);
        expect(statuses.some((status) => status.startsWith('2'))).toBe(true);
        expect(statuses).toEqual(expect.arrayContaining(['400', '401', '403', '500']));
      }
    }
  });

  it('names each code of the table that a route can answer, under its status', async () => {
    const text = JSON.stringify(await openApi());
    // A path that no route has is described by none.
    const elsewhere = new Set(['unknown_url', 'invalid_url']);
    for (const code of Object.keys(errorTable)) {
      if (!elsewhere.has(code)) expect(text, code).toContain(`\`${code}\``);
    }
  });

  /** From the router itself, but for what serves the reader of the document. */
  function registeredRoutes(): string[] {
    const tree = api.app.printRoutes({ commonPrefix: false });
    const routes: string[] = [];
    const prefixes: string[] = [];
    for (const line of tree.split('\n')) {
      const [, indent = '', path = '', methods = ''] =
        /^([│ ]*)[├└]── (\S*) ?(?:\((.*)\))?$/.exec(line) ?? [];
      if (path === '' && methods === '') continue;
      const depth = indent.length / 4;
      prefixes.splice(depth, Infinity, path);
      for (const method of methods.split(', ')) {
        const url = prefixes
          .join('')
          .replace(/models\/?\*$/, 'models/:model')
          .replaceAll(/:(\w+)/g, '{$1}');
        if (method !== '' && method !== 'HEAD' && !url.startsWith('/docs'))
          routes.push(`${method} ${url}`);
      }
    }
    return routes.toSorted();
  }
});

describe('/docs and /', () => {
  it('load nothing from elsewhere', async () => {
    for (const url of ['/docs', '/docs/static/index.css', '/']) {
      const answer = await api.get(url);
      expect(answer.statusCode, url).toBe(200);
      expect(answer.body, url).not.toMatch(/(src|href|url\()\s*=?\s*["']?(https?:)?\/\//i);
      expect(answer.headers['content-security-policy'], url).toContain("default-src 'none'");
    }
  });

  it('the page’s policy lets in exactly its own script and style', async () => {
    const { body, headers } = await api.get('/');
    const policy = String(headers['content-security-policy']);
    expect(policy).not.toContain('unsafe');
    expect(policy.match(/'sha256-/g)?.length).toBe(2);
    expect(body.match(/<script>/g)?.length).toBe(1);
    expect(body).not.toMatch(/ on\w+=| style=/);
  });
});

it('the page shows batches, workers, lanes and jobs, and renders foreign content as plain text', async () => {
  const { body } = await api.get('/');
  for (const path of ['/v1/batches?limit=10', '/v1/workers', '/v1/lanes', '/v1/jobs?limit=25']) {
    expect(body).toContain(`read('${path}')`);
  }
  for (const id of ['batches', 'workers', 'lanes', 'jobs']) {
    expect(body).toContain(`<tbody id="${id}">`);
    expect(body).toMatch(new RegExp(`fill\\(\\s*'${id}'`));
  }
  expect(body).not.toMatch(/innerHTML|outerHTML|insertAdjacent|document\.write|eval\(/);
});

describe('/metrics', () => {
  it('counts jobs, lanes and calls', async () => {
    await api.submit({ body: { model: 'gpt-"quoted"' } });
    await api.complete((await api.submit()).id);
    await api.deliveryBuffer.drain();
    const answer = await api.get('/metrics');
    expect(answer.headers['content-type']).toContain('text/plain');
    const lines = answer.body.split('\n');
    expect(lines).toContain('nightshift_redis_up 1');
    expect(lines).toContain('nightshift_jobs{status="queued"} 1');
    expect(lines).toContain('nightshift_jobs{status="completed"} 1');
    expect(answer.body).toMatch(
      /nightshift_lane_state\{lane="lane_\w+",provider="default",model="gpt-\\"quoted\\"",state="open"\} 1/,
    );
    expect(answer.body).toMatch(/nightshift_lane_queued\{[^}]*priority="interactive"\} 1/);
    expect(answer.body).toMatch(
      /nightshift_http_request_duration_seconds_count\{method="POST",route="\/v1\/jobs",status="202"\} 2/,
    );
    expect(answer.body).toContain('process_cpu_seconds_total');
  });
});
