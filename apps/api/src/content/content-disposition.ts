/**
 * A download under a file's own name (RFC 6266). The plain form holds only what no client reads as anything but itself;
 * the other one has all of it.
 */
export function attachment(filename: string): string {
  const plain = filename.replaceAll(/[^\w .()-]/g, '_');
  const exact = encodeURIComponent(filename.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return plain === filename
    ? `attachment; filename="${plain}"`
    : `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}
