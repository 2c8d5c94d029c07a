export class BlobNotFoundError extends Error {
  override readonly name = 'BlobNotFoundError';

  constructor(blob: string, options?: ErrorOptions) {
    super(`blob ${blob}: does not exist`, options);
  }
}

/** More bytes came than the caller allowed. */
export class BlobTooLargeError extends Error {
  override readonly name = 'BlobTooLargeError';

  constructor(blob: string, maxBytes: number) {
    super(`blob ${blob}: is longer than the ${maxBytes} bytes allowed`);
  }
}

/** Bytes that were durable are not there any more. */
export class BlobDamagedError extends Error {
  override readonly name = 'BlobDamagedError';

  constructor(blob: string, expected: number, found: number) {
    super(`blob ${blob}: must hold ${expected} bytes, has ${found}`);
  }
}

/** No room: accept nothing new until there is. */
export class BlobStoreFullError extends Error {
  override readonly name = 'BlobStoreFullError';
}

/** The store does not answer, or lets us not in. */
export class BlobStoreUnavailableError extends Error {
  override readonly name = 'BlobStoreUnavailableError';
}
