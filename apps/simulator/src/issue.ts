import type { z } from 'zod';

/** The first problem as one line that begins with the field: "limits.m.slots: must be …". */
export function describeIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  if (!issue) return 'unknown: invalid';
  return describe(issue, issue.path);
}

function describe(issue: z.core.$ZodIssue, path: readonly PropertyKey[]): string {
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input') {
    const inner = issue.errors.map(([first]) => first).filter((first) => first !== undefined);
    // The branch that got past the value's type is the one that was meant.
    const meant = inner.find((one) => one.code !== 'invalid_type' || one.path.length > 0);
    const shown = meant ?? inner.at(-1);
    if (shown) return describe(shown, [...path, ...shown.path]);
  }
  return `${path.map(String).join('.') || 'body'}: ${issue.message}`;
}
