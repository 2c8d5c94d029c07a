import type {
  FileContent,
  NewFile,
  NewUpload,
  StoredFile,
  Upload,
  UploadPart,
  UploadStatus,
} from '../batch/index.ts';
import type { Keys } from './keys.ts';
import type { RunScript } from './scripts.ts';

/** How long parts can be added, and how long it can be asked what became of it. */
const LIFE_MS = 3600 * 1000;
const KEPT_MS = 24 * 3600 * 1000;
const MOST_PARTS = 1000;

type NotPending = { kind: 'missing' } | { kind: 'not_pending'; status: UploadStatus };

export type AddPartResult =
  | { kind: 'added'; createdAtMs: number }
  | { kind: 'too_many' }
  | { kind: 'swept' }
  | NotPending;

export type CompleteUploadResult =
  | { kind: 'completed'; file: StoredFile }
  | { kind: 'swept' }
  | NotPending;

export type UploadStore = ReturnType<typeof createUploadStore>;

/** Files that come in parts. A part's blob is announced by `FileStore.hold`, and loose until it is removed. */
export function createUploadStore({ run, keys }: { run: RunScript; keys: Keys }) {
  return {
    /** Null when the tenant has begun more than `most` allows. */
    create: async (
      upload: NewUpload,
      most: { uploads: number; bytes: number },
    ): Promise<Upload | null> => {
      const of = keys.tenant(upload.tenant);
      const [kind, createdAt, expiresAt] = (await run(
        'create-upload',
        [of.upload(upload.id), of.pendingUploads],
        [
          ...[LIFE_MS, KEPT_MS, upload.bytes, most.uploads, most.bytes, upload.id],
          ...['tenant', upload.tenant, 'filename', upload.filename, 'purpose', upload.purpose],
          ...['file_expires_after', upload.expiresAfterMs ?? ''],
        ],
      )) as [string, string, string];
      if (kind === 'full') return null;
      return {
        ...upload,
        status: 'pending',
        createdAtMs: Number(createdAt),
        expiresAtMs: Number(expiresAt),
        parts: new Map(),
        completed: null,
      };
    },

    get: async (tenant: string, id: string): Promise<Upload | null> => {
      const [now, ...flat] = (await run('read-upload', [keys.tenant(tenant).upload(id)], [])) as [
        string,
        ...string[],
      ];
      return parseUpload(flat, Number(now));
    },

    addPart: async (
      tenant: string,
      id: string,
      part: { id: string; bytes: number; blob: string },
    ): Promise<AddPartResult> => {
      const of = keys.tenant(tenant);
      const [kind, second = ''] = (await run(
        'add-part',
        [of.upload(id), of.looseBlobs],
        [part.id, part.bytes, part.blob, MOST_PARTS],
      )) as [AddPartResult['kind'], string?];
      switch (kind) {
        case 'added':
          return { kind, createdAtMs: Number(second) };
        case 'not_pending':
          return { kind, status: second as UploadStatus };
        default:
          return { kind };
      }
    },

    /** Makes a file of the blob that the parts were joined into. The first to come here wins. */
    complete: async (
      id: string,
      file: NewFile & { content: { kind: 'blob' } },
      partIds: readonly string[],
    ): Promise<CompleteUploadResult> => {
      const of = keys.tenant(file.tenant);
      const { expiresAfterMs, ...record } = file;
      const [kind, second = '', expiresAt = ''] = (await run(
        'complete-upload',
        [
          ...[of.upload(id), of.file(file.id), of.files, of.expiringFiles, of.looseBlobs],
          of.pendingUploads,
        ],
        [
          ...[file.id, file.tenant, file.filename, file.purpose, file.bytes, expiresAfterMs ?? ''],
          ...[JSON.stringify(file.content), file.content.name, JSON.stringify(partIds)],
        ],
      )) as [CompleteUploadResult['kind'], string?, string?];
      switch (kind) {
        case 'completed':
          return {
            kind,
            file: {
              ...record,
              createdAtMs: Number(second),
              expiresAtMs: expiresAt === '' ? null : Number(expiresAt),
            },
          };
        case 'not_pending':
          return { kind, status: second as UploadStatus };
        default:
          return { kind };
      }
    },

    cancel: async (tenant: string, id: string): Promise<{ kind: 'cancelled' } | NotPending> => {
      const of = keys.tenant(tenant);
      const [kind, status = ''] = (await run(
        'cancel-upload',
        [of.upload(id), of.looseBlobs, of.pendingUploads],
        [],
      )) as ['cancelled' | NotPending['kind'], string?];
      return kind === 'not_pending' ? { kind, status: status as UploadStatus } : { kind };
    },
  };
}

/** Our own scripts wrote it, so the values are taken as they are. */
function parseUpload(flat: readonly string[], nowMs: number): Upload | null {
  const fields = new Map<string, string>();
  for (let at = 0; at < flat.length; at += 2) fields.set(flat[at] ?? '', flat[at + 1] ?? '');
  const read = (name: string): string => fields.get(name) ?? '';
  if (read('id') === '') return null;
  const status = read('status') as UploadStatus;
  const expiresAtMs = Number(read('expires_at'));
  const parts = [...fields]
    .filter(([name]) => name.startsWith('part:'))
    .map(([name, value]): [string, UploadPart] => {
      const id = name.slice('part:'.length);
      const [createdAt, bytes, blob = ''] = value.split(' ');
      return [id, { id, bytes: Number(bytes), createdAtMs: Number(createdAt), blob }];
    });
  const upload = {
    id: read('id'),
    tenant: read('tenant'),
    filename: read('filename'),
    purpose: read('purpose'),
    bytes: Number(read('bytes')),
  };
  return {
    ...upload,
    expiresAfterMs: numberOrNull(read('file_expires_after')),
    status: status === 'pending' && nowMs >= expiresAtMs ? 'expired' : status,
    createdAtMs: Number(read('created_at')),
    expiresAtMs,
    parts: new Map(parts),
    completed:
      status === 'completed'
        ? {
            partIds: JSON.parse(read('part_ids')) as string[],
            file: {
              ...upload,
              id: read('file_id'),
              createdAtMs: Number(read('file_created_at')),
              expiresAtMs: numberOrNull(read('file_expires_at')),
              content: JSON.parse(read('file_content')) as FileContent,
            },
          }
        : null,
  };
}

function numberOrNull(text: string): number | null {
  return text === '' ? null : Number(text);
}
