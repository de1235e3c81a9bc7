/** Where the server listens: a socket file, or a port of this very host. Anyone who can connect has the whole machine. */

export type ListenAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

export class ListenAddressError extends Error {
  override readonly name = 'ListenAddressError';
}

const FORMS = 'give unix:PATH or tcp:127.0.0.1:PORT';
/** Of struct sockaddr_un, without the final zero. Beyond it the system cuts the path off. */
const LONGEST_PATH_BYTES = 107;
const LOOPBACK_V4 = /^127(\.\d{1,3}){3}$/;
const LAST_PORT = 65535;

export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith('unix:')) return unixAddress(text.slice('unix:'.length));
  if (text.startsWith('tcp:')) return tcpAddress(text.slice('tcp:'.length));
  throw new ListenAddressError(`"${text}" is no address to listen on: ${FORMS}`);
}

export function formatListenAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return `tcp:${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

function unixAddress(path: string): ListenAddress {
  if (path === '') throw new ListenAddressError(`unix: without a path: ${FORMS}`);
  if (/,(server|wait|reconnect)\b/.test(path)) {
    throw new ListenAddressError(`"${path}" has QEMU's options: leave them away, this side always listens`);
  }
  const bytes = Buffer.byteLength(path);
  if (bytes > LONGEST_PATH_BYTES) {
    throw new ListenAddressError(
      `the socket's path has ${bytes} bytes, and a system takes ${LONGEST_PATH_BYTES}: use a shorter or relative one`,
    );
  }
  return { kind: 'unix', path };
}

function tcpAddress(text: string): ListenAddress {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  const written = bracketed ?? plain;
  if (written === undefined || digits === undefined) {
    throw new ListenAddressError(`"tcp:${text}" lacks host or port: ${FORMS}`);
  }
  const host = written === 'localhost' ? '127.0.0.1' : written;
  if (!LOOPBACK_V4.test(host) && host !== '::1') {
    throw new ListenAddressError(
      `tcp:${text} would open the machine to the network: only loopback is served, such as tcp:127.0.0.1:${digits}`,
    );
  }
  const port = Number(digits);
  if (port > LAST_PORT) throw new ListenAddressError(`port ${digits} does not exist: 0 (any free one) to ${LAST_PORT}`);
  return { kind: 'tcp', host, port };
}
