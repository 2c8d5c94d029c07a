export interface FormPart {
  name?: string;
  filename?: string;
  content: string | Buffer;
}

export const BOUNDARY = 'the-boundary-5d1f';
export const FORM_TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

/** A form byte for byte, so that it can also be a wrong one. */
export function formBytes(parts: readonly FormPart[]): Buffer {
  const pieces = parts.flatMap(({ name, filename, content }) => [
    Buffer.from(
      `--${BOUNDARY}\r\ncontent-disposition: form-data${name === undefined ? '' : `; name="${name}"`}` +
        `${filename === undefined ? '' : `; filename="${filename}"\r\ncontent-type: application/octet-stream`}\r\n\r\n`,
    ),
    Buffer.from(content),
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...pieces, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

export const filePart = (content: string | Buffer, filename = 'in.jsonl'): FormPart => ({
  name: 'file',
  filename,
  content,
});

export const field = (name: string, content: string): FormPart => ({ name, content });
