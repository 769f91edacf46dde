import { describe, expect, it } from '@jest/globals';
import type { Revocation } from '../revocation.js';
import { type Changes, RevocationReader } from './revocation-reader.js';
import { encodeRevocation } from './revocation-text.js';

const BOB: Revocation = {
  workspace: 'acme',
  kind: 'sub',
  name: 'bob',
  issuer: null,
  before: 1_000,
  revokedAt: 1_000,
};

describe('a reader of revocations', () => {
  it('remembers none of the places that were overtaken before they were read', async () => {
    const told: Revocation[] = [];
    const follower = { tell: (one: Revocation) => told.push(one), held: () => [] };
    let changes: Changes['changes'] = [];
    const read = async () => ({ history: 'h', changes, isCut: false });
    const reader = new RevocationReader({ follower, read, onFailure: () => {} });
    await reader.readOn();
    for (let place = 1; place <= 50; place++) reader.tellAhead('h', place, BOB);
    expect(reader.toldAheadCount).toBe(50);
    // Of one thing there is one place, the newest.
    changes = [{ place: 40, text: encodeRevocation(BOB) }];
    await reader.readOn();
    expect(reader.toldAheadCount).toBe(10);
    changes = [{ place: 50, text: encodeRevocation(BOB) }];
    await reader.readOn();
    expect(reader.toldAheadCount).toBe(0);
    expect(told).toHaveLength(50);
  });
});
