import { describe, expect, it } from '@jest/globals';
import type { ServiceErrorCode } from '@sluice/protocol';
import { ALICE, NO_LIMITS, QUESTION } from '../../../test/support/gate.js';
import type { AdmissionLimits } from '../../config.js';
import { SluiceError } from '../../errors.js';
import { silentAudit } from '../audit.js';
import { claimsPermissionChecker } from '../permission/claims-permission-checker.js';
import { Permissions } from '../permission/permissions.js';
import type { Principal } from '../principal.js';
import type { RevocableToken } from '../revocation/revocations.js';
import { Admissions, type FollowedRevocations } from './admissions.js';
import type { Admission } from './admitted-stream.js';

const RECHECK = { intervalMs: 60_000, graceMs: 300_000 };
const REVOKED: [ServiceErrorCode, string] = ['INVALID_TOKEN', 'The token was revoked.'];

/** Revokes what the test says. */
class ScriptedRevocations implements FollowedRevocations {
  revoked: (token: RevocableToken) => boolean = () => false;
  searches = 0;
  private tell: (workspace: string) => void = () => {};

  revoke(revoked: (token: RevocableToken) => boolean, workspace = 'acme'): void {
    this.revoked = revoked;
    this.tell(workspace);
  }
  isRevoked(token: RevocableToken): boolean {
    this.searches++;
    return this.revoked(token);
  }
  check(token: RevocableToken): void {
    if (this.revoked(token)) throw new SluiceError(...REVOKED);
  }
  onRevoked(tell: (workspace: string) => void): void {
    this.tell = tell;
  }
}

interface Visitor extends Partial<Principal> {
  readonly workspace?: string;
  readonly address?: string;
}

/** Admissions with one limit, and streams that are let in by it. */
function door(limits: Partial<AdmissionLimits> = {}) {
  const revocations = new ScriptedRevocations();
  const admissions = new Admissions({
    limits: { ...NO_LIMITS, ...limits },
    recheck: RECHECK,
    permissions: new Permissions(claimsPermissionChecker, silentAudit),
    revocations,
  });
  const admit = ({ workspace = 'acme', address = '192.0.2.1', ...who }: Visitor = {}) =>
    admissions.admit({
      question: { ...QUESTION, workspace, principal: { ...ALICE, ...who } },
      permitted: null,
      address,
    });
  return { admissions, revocations, admit };
}

/** What an admission ends. */
class Ending {
  readonly seen: [ServiceErrorCode, string][] = [];
  constructor(private readonly onEnd: () => void = () => {}) {}
  end(code: ServiceErrorCode, detail: string): void {
    this.seen.push([code, detail]);
    this.onEnd();
  }
}

function held(admission: Admission): Ending {
  const ending = new Ending();
  admission.heldBy(ending);
  return ending;
}

const turn = () => new Promise(setImmediate);

describe('a limit', () => {
  it.each<[string, Partial<AdmissionLimits>, alike: Visitor, other: Visitor, detail: string]>([
    [
      'of the subject',
      { maxStreamsPerSubject: 2 },
      { workspace: 'other', address: '192.0.2.9' },
      { issuer: 'https://another.test' },
      'The subject has as many streams as it may.',
    ],
    [
      'of the workspace',
      { maxStreamsPerWorkspace: 2 },
      { subject: 'bob', address: '192.0.2.9' },
      { workspace: 'other' },
      'The workspace has as many streams as it may.',
    ],
    [
      'of the address',
      { maxStreamsPerAddress: 2 },
      { subject: 'bob', workspace: 'other', address: '::ffff:192.0.2.1' },
      { address: '192.0.2.9' },
      'This address has as many streams as it may.',
    ],
  ])('%s holds for what it counts, and for nobody else', (_, limits, alike, other, detail) => {
    const { admit } = door(limits);
    const [first, second] = [admit(), admit()].map((admission) => ({
      admission,
      ending: held(admission),
    }));
    expect(() => admit(alike)).toThrow(
      expect.objectContaining({
        code: 'RATE_LIMIT_EXCEEDED',
        message: detail,
        retryAfterMs: expect.any(Number),
      }),
    );
    expect(() => admit(other)).not.toThrow();
    expect([first?.ending.seen, second?.ending.seen]).toEqual([[], []]);
    first?.admission.release();
    expect(() => admit(alike)).not.toThrow();
    expect(() => admit()).toThrow(SluiceError);
  });

  it('of the node holds for everybody', () => {
    const { admit } = door({ maxStreams: 2 });
    const first = admit();
    admit({ subject: 'bob', workspace: 'other', address: '192.0.2.9' });
    expect(() => admit({ subject: 'carol', workspace: 'third', address: '192.0.2.10' })).toThrow(
      expect.objectContaining({
        code: 'RATE_LIMIT_EXCEEDED',
        message: 'This node has as many streams as it may.',
      }),
    );
    first.release();
    expect(() => admit({ subject: 'carol' })).not.toThrow();
  });

  it('of the address holds for a network of IPv6', () => {
    const { admit } = door({ maxStreamsPerAddress: 1 });
    admit({ address: '2001:db8:1:2::1' });
    expect(() => admit({ address: '2001:db8:1:2:3:4:5:6' })).toThrow(SluiceError);
    expect(() => admit({ address: '2001:db8:1:3::1' })).not.toThrow();
  });

  it('tells each to come back at a time of its own', () => {
    const { admit } = door({ maxStreams: 1 });
    admit();
    const waits = Array.from({ length: 20 }, () => {
      try {
        return admit();
      } catch (error) {
        return (error as SluiceError).retryAfterMs;
      }
    });
    expect(new Set(waits).size).toBeGreaterThan(10);
  });

  it('takes no place for those who are refused', () => {
    const { admit } = door({ maxStreamsPerSubject: 1, maxStreamsPerWorkspace: 2 });
    admit();
    for (let time = 0; time < 5; time++) expect(() => admit()).toThrow(/The subject/);
    expect(() => admit({ subject: 'bob' })).not.toThrow();
    expect(() => admit({ subject: 'carol' })).toThrow(/The workspace/);
  });

  it('gets its place back once, however often it is given back', () => {
    const { admit } = door({ maxStreams: 2 });
    const first = admit();
    admit();
    first.release();
    first.release();
    expect(() => admit()).not.toThrow();
    expect(() => admit()).toThrow(SluiceError);
  });
});

describe('a revocation', () => {
  it('ends the streams of the tokens that it is about, and no others', async () => {
    const { admit, revocations } = door();
    const alice = held(admit({ tokenId: 'a1' }));
    const bob = held(admit({ subject: 'bob' }));
    const elsewhere = held(admit({ workspace: 'other' }));
    revocations.revoke(({ subject }) => subject === 'alice');
    await turn();
    expect(alice.seen).toEqual([REVOKED]);
    expect(bob.seen).toEqual([]);
    expect(elsewhere.seen).toEqual([]);
  });

  it('goes by everything that a token says of itself', async () => {
    const token = {
      issuer: 'https://issuer.test',
      subject: 'bob',
      clientId: 'app',
      tokenId: 'b1',
      issuedAt: 7,
    };
    const { admit, revocations } = door();
    admit(token);
    const asked: RevocableToken[] = [];
    revocations.revoke((one) => asked.push(one) === 0);
    await turn();
    expect(asked).toEqual([expect.objectContaining(token)]);
  });

  it('refuses a stream that was about to be let in', () => {
    const { admit, revocations } = door({ maxStreams: 1 });
    revocations.revoked = () => true;
    expect(() => admit()).toThrow(expect.objectContaining({ code: 'INVALID_TOKEN' }));
    revocations.revoked = () => false;
    expect(() => admit()).not.toThrow();
  });

  it('refuses a stream that was let in and is not open yet', async () => {
    const { admit, revocations } = door();
    const admission = admit();
    expect(() => admission.check()).not.toThrow();
    revocations.revoke(() => true);
    await turn();
    expect(() => admission.check()).toThrow(expect.objectContaining({ code: 'INVALID_TOKEN' }));
    expect(held(admission).seen).toEqual([REVOKED]);
  });

  it('ends a stream once, and nothing that has been given back', async () => {
    const { admit, revocations } = door();
    const [stays, leaves] = [admit(), admit()];
    const endings = [held(stays), held(leaves)];
    leaves.release();
    revocations.revoke(() => true);
    await turn();
    revocations.revoke(() => true);
    await turn();
    expect(endings.map(({ seen }) => seen.length)).toEqual([1, 0]);
  });

  it('ends streams that leave in the middle of it without passing over others', async () => {
    const { admit, revocations } = door();
    const streams = Array.from({ length: 200 }, () => admit());
    const endings = streams.map((admission) => {
      const ending = new Ending(() => admission.release());
      admission.heldBy(ending);
      return ending;
    });
    revocations.revoke(() => true);
    await turn();
    expect(endings.filter(({ seen }) => seen.length !== 1)).toEqual([]);
  });

  it('holds the event loop for a moment at a time, however many streams there are', async () => {
    const { admit, revocations } = door();
    const streams = Array.from({ length: 2_000 }, () => admit());
    let ended = 0;
    const busy = () => {
      const until = performance.now() + 0.05;
      while (performance.now() < until);
      ended++;
    };
    for (const admission of streams) admission.heldBy(new Ending(busy));
    revocations.revoke(() => true);
    let turns = 0;
    // 100 ms of work in turns of 5.
    while (ended < streams.length && turns < 10_000) {
      await turn();
      turns++;
    }
    expect(ended).toBe(streams.length);
    expect(turns).toBeGreaterThan(5);
  });

  it('is looked for together with those that come meanwhile', async () => {
    const { admit, revocations } = door();
    const ending = held(admit());
    for (let n = 0; n < 1_000; n++) admit({ subject: `s${n}` });
    for (let n = 0; n < 500; n++) revocations.revoke(() => false);
    revocations.revoke(({ subject }) => subject === 'alice');
    while (ending.seen.length === 0) await turn();
    expect(revocations.searches).toBeLessThan(20_000);
  });
});
