import { isIP } from 'node:net';
import type { SettingReader } from './setting-reader.js';
import { SETTINGS } from './settings.js';

/**
 * Whose `X-Forwarded-For` is believed, as Express takes it: the number of proxies in front, or their addresses and
 * networks. Nobody's by default: whoever is believed can claim any address.
 */
export type TrustedProxies = number | readonly string[];

const NAMED_NETWORKS = ['loopback', 'linklocal', 'uniquelocal'];
const MAX_HOPS = 9;

export function readTrustedProxies(read: SettingReader): TrustedProxies {
  const items = read.value(SETTINGS.TRUST_PROXY);
  const [first = ''] = items;
  if (items.length === 1 && /^\d$/.test(first)) return Number(first);
  if (!items.every(isNetwork)) {
    read.refuse(
      `TRUST_PROXY must be a number of proxies from 0 to ${MAX_HOPS}, or list their addresses, networks (10.0.0.0/8), or ${NAMED_NETWORKS.join(', ')}`,
    );
    return [];
  }
  return items;
}

function isNetwork(text: string): boolean {
  if (NAMED_NETWORKS.includes(text)) return true;
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  // A network of zero bits is everybody.
  const most = version === 4 ? 32 : 128;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= most)
  );
}
