import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { describeFailure } from '../ask.js';
import type { Check } from '../examination.js';
import { ok, problem } from '../finding.js';
import { plainHost } from '../loopback.js';

const MAX_ADDRESSES = 16;
const DEADLINE_MS = 5_000;

export const dnsCheck: Check = {
  id: 'dns',
  title: 'Name',
  needs: [],
  async run({ base, lookup, known }) {
    const host = plainHost(base.hostname);
    if (isIP(host) !== 0) {
      known.addresses = [{ address: host, family: isIP(host) }];
      return ok('an address, no name to look up', { addresses: [host] });
    }
    try {
      const found = await lookUp(host, lookup ?? (systemLookup as LookupFunction));
      known.addresses = found.slice(0, MAX_ADDRESSES);
      const addresses = known.addresses.map(({ address }) => address);
      return ok(`${host} is ${addresses.join(', ')}`, { addresses });
    } catch (error) {
      return problem(
        `${host}: ${describeFailure(error)}`,
        'Look for a mistake in the name, then ask whoever keeps the DNS zone. Inside a container or a VPN the resolver may be another one.',
        { addresses: [] },
      );
    }
  },
};

/** As programs do it, the hosts file included. */
function lookUp(host: string, lookup: LookupFunction): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => reject(Object.assign(new Error('late'), { code: 'EAI_AGAIN' })),
      DEADLINE_MS,
    );
    lookup(host, { all: true }, (error, found) => {
      clearTimeout(late);
      if (error) reject(error);
      else if (Array.isArray(found) && found.length > 0) resolve(found);
      else reject(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }));
    });
  });
}
