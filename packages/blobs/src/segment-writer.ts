import type { SegmentWriter } from './blob-store.ts';

interface Appending {
  /** Resolves when the bytes are durable at that place. Never called twice for one place. */
  writeAt: (offset: number, bytes: Uint8Array) => Promise<void>;
  close: () => Promise<void>;
}

/** Appends in turn, and an end to it all after the first failure. */
export function createSegmentWriter(name: string, { writeAt, close }: Appending): SegmentWriter {
  let length = 0;
  let spent: Error | null = null;
  let closing: Promise<void> | null = null;
  let turn: Promise<unknown> = Promise.resolve();

  const append = async (bytes: Uint8Array): Promise<number> => {
    if (spent !== null) throw spent;
    if (bytes.length === 0) return length;
    try {
      await writeAt(length, bytes);
    } catch (error) {
      spent = new Error(`segment ${name}: an append failed, so nothing more can be appended`, {
        cause: error,
      });
      throw error;
    }
    length += bytes.length;
    return length;
  };

  return {
    append: async (bytes) => {
      if (closing !== null) throw new Error(`segment ${name}: is closed`);
      const mine = turn.then(async () => await append(bytes));
      turn = mine.catch(() => {});
      return await mine;
    },
    close: async () => {
      closing ??= turn.then(close);
      await closing;
    },
  };
}
