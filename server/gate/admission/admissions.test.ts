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
import type { Occupant } from './places.js';
import type { SharedPlaces } from './shared-places.js';

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
function door(limits: Partial<AdmissionLimits> = {}, sharedPlaces: SharedPlaces | null = null) {
  const revocations = new ScriptedRevocations();
  const admissions = new Admissions({
    limits: { ...NO_LIMITS, ...limits },
    recheck: RECHECK,
    permissions: new Permissions(claimsPermissionChecker, silentAudit),
    revocations,
    sharedPlaces,
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
  ])(
    '%s holds for what it counts, and for nobody else',
    async (_, limits, alike, other, detail) => {
      const { admit } = door(limits);
      const [first, second] = [await admit(), await admit()].map((admission) => ({
        admission,
        ending: held(admission),
      }));
      await expect(admit(alike)).rejects.toThrow(
        expect.objectContaining({
          code: 'RATE_LIMIT_EXCEEDED',
          message: detail,
          retryAfterMs: expect.any(Number),
        }),
      );
      await expect(admit(other)).resolves.toBeDefined();
      expect([first?.ending.seen, second?.ending.seen]).toEqual([[], []]);
      first?.admission.release();
      await expect(admit(alike)).resolves.toBeDefined();
      await expect(admit()).rejects.toThrow(SluiceError);
    },
  );

  it('of the node holds for everybody', async () => {
    const { admit } = door({ maxStreams: 2 });
    const first = await admit();
    await admit({ subject: 'bob', workspace: 'other', address: '192.0.2.9' });
    await expect(
      admit({ subject: 'carol', workspace: 'third', address: '192.0.2.10' }),
    ).rejects.toThrow(
      expect.objectContaining({
        code: 'RATE_LIMIT_EXCEEDED',
        message: 'This node has as many streams as it may.',
      }),
    );
    first.release();
    await expect(admit({ subject: 'carol' })).resolves.toBeDefined();
  });

  it('of the address holds for a network of IPv6', async () => {
    const { admit } = door({ maxStreamsPerAddress: 1 });
    await admit({ address: '2001:db8:1:2::1' });
    await expect(admit({ address: '2001:db8:1:2:3:4:5:6' })).rejects.toThrow(SluiceError);
    await expect(admit({ address: '2001:db8:1:3::1' })).resolves.toBeDefined();
  });

  it('tells each to come back at a time of its own', async () => {
    const { admit } = door({ maxStreams: 1 });
    await admit();
    const waits = await Promise.all(
      Array.from({ length: 20 }, () => admit().catch((error: SluiceError) => error.retryAfterMs)),
    );
    expect(new Set(waits).size).toBeGreaterThan(10);
  });

  it('takes no place for those who are refused', async () => {
    const { admit } = door({ maxStreamsPerSubject: 1, maxStreamsPerWorkspace: 2 });
    await admit();
    for (let time = 0; time < 5; time++) await expect(admit()).rejects.toThrow(/The subject/);
    await expect(admit({ subject: 'bob' })).resolves.toBeDefined();
    await expect(admit({ subject: 'carol' })).rejects.toThrow(/The workspace/);
  });

  it('gets its place back once, however often it is given back', async () => {
    const { admit } = door({ maxStreams: 2 });
    const first = await admit();
    await admit();
    first.release();
    first.release();
    await expect(admit()).resolves.toBeDefined();
    await expect(admit()).rejects.toThrow(SluiceError);
  });
});

/** Places of several nodes, which are given out when the test says so. */
class ScriptedPlaces implements SharedPlaces {
  readonly given: Occupant[] = [];
  answer: () => Promise<void> = async () => {};

  take(): Promise<void> {
    return this.answer();
  }
  give(occupant: Occupant): void {
    this.given.push(occupant);
  }
  async close(): Promise<void> {}
}

describe('places that nodes share', () => {
  it('are asked for, and given back once', async () => {
    const places = new ScriptedPlaces();
    const { admit } = door({}, places);
    const admission = await admit();
    expect(places.given).toEqual([]);
    admission.release();
    admission.release();
    expect(places.given).toEqual([expect.objectContaining({ subject: 'alice' })]);
  });

  it('that are refused let nobody in, and take no place of this node', async () => {
    const places = new ScriptedPlaces();
    const { admit } = door({ maxStreams: 1 }, places);
    places.answer = () => Promise.reject(new SluiceError('UNAVAILABLE'));
    for (let n = 0; n < 3; n++) {
      await expect(admit()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    }
    expect(places.given).toEqual([]);
    places.answer = async () => {};
    await expect(admit()).resolves.toBeDefined();
  });

  it('are not asked for where this node has none', async () => {
    const places = new ScriptedPlaces();
    const { admit } = door({ maxStreams: 1 }, places);
    await admit();
    places.answer = () => Promise.reject(new Error('asked for'));
    await expect(admit()).rejects.toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
  });

  it('do not let a stream in whose token is revoked while they are asked for', async () => {
    const places = new ScriptedPlaces();
    const { admit, revocations } = door({}, places);
    let answer = () => {};
    places.answer = () => new Promise((resolve) => (answer = resolve));
    const admitting = admit();
    revocations.revoke(() => true);
    await turn();
    answer();
    const admission = await admitting;
    expect(() => admission.check()).toThrow(expect.objectContaining({ code: 'INVALID_TOKEN' }));
  });
});

describe('a revocation', () => {
  it('ends the streams of the tokens that it is about, and no others', async () => {
    const { admit, revocations } = door();
    const alice = held(await admit({ tokenId: 'a1' }));
    const bob = held(await admit({ subject: 'bob' }));
    const elsewhere = held(await admit({ workspace: 'other' }));
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
    await admit(token);
    const asked: RevocableToken[] = [];
    revocations.revoke((one) => asked.push(one) === 0);
    await turn();
    expect(asked).toEqual([expect.objectContaining(token)]);
  });

  it('refuses a stream that was about to be let in', async () => {
    const { admit, revocations } = door({ maxStreams: 1 });
    revocations.revoked = () => true;
    await expect(admit()).rejects.toThrow(expect.objectContaining({ code: 'INVALID_TOKEN' }));
    revocations.revoked = () => false;
    await expect(admit()).resolves.toBeDefined();
  });

  it('refuses a stream that was let in and is not open yet', async () => {
    const { admit, revocations } = door();
    const admission = await admit();
    expect(() => admission.check()).not.toThrow();
    revocations.revoke(() => true);
    await turn();
    expect(() => admission.check()).toThrow(expect.objectContaining({ code: 'INVALID_TOKEN' }));
    expect(held(admission).seen).toEqual([REVOKED]);
  });

  it('ends a stream once, and nothing that has been given back', async () => {
    const { admit, revocations } = door();
    const [stays, leaves] = [await admit(), await admit()];
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
    const streams = await Promise.all(Array.from({ length: 200 }, () => admit()));
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
    const streams = await Promise.all(Array.from({ length: 2_000 }, () => admit()));
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
    const ending = held(await admit());
    for (let n = 0; n < 1_000; n++) await admit({ subject: `s${n}` });
    for (let n = 0; n < 500; n++) revocations.revoke(() => false);
    revocations.revoke(({ subject }) => subject === 'alice');
    while (ending.seen.length === 0) await turn();
    expect(revocations.searches).toBeLessThan(20_000);
  });
});
