import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { claimsPermissionChecker } from './claims-permission-checker.js';
import type { TokenCarrier } from './find-token.js';
import { Gate } from './gate.js';
import type { Decision, PermissionChecker, PermissionQuestion } from './permission-checker.js';
import type { Principal } from './principal.js';

const PRINCIPAL: Principal = {
  subject: 'alice',
  workspaces: ['acme', 'other'],
  expiresAt: 4_102_444_800,
  claims: {},
};
const QUESTION: PermissionQuestion = {
  principal: PRINCIPAL,
  workspace: 'acme',
  permission: 'realtime:subscribe',
  topics: ['orders'],
};
const CARRIER: TokenCarrier = { authorization: ['Bearer abc'], query: new URLSearchParams() };

/** A gate that records what its verifier is given. */
function gateWith(workspaces: readonly string[]) {
  const verified: string[] = [];
  const verify = async (token: string) => {
    verified.push(token);
    return { ...PRINCIPAL, workspaces };
  };
  return { gate: new Gate({ verify }, claimsPermissionChecker), verified };
}

/** Asks a checker that does `check`, whatever its type says. */
function permit(
  check: (question: PermissionQuestion) => unknown,
): Promise<readonly string[] | null> {
  const checker = { check } as PermissionChecker;
  return new Gate({ verify: async () => PRINCIPAL }, checker).permit(QUESTION);
}

afterEach(() => {
  jest.useRealTimers();
});

describe('who asks', () => {
  it('is told where the token names the workspace', async () => {
    const { gate, verified } = gateWith(['other', 'acme']);
    expect(await gate.identify(CARRIER, 'acme')).toMatchObject({ subject: 'alice' });
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
    await expect(gate.identify(CARRIER, 'acme')).rejects.toMatchObject({
      code: 'WORKSPACE_MISMATCH',
    });
  });

  it.each(['', '*', 'a/b', 'a b', '..', 'a\u0000', 'a'.repeat(65), 'ä', '__proto__\n'])(
    'is not looked at where the workspace is %j',
    async (workspace) => {
      const { gate, verified } = gateWith([workspace]);
      await expect(gate.identify(CARRIER, workspace)).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
      });
      const without = { ...CARRIER, authorization: [] };
      await expect(gate.identify(without, workspace)).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
      });
      expect(verified).toEqual([]);
    },
  );

  it('is not asked of the verifier where there is no token', async () => {
    const { gate, verified } = gateWith(['acme']);
    const without = { ...CARRIER, authorization: [] };
    await expect(gate.identify(without, 'acme')).rejects.toMatchObject({ code: 'MISSING_TOKEN' });
    expect(verified).toEqual([]);
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
    ['nothing', { allowed: true, topics: [] }, []],
  ])('is narrowed to %s', async (_, decision, topics) => {
    expect(await permit(() => decision)).toEqual(topics);
    expect(await permit(async () => decision)).toEqual(topics);
  });

  it.each<Decision>([{ allowed: false }, { allowed: false, topics: ['orders'] }])(
    'is nothing where the checker says %j',
    async (decision) => {
      await expect(permit(() => decision)).rejects.toMatchObject({
        code: 'FORBIDDEN',
        message: '"realtime:subscribe" was not granted here.',
      });
    },
  );

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
