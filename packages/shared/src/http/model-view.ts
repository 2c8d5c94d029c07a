import { z } from 'zod';

export const modelSchema = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.number().describe('always 0: it is the provider that knows'),
    owned_by: z.string().describe('the provider that serves it'),
  })
  .meta({ id: 'Model' });
export type ModelView = z.infer<typeof modelSchema>;

export const modelListSchema = z
  .object({ object: z.literal('list'), data: z.array(modelSchema) })
  .meta({ id: 'ModelList' });
