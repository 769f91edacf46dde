import { isIPv4 } from 'node:net';

/** Whether an address is this machine's own, by its name alone. */
export function isLoopbackHost(hostname: string): boolean {
  const host = plainHost(hostname);
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '::1' ||
    (isIPv4(host) && host.startsWith('127.'))
  );
}

/** As the network takes it: an IPv6 address without its brackets. */
export function plainHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '').toLowerCase();
}
