type Read = AsyncGenerator<Uint8Array, void, undefined>;

/**
 * One stream after the other, with the next few asked for ahead: many small objects would otherwise cost a round trip
 * each. What is ahead waits in its socket, unread.
 */
export async function* inOrder(reads: readonly (() => Read)[], ahead: number): Read {
  const open: { stream: Read; first: ReturnType<Read['next']> }[] = [];
  let asked = 0;
  const askAhead = (): void => {
    for (const read of reads.slice(asked, asked + ahead - open.length)) {
      asked += 1;
      const stream = read();
      const first = stream.next();
      // It is looked at in its turn.
      first.catch(() => {});
      open.push({ stream, first });
    }
  };
  try {
    for (askAhead(); open[0] !== undefined; askAhead()) {
      const { stream, first } = open[0];
      for (let next = await first; next.done !== true; next = await stream.next()) yield next.value;
      open.shift();
    }
  } finally {
    await Promise.all(open.map(async ({ stream }) => await stream.return()));
  }
}
