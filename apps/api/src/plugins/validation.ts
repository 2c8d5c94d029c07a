import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { schemaError } from '@nightshift/shared/http';

/** For calls that take no body: nothing, or an empty object. */
export const noBodySchema = z.strictObject({}).optional();

/**
 * Routes are checked by their zod schemas, once, at the door; handlers get what the schema made of the input.
 * Header schemas are for the document only: a header is read where it matters, since most calls carry none.
 */
export function registerValidation(app: FastifyInstance): void {
  app.setValidatorCompiler(({ schema, httpPart }) => {
    if (!(schema instanceof z.ZodType) || httpPart === 'headers' || httpPart === 'params') {
      return () => true;
    }
    return (given: unknown) => {
      // Fastify hands over null for a body that is not there.
      const input = given === null ? undefined : given;
      const parsed = schema.safeParse(input);
      return parsed.success
        ? { value: parsed.data }
        : { error: schemaError(parsed.error.issues, input) };
    };
  });
  // Answers are written as text by those who know them; the schemas of answers are for the document.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
}
