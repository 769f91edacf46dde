import { describe, expect, it } from '@jest/globals';
import { QUESTION } from '../../../test/support/gate.js';
import type { DecisionRecord, RevocationRecord } from '../audit.js';
import type { Decision, PermissionQuestion } from './permission-checker.js';
import { Permissions } from './permissions.js';

function permissionsOf(check: (question: PermissionQuestion, signal: AbortSignal) => unknown) {
  const records: (DecisionRecord | RevocationRecord)[] = [];
  const permissions = new Permissions(
    { name: 'test', check: check as () => Decision },
    { record: (entry) => records.push(entry) },
  );
  return { permissions, records };
}

const asked = (rest: Partial<PermissionQuestion> = {}): PermissionQuestion => ({
  ...QUESTION,
  ...rest,
});

describe('the answer of a permission checker', () => {
  it.each([
    [{ allowed: true }, null],
    [{ allowed: true, topics: undefined }, null],
    [{ allowed: true, topics: ['order*', 'a'] }, ['order*', 'a']],
    [Promise.resolve({ allowed: true, reason: 'because' }), null],
  ])('lets in: %j', async (answer, permitted) => {
    const { permissions } = permissionsOf(() => answer);
    expect(await permissions.permit(asked())).toEqual(permitted);
  });

  it.each([
    [{ allowed: false }],
    [{ allowed: false, topics: ['orders'] }],
    [Promise.resolve({ allowed: false })],
    [{ allowed: true, topics: [] }],
    [{ allowed: true, topics: ['documents'] }],
  ])('turns away: %j', async (answer) => {
    const { permissions } = permissionsOf(() => answer);
    await expect(permissions.permit(asked())).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: '"realtime:subscribe" was not granted here.',
    });
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['true', true],
    ['"true"', 'true'],
    ['1', 1],
    ['an empty object', {}],
    ['a list', [{ allowed: true }]],
    ['"false"', { allowed: 'false' }],
    ['a number', { allowed: 1 }],
    ['an object', { allowed: {} }],
    ['topics as a text', { allowed: true, topics: '*' }],
    ['topics that are null', { allowed: true, topics: null }],
    ['a topic that is no pattern', { allowed: true, topics: ['orders', 'a b'] }],
    ['a topic that is no text', { allowed: true, topics: [/.*/] }],
    ['more topics than there may be', { allowed: true, topics: Array(1_001).fill('orders') }],
    ['malformed topics beside a no', { allowed: false, topics: 'x' }],
    ['a function', () => ({ allowed: true })],
  ])('is no answer if it is not a decision: %s', async (_, answer) => {
    const { permissions, records } = permissionsOf(() => answer);
    await expect(permissions.permit(asked())).rejects.toMatchObject({
      code: 'AUTH_ERROR',
      message: 'The permission cannot be checked right now.',
      retryAfterMs: expect.any(Number),
    });
    expect(records).toMatchObject([{ outcome: 'AUTH_ERROR', granted: null }]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('secret words');
      },
    ],
    ['rejects', () => Promise.reject(new Error('secret words'))],
    ['rejects with what is no error', () => Promise.reject('secret words')],
  ])('is none if it %s, and its words stay within', async (_, check) => {
    const { permissions } = permissionsOf(check);
    const failure = await permissions.permit(asked()).catch((error: Error) => error);
    expect(failure).toMatchObject({ code: 'AUTH_ERROR' });
    expect((failure as Error).message).not.toContain('secret');
  });

  it('is not waited for longer than 5 seconds, and the checker is told', async () => {
    let toldAt = 0;
    const { permissions } = permissionsOf(
      (_, signal) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            toldAt = performance.now();
          });
        }),
    );
    const started = performance.now();
    await expect(permissions.permit(asked())).rejects.toMatchObject({ code: 'AUTH_ERROR' });
    expect(toldAt - started).toBeGreaterThan(4_900);
  }, 20_000);

  it('that is waited for has a signal of its own', async () => {
    const signals: AbortSignal[] = [];
    const { permissions } = permissionsOf((_, signal) => {
      signals.push(signal);
      // Every other answer is there at once.
      const answer = { allowed: true };
      return signals.length % 2 === 0 ? answer : Promise.resolve(answer);
    });
    await Promise.all(Array.from({ length: 6 }, () => permissions.permit(asked())));
    const waitedFor = signals.filter((_, index) => index % 2 === 0);
    expect(new Set(waitedFor).size).toBe(3);
  });

  it('does not change with the list that it came in', async () => {
    const topics = ['orders'];
    const { permissions } = permissionsOf(() => ({ allowed: true, topics }));
    const permitted = await permissions.permit(asked());
    topics.push('*');
    expect(permitted).toEqual(['orders']);
  });
});

describe('topics that are asked for', () => {
  const narrowed = permissionsOf(() => ({ allowed: true, topics: ['order*', 'news'] })).permissions;

  it.each([
    [null],
    [['orders']],
    [['news', 'orders']],
    [['*']],
    [['n*', '*s']],
    [['orders', '*x']],
    [['or*']],
  ])('are permitted if each meets what is granted: %j', async (topics) => {
    await expect(narrowed.permit(asked({ topics }))).resolves.toEqual(['order*', 'news']);
  });

  it.each([[['documents']], [['orders', 'documents']], [['new']], [['x*']], [['orders', 'x*']]])(
    'are FORBIDDEN if one does not: %j',
    async (topics) => {
      await expect(narrowed.permit(asked({ topics }))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    },
  );
});

describe('a question', () => {
  const principal = {
    ...QUESTION.principal,
    clientId: 'web',
    tokenId: 'jti-1',
    claims: { sub: 'alice', secret: 'secret words' },
  };

  it('is audited with its answer, and without the claims', async () => {
    const { permissions, records } = permissionsOf(() => ({ allowed: true, topics: ['order*'] }));
    await permissions.permit(asked({ principal }));
    expect(records).toEqual([
      {
        kind: 'decision',
        requestId: 'r1',
        workspace: 'acme',
        subject: 'alice',
        issuer: 'https://issuer.test',
        clientId: 'web',
        tokenId: 'jti-1',
        permission: 'realtime:subscribe',
        topics: ['orders'],
        checker: 'test',
        outcome: 'ok',
        granted: ['order*'],
        durationMs: expect.any(Number),
      },
    ]);
  });

  it('is audited as FORBIDDEN also for a topic that is not granted', async () => {
    const { permissions, records } = permissionsOf(() => ({ allowed: true, topics: ['news'] }));
    await expect(permissions.permit(asked())).rejects.toThrow();
    expect(records).toMatchObject([{ outcome: 'FORBIDDEN', granted: null }]);
  });

  it('that is asked again for a stream is audited only where the stream is ended', async () => {
    let answer: unknown = { allowed: true };
    const { permissions, records } = permissionsOf(() => answer);
    const again = () => permissions.permit(asked({ occasion: 'recheck' })).catch(() => {});
    await again();
    answer = 'no answer';
    await again();
    expect(records).toEqual([]);
    answer = { allowed: false };
    await again();
    expect(records).toEqual([]);
    permissions.recordEnd(asked({ occasion: 'recheck' }), 'FORBIDDEN');
    expect(records).toMatchObject([{ subject: 'alice', outcome: 'FORBIDDEN', granted: null }]);
  });
});
