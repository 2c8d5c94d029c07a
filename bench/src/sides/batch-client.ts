import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { request } from 'undici';

export interface Upload {
  fileId: string;
  /** When the last byte had been handed to the connection, on this process's monotonic clock. */
  sentAt: number;
  /** When the answer was here: the file is durable. */
  answeredAt: number;
}

interface BatchAnswer {
  id: string;
  status: string;
  output_file_id: string | null;
  error_file_id: string | null;
  errors: unknown;
}

/** The calls of a batch's life, as any client makes them. `origin`: `http://HOST:PORT` of the API. */
export function createBatchClient(origin: string) {
  const call = async (
    method: 'GET' | 'POST',
    path: string,
    body?: object,
  ): Promise<BatchAnswer> => {
    const answer = await request(`${origin}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) {
      throw new Error(`${method} ${path} answered ${answer.statusCode}: ${text}`);
    }
    return JSON.parse(text) as BatchAnswer;
  };
  return {
    upload: async (path: string): Promise<Upload> => {
      const { size } = await stat(path);
      const boundary = 'nightshift-bench';
      const head = Buffer.from(
        `--${boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n` +
          `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="input.jsonl"\r\n\r\n`,
      );
      const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
      let sentAt = Number.NaN;
      const answer = await request(`${origin}/v1/files`, {
        method: 'POST',
        headers: {
          'content-type': `multipart/form-data; boundary=${boundary}`,
          'content-length': String(head.length + size + tail.length),
        },
        body: Readable.from(
          (async function* () {
            yield head;
            yield* createReadStream(path, { highWaterMark: 1_048_576 });
            yield tail;
            sentAt = performance.now();
          })(),
        ),
      });
      const text = await answer.body.text();
      const answeredAt = performance.now();
      if (answer.statusCode !== 200) throw new Error(`the upload was answered ${text}`);
      return { fileId: (JSON.parse(text) as { id: string }).id, sentAt, answeredAt };
    },

    create: async (fileId: string): Promise<string> => {
      const body = {
        input_file_id: fileId,
        endpoint: '/v1/chat/completions',
        completion_window: '24h',
      };
      return (await call('POST', '/v1/batches', body)).id;
    },

    read: async (batchId: string) => call('GET', `/v1/batches/${batchId}`),

    /** The bytes of a file as they come. */
    content: async (fileId: string): Promise<AsyncIterable<Buffer>> => {
      const answer = await request(`${origin}/v1/files/${fileId}/content`);
      if (answer.statusCode !== 200) {
        throw new Error(`${fileId} answered ${answer.statusCode}: ${await answer.body.text()}`);
      }
      return answer.body as AsyncIterable<Buffer>;
    },
  };
}
