import { describe, expect, it } from 'vitest';
import { formatListenAddress, ListenAddressError, parseListenAddress } from '../../src/cosim/listen-address.js';

describe('an address to listen on', () => {
  it.each([
    ['unix:/tmp/phb.sock', 'unix:/tmp/phb.sock'],
    ['unix:phb.sock', 'unix:phb.sock'],
    ['tcp:127.0.0.1:4444', 'tcp:127.0.0.1:4444'],
    ['tcp:127.1.2.3:0', 'tcp:127.1.2.3:0'],
    ['tcp:localhost:65535', 'tcp:127.0.0.1:65535'],
    ['tcp:[::1]:4444', 'tcp:[::1]:4444'],
  ])('is %s', (text, canonical) => {
    expect(formatListenAddress(parseListenAddress(text))).toBe(canonical);
  });

  it.each([
    ['', 'give unix:PATH or tcp:127.0.0.1:PORT'],
    ['/tmp/phb.sock', 'is no address to listen on'],
    ['unix:', 'without a path'],
    ['unix:/tmp/q,server=on,wait=off', "has QEMU's options"],
    [`unix:/${'x'.repeat(107)}`, 'has 108 bytes'],
    ['tcp:4444', 'lacks host or port'],
    ['tcp:127.0.0.1', 'lacks host or port'],
    ['tcp:127.0.0.1:http', 'lacks host or port'],
    ['tcp:127.0.0.1:65536', 'port 65536 does not exist'],
    ['tcp:0.0.0.0:4444', 'only loopback is served, such as tcp:127.0.0.1:4444'],
    ['tcp::4444', 'only loopback is served'],
    ['tcp:[::]:4444', 'only loopback is served'],
    ['tcp:192.168.1.5:4444', 'only loopback is served'],
    ['tcp:127.0.0.1.example.org:4444', 'only loopback is served'],
  ])('is not "%s"', (text, reason) => {
    expect(() => parseListenAddress(text)).toThrow(ListenAddressError);
    expect(() => parseListenAddress(text)).toThrow(reason);
  });
});
