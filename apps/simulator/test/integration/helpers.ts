const POLL_MS = 5;
const PATIENCE_MS = 10_000;

/** Waits until `fact` is something other than false, null or undefined, and returns that. */
export async function eventually<Fact>(
  fact: () => Fact | false | null | undefined | Promise<Fact | false | null | undefined>,
  patienceMs = PATIENCE_MS,
): Promise<Fact> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await fact();
    if (found !== false && found !== null && found !== undefined) return found;
    if (performance.now() > deadline)
      throw new Error(`not so within ${patienceMs} ms: ${fact.toString()}`);
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_MS);
    });
  }
}

/** The JSON of an answer, as the shape that the test expects. */
export async function jsonOf<Body>(response: Response): Promise<Body> {
  return (await response.json()) as Body;
}

export interface ErrorEnvelope {
  error: { message: string; type: string; param: string | null; code: string | null };
}
