import { isIPv4, isIPv6 } from 'node:net';

/** Under which those are counted together whose address nobody can tell. */
const UNKNOWN = 'unknown';
/** Some proxies name the port too: `192.0.2.1:443`, `[2001:db8::1]:443`. */
const WITH_PORT = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?$/;

/**
 * Whom an address stands for in counting: one IPv4 address, or the 64 bits of an IPv6 network, of which its owner has
 * all addresses (RFC 4291, section 2.5.4).
 */
export function networkOf(address: string): string {
  const match = WITH_PORT.exec(address);
  const [bare = ''] = (match?.[1] ?? match?.[2] ?? address).split('%');
  if (isIPv4(bare)) return bare;
  if (!isIPv6(bare)) return UNKNOWN;
  const groups = groupsOf(bare);
  return (
    ipv4Of(groups) ??
    `${groups
      .slice(0, 4)
      .map((group) => group.toString(16))
      .join(':')}::/64`
  );
}

/** The eight groups of 16 bits of an address that is well formed. */
function groupsOf(address: string): number[] {
  const [start = '', end] = address.replace(/[\d.]+\.\d+$/, asGroups).split('::');
  const first = numbersOf(start);
  if (end === undefined) return first;
  const last = numbersOf(end);
  return [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
}

function numbersOf(part: string): number[] {
  return part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
}

/** The last 32 bits may be written as an IPv4 address (RFC 4291, section 2.2). */
function asGroups(ipv4: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number);
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

/** An IPv4 address in the form of IPv6, as sockets that take both have it (RFC 4291, section 2.5.5.2). */
function ipv4Of(groups: readonly number[]): string | null {
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (!isMapped) return null;
  const [high = 0, low = 0] = groups.slice(6);
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}
