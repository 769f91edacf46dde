import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { networkOf } from './network.js';

describe('the network of an address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:49152', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['2001:db8:1:2:3:4:192.0.2.1', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::6]:443', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::6]', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
  ])('of %s is %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  it.each(['', 'unknown', '_hidden', '999.1.1.1', '1.2.3', '::g', ':::', 'a'.repeat(10_000)])(
    'of %j, which is none, is one for all of its kind',
    (address) => {
      expect(networkOf(address)).toBe('unknown');
    },
  );

  it('is that of the first 64 bits, however an address is written', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        // The reader of addresses in URLs has another opinion of how they are written, and the same of what they mean.
        const written = new URL(`http://[${address}]/`).hostname.slice(1, -1);
        expect(networkOf(address)).toBe(networkOf(written));
      }),
    );
  });
});
