import { isFaultName, parseFaultName } from '../faults/names.ts';

const CREATED = 1_700_000_000;

const modelObject = (id: string): object => ({
  id,
  object: 'model',
  created: CREATED,
  owned_by: 'simulator',
});

/** `GET /v1/models` */
export function modelList(models: readonly string[]): string {
  return JSON.stringify({ object: 'list', data: models.map(modelObject) });
}

/** `GET /v1/models/ID`: every name is served, but for fault names that mean 404 or nothing. */
export function modelBody(id: string): string | null {
  if (isFaultName(id)) {
    const parsed = parseFaultName(id);
    if (!parsed.ok) return null;
    const [first] = parsed.steps;
    if (first?.fault.kind === 'status' && first.fault.status === 404) return null;
  }
  return JSON.stringify(modelObject(id));
}
