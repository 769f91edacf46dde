import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { ServiceErrorCode } from '@sluice/protocol';
import { ALICE, gateRequest, QUESTION, testGate } from '../../test/support/gate.js';
import { SluiceError } from '../errors.js';
import { silentAudit } from './audit.js';
import type { GateParts } from './gate.js';
import type {
  Decision,
  PermissionChecker,
  PermissionQuestion,
} from './permission/permission-checker.js';
import { Permissions } from './permission/permissions.js';
import type { Principal } from './principal.js';

/** A gate that records what its verifier is given. */
function gateWith(workspaces: readonly string[]) {
  const verified: string[] = [];
  const verify = async (token: string) => {
    verified.push(token);
    return { ...ALICE, workspaces };
  };
  return { gate: testGate({ verifier: { verify, remembers: () => false } }), verified };
}

interface Recording {
  /** Whether the verifier knows the token already. */
  readonly isRemembered?: boolean;
  readonly verify?: () => Principal | Promise<Principal>;
  readonly redeem?: () => Principal | Promise<Principal>;
  /** Steps that refuse, with what. */
  readonly check?: SluiceError;
  readonly revoked?: SluiceError;
  readonly queryTokens?: GateParts['queryTokens'];
}

/** A gate that tells which of its parts it asked, in order, and with what. */
function recordingGate(recording: Recording = {}) {
  const steps: unknown[][] = [];
  const { isRemembered = false, verify = () => ALICE, redeem = () => ALICE } = recording;
  const gate = testGate({
    verifier: {
      remembers: () => isRemembered,
      verify: async (token) => {
        steps.push(['verify', token]);
        return verify();
      },
    },
    revocations: {
      check: (principal, workspace) => {
        steps.push(['revocations', principal.subject, workspace]);
        if (recording.revoked !== undefined) throw recording.revoked;
      },
    },
    streamTokens: {
      issue: () => Promise.reject(new Error('a gate gives out nothing')),
      redeem: async (token, { workspace, origin }) => {
        steps.push(['redeem', token, workspace, origin]);
        return redeem();
      },
    },
    failedAttempts: {
      check: (address) => {
        steps.push(['attempts', address]);
        if (recording.check !== undefined) throw recording.check;
      },
      note: (address) => steps.push(['note', address]),
    },
    ...(recording.queryTokens !== undefined && { queryTokens: recording.queryTokens }),
  });
  return { gate, steps };
}

const refuse = (code: ServiceErrorCode) => () => Promise.reject(new SluiceError(code));
const accessQuery = gateRequest({
  authorization: [],
  query: new URLSearchParams('access_token=abc'),
});
const streamQuery = gateRequest({
  authorization: [],
  query: new URLSearchParams('stream_token=xyz'),
  origin: 'https://app.example',
});
const REDEEMS = { redeemsStreamToken: true };

/** Asks a checker that does `check`, whatever its type says. */
function permit(
  check: (question: PermissionQuestion) => unknown,
): Promise<readonly string[] | null> {
  const checker = { check } as PermissionChecker;
  return testGate({ permissions: new Permissions(checker, silentAudit) }).permit(QUESTION);
}

afterEach(() => {
  jest.useRealTimers();
});

describe('who asks', () => {
  it('is told where the token names the workspace', async () => {
    const { gate, verified } = gateWith(['other', 'acme']);
    expect(await gate.identify(gateRequest({ workspace: 'acme' }))).toMatchObject({
      subject: 'alice',
    });
    expect(verified).toEqual(['abc']);
  });

  it.each([
    ['another', ['other']],
    ['none', []],
    ['another case', ['Acme', 'ACME']],
    ['a star', ['*']],
    ['a longer name', ['acme-2', 'acme ', ' acme']],
    ['a pattern of it', ['ac*']],
  ])('is refused where the token names %s', async (_, workspaces) => {
    const { gate } = gateWith(workspaces);
    await expect(gate.identify(gateRequest({ workspace: 'acme' }))).rejects.toMatchObject({
      code: 'WORKSPACE_MISMATCH',
    });
  });

  it.each(['', '*', 'a/b', 'a b', '..', 'a\u0000', 'a'.repeat(65), 'ä', '__proto__\n'])(
    'is not looked at where the workspace is %j',
    async (workspace) => {
      const { gate, verified } = gateWith([workspace]);
      await expect(gate.identify(gateRequest({ workspace }))).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
      });
      await expect(
        gate.identify(gateRequest({ workspace, authorization: [] })),
      ).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
      });
      expect(verified).toEqual([]);
    },
  );

  it('is not asked of the verifier where there is no token', async () => {
    const { gate, verified } = gateWith(['acme']);
    await expect(gate.identify(gateRequest({ authorization: [] }))).rejects.toMatchObject({
      code: 'MISSING_TOKEN',
    });
    expect(verified).toEqual([]);
  });
});

describe('the steps to know who asks', () => {
  it('are taken in this order: attempts of the address, the token, revocations', async () => {
    const { gate, steps } = recordingGate();
    expect(await gate.identify(gateRequest())).toBe(ALICE);
    expect(steps).toEqual([
      ['attempts', '192.0.2.1'],
      ['verify', 'abc'],
      ['revocations', 'alice', 'acme'],
    ]);
  });

  it("do not ask for revocations in a workspace that is not the token's", async () => {
    const { gate, steps } = recordingGate({ revoked: new SluiceError('INVALID_TOKEN') });
    await expect(gate.identify(gateRequest({ workspace: 'other' }))).rejects.toMatchObject({
      code: 'WORKSPACE_MISMATCH',
    });
    expect(steps.map(([step]) => step)).toEqual(['attempts', 'verify']);
  });

  it('end where the token was revoked', async () => {
    const { gate } = recordingGate({ revoked: new SluiceError('INVALID_TOKEN', 'revoked') });
    await expect(gate.identify(gateRequest())).rejects.toMatchObject({
      code: 'INVALID_TOKEN',
      message: 'revoked',
    });
  });
});

describe('an address that failed too often', () => {
  const check = new SluiceError('RATE_LIMIT_EXCEEDED');

  it('is refused before its token is looked at', async () => {
    const { gate, steps } = recordingGate({ check });
    await expect(gate.identify(gateRequest())).rejects.toBe(check);
    expect(steps).toEqual([['attempts', '192.0.2.1']]);
  });

  it('may go on to use a token that was verified before', async () => {
    const { gate, steps } = recordingGate({ check, isRemembered: true });
    expect(await gate.identify(gateRequest())).toBe(ALICE);
    expect(steps.map(([step]) => step)).toEqual(['attempts', 'verify', 'revocations']);
  });

  it('may go on to use a stream token', async () => {
    const { gate } = recordingGate({ check });
    expect(await gate.identify(streamQuery, REDEEMS)).toBe(ALICE);
  });

  it('has a note for a token that does not hold', async () => {
    const { gate, steps } = recordingGate({ verify: refuse('INVALID_TOKEN') });
    await expect(gate.identify(gateRequest())).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
    expect(steps.at(-1)).toEqual(['note', '192.0.2.1']);
  });

  it('has no note for a stream token that was used: browsers show theirs again', async () => {
    const { gate, steps } = recordingGate({ redeem: refuse('INVALID_TOKEN') });
    await expect(gate.identify(streamQuery, REDEEMS)).rejects.toMatchObject({
      code: 'INVALID_TOKEN',
    });
    expect(steps.map(([step]) => step)).toEqual(['redeem']);
  });

  it.each<[string, Recording]>([
    ['cannot be verified right now', { verify: refuse('AUTH_ERROR') }],
    ['has expired', { verify: refuse('TOKEN_EXPIRED') }],
    ['is of another workspace', { verify: () => ({ ...ALICE, workspaces: ['other'] }) }],
    ['was revoked', { revoked: new SluiceError('INVALID_TOKEN') }],
    ['makes the verifier fail', { verify: () => Promise.reject(new Error('a fault')) }],
    ['holds', {}],
  ])('has no note for a token that %s', async (_, recording) => {
    const { gate, steps } = recordingGate(recording);
    await gate.identify(gateRequest()).catch(() => {});
    expect(steps.map(([step]) => step)).not.toContain('note');
  });
});

describe('a principal that was let in', () => {
  const now = 1_800_000_000;
  const { gate } = recordingGate();

  it('stands until its token ends, and no longer', () => {
    jest.useFakeTimers({ now: now * 1_000 });
    // The tolerance for clocks is 5 s.
    expect(() => gate.checkStanding({ ...ALICE, expiresAt: now - 4 }, 'acme')).not.toThrow();
    expect(() => gate.checkStanding({ ...ALICE, expiresAt: now - 5 }, 'acme')).toThrow(
      expect.objectContaining({ code: 'TOKEN_EXPIRED' }),
    );
  });

  it('stands until its token is revoked', () => {
    const revoked = new SluiceError('INVALID_TOKEN');
    const { gate: other } = recordingGate({ revoked });
    expect(() => other.checkStanding(ALICE, 'acme')).toThrow(revoked);
  });
});

describe('an access token in the address', () => {
  it('is as good as in the header, unless told otherwise', async () => {
    const { gate } = recordingGate();
    expect(await gate.identify(accessQuery)).toBe(ALICE);
  });

  describe('where none is accepted there', () => {
    const queryTokens = { areAccepted: false, maxLifetimeSeconds: null };

    it('is refused before anything is made of it', async () => {
      const { gate, steps } = recordingGate({ queryTokens });
      await expect(gate.identify(accessQuery)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      expect(steps).toEqual([]);
    });

    it('is no matter for one in the header', async () => {
      const { gate } = recordingGate({ queryTokens });
      expect(await gate.identify(gateRequest())).toBe(ALICE);
    });

    it('is no matter for a stream token', async () => {
      const { gate } = recordingGate({ queryTokens });
      expect(await gate.identify(streamQuery, REDEEMS)).toBe(ALICE);
    });
  });

  describe('that may live for 60 seconds', () => {
    const now = 1_800_000_000;
    const gateFor = (times: Pick<Principal, 'issuedAt' | 'expiresAt'>) =>
      recordingGate({
        verify: () => ({ ...ALICE, ...times }),
        queryTokens: { areAccepted: true, maxLifetimeSeconds: 60 },
      });
    const good = [
      ['lives as long', { issuedAt: now, expiresAt: now + 60 }],
      ['was longer ago', { issuedAt: now - 50, expiresAt: now + 10 }],
      ['says no start, and ends in time', { issuedAt: null, expiresAt: now + 60 }],
    ] as const;
    const bad = [
      ['lives longer', { issuedAt: now, expiresAt: now + 61 }],
      ['lived longer and ends soon', { issuedAt: now - 100, expiresAt: now + 1 }],
      ['says no start, and ends late', { issuedAt: null, expiresAt: now + 61 }],
    ] as const;

    it.each(good)('is accepted where it %s', async (_, times) => {
      jest.useFakeTimers({ now: now * 1_000 });
      await expect(gateFor(times).gate.identify(accessQuery)).resolves.toMatchObject(times);
    });

    it.each(bad)('is refused where it %s, and not noted', async (_, times) => {
      jest.useFakeTimers({ now: now * 1_000 });
      const { gate, steps } = gateFor(times);
      await expect(gate.identify(accessQuery)).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
        message: expect.stringContaining('60 seconds at the most'),
      });
      expect(steps.map(([step]) => step)).toEqual(['attempts', 'verify']);
    });

    it.each(bad)('is accepted in the header where it %s', async (_, times) => {
      jest.useFakeTimers({ now: now * 1_000 });
      await expect(gateFor(times).gate.identify(gateRequest())).resolves.toMatchObject(times);
    });

    it('is no matter for a stream token', async () => {
      const { gate } = gateFor({ issuedAt: 0, expiresAt: now });
      expect(await gate.identify(streamQuery, REDEEMS)).toBe(ALICE);
    });
  });
});

describe('a stream token', () => {
  it('is redeemed with what it is bound to, and the rest is checked again', async () => {
    const { gate, steps } = recordingGate();
    expect(await gate.identify(streamQuery, REDEEMS)).toBe(ALICE);
    expect(steps).toEqual([
      ['redeem', 'xyz', 'acme', 'https://app.example'],
      ['revocations', 'alice', 'acme'],
    ]);
  });

  it.each([{}, { redeemsStreamToken: false }])(
    'is refused and kept where it opens nothing: %j',
    async (options) => {
      const { gate, steps } = recordingGate();
      await expect(gate.identify(streamQuery, options)).rejects.toMatchObject({
        code: 'INVALID_TOKEN',
      });
      expect(steps.map(([step]) => step)).not.toContain('redeem');
      expect(steps.map(([step]) => step)).not.toContain('verify');
    },
  );

  it('is no entry to a workspace that its principal has not', async () => {
    const { gate, steps } = recordingGate({ redeem: () => ({ ...ALICE, workspaces: ['other'] }) });
    await expect(gate.identify(streamQuery, REDEEMS)).rejects.toMatchObject({
      code: 'WORKSPACE_MISMATCH',
    });
    expect(steps.map(([step]) => step)).toEqual(['redeem']);
  });

  it('is no entry after its access token was revoked', async () => {
    const { gate } = recordingGate({ revoked: new SluiceError('INVALID_TOKEN') });
    await expect(gate.identify(streamQuery, REDEEMS)).rejects.toMatchObject({
      code: 'INVALID_TOKEN',
    });
  });

  it.each<ServiceErrorCode>([
    'INVALID_TOKEN',
    'WORKSPACE_MISMATCH',
    'TOKEN_EXPIRED',
    'UNAVAILABLE',
  ])('that cannot be redeemed is told as %s', async (code) => {
    const { gate } = recordingGate({ redeem: refuse(code) });
    await expect(gate.identify(streamQuery, REDEEMS)).rejects.toMatchObject({ code });
  });

  it('is not taken for an access token, and an access token not for one', async () => {
    const { gate, steps } = recordingGate();
    await gate.identify(accessQuery, REDEEMS);
    expect(steps.map(([step]) => step)).toEqual(['attempts', 'verify', 'revocations']);
  });
});

describe('what is permitted', () => {
  it('is asked with the whole question', async () => {
    const asked: PermissionQuestion[] = [];
    await permit((question) => {
      asked.push(question);
      return { allowed: true };
    });
    expect(asked).toEqual([QUESTION]);
  });

  it.each<[string, Decision, readonly string[] | null]>([
    ['everything', { allowed: true }, null],
    ['patterns', { allowed: true, topics: ['orders', 'document-*'] }, ['orders', 'document-*']],
  ])('is narrowed to %s', async (_, decision, topics) => {
    expect(await permit(() => decision)).toEqual(topics);
    expect(await permit(async () => decision)).toEqual(topics);
  });

  it.each<Decision>([
    { allowed: false },
    { allowed: false, topics: ['orders'] },
    { allowed: true, topics: [] },
    { allowed: true, topics: ['invoices', 'order'] },
  ])('is nothing where the checker says %j', async (decision) => {
    await expect(permit(() => decision)).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: '"realtime:subscribe" was not granted here.',
    });
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['true', true],
    ['"true"', 'true'],
    ['"false"', 'false'],
    ['1', 1],
    ['an empty object', {}],
    ['a list', [true]],
    ['"true" as its decision', { allowed: 'true' }],
    ['1 as its decision', { allowed: 1 }],
    ['a promise as its decision', { allowed: Promise.resolve(true) }],
    ['topics that are no list', { allowed: true, topics: 'orders' }],
    ['null for topics', { allowed: true, topics: null }],
    ['a topic that is no text', { allowed: true, topics: ['orders', 7] }],
    ['a topic that is no pattern', { allowed: true, topics: ['orders', 'a b'] }],
    ['an empty topic', { allowed: true, topics: [''] }],
    ['topics that do not hold, with its no', { allowed: false, topics: 'orders' }],
    ['a function', () => ({ allowed: true })],
  ])('cannot be told where the checker answers %s', async (_, answer) => {
    const refusal = { code: 'AUTH_ERROR', retryAfterMs: expect.any(Number) };
    await expect(permit(() => answer)).rejects.toMatchObject(refusal);
    await expect(permit(async () => answer)).rejects.toMatchObject(refusal);
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('db.internal:5432 refused');
      },
    ],
    ['rejects', () => Promise.reject(new Error('db.internal:5432 refused'))],
    ['rejects with nothing', () => Promise.reject()],
    [
      'throws a refusal of its own making',
      () => {
        throw Object.assign(new Error('db.internal:5432'), { code: 'FORBIDDEN', status: 403 });
      },
    ],
  ])('cannot be told where the checker %s, whose words stay inside', async (_, check) => {
    const error: unknown = await permit(check).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'AUTH_ERROR' });
    expect((error as Error).message).not.toContain('internal');
  });

  it('cannot be told where the checker does not answer in time', async () => {
    jest.useFakeTimers();
    const outcome = permit(() => new Promise(() => {})).catch((caught: unknown) => caught);
    let isSettled = false;
    void outcome.then(() => {
      isSettled = true;
    });
    await jest.advanceTimersByTimeAsync(4_999);
    expect(isSettled).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(await outcome).toMatchObject({ code: 'AUTH_ERROR' });
    expect(jest.getTimerCount()).toBe(0);
  });

  it('leaves no timer behind where the checker answers', async () => {
    jest.useFakeTimers();
    await permit(() => ({ allowed: true }));
    expect(jest.getTimerCount()).toBe(0);
  });
});
