/** Whether a socket's peer address is this machine. */
export function isLoopbackAddress(address: string | undefined): boolean {
  return (
    address !== undefined &&
    (address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.'))
  );
}

/** Whether a host name, as one writes it in HOST or in a URL, is this machine. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '::1' ||
    /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
  );
}

/** The same for a Host header, which may carry a port. */
export function isLoopbackHostHeader(header: string): boolean {
  return isLoopbackHost(header.replace(/:\d*$/, ''));
}

/** The same for an Origin header. `null`, which sandboxed pages and redirects send, is not. */
export function isLoopbackOrigin(origin: string): boolean {
  const [, host] = /^https?:\/\/([^/]+)$/i.exec(origin) ?? [];
  return host !== undefined && isLoopbackHostHeader(host);
}
