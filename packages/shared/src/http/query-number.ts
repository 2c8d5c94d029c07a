import { z } from 'zod';

/** A whole number in a query string or a form; the messages are those of a number in a body. */
export const queryNumber = (lowest: number, highest: number): z.ZodType<number, string> =>
  z
    .string()
    .regex(/^-?\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(lowest).max(highest));
