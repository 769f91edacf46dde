import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  CONTRACT_RULES,
  describePermissionChecker,
} from '../../../test/contracts/permission-checker.contract.js';
import { ALICE, QUESTION } from '../../../test/support/gate.js';
import {
  type AuthzenAnswer,
  type AuthzenQuestion,
  PERMISSION_FAULTS,
  type PermissionFault,
  type PermissionServer,
  startPermissionServer,
} from '../../../test/support/permission-server.js';
import { type AuthzenOptions, AuthzenPermissionChecker } from './authzen-permission-checker.js';
import type { PermissionQuestion } from './permission-checker.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const DEADLINE_MS = 10_000;
/** Where a test has many questions wait for their turn. */
const PATIENT = { deadlineMs: 60_000 };

function decideByContract({ subject, action, resource }: AuthzenQuestion): AuthzenAnswer {
  const topics = CONTRACT_RULES.filter(
    (rule) =>
      rule.subject === subject.id &&
      rule.workspace === resource.id &&
      rule.permission === action.name,
  ).map(({ topic }) => topic);
  if (topics.length === 0) return { decision: false };
  return { decision: true, ...(!topics.includes('*') && { context: { topics } }) };
}

describePermissionChecker('a policy decision point', {
  knowsWorkspaces: true,
  canChangeItsMind: true,
  open: async () => {
    const server = await startPermissionServer();
    server.decide = decideByContract;
    return { checker: checkerOf(server), close: () => server[Symbol.asyncDispose]() };
  },
});

function checkerOf({ url }: { url: string }, options: Partial<AuthzenOptions> = {}) {
  return new AuthzenPermissionChecker({
    url,
    token: null,
    deadlineMs: DEADLINE_MS,
    cacheMs: 60_000,
    ...options,
  });
}

let server: PermissionServer;
beforeEach(async () => {
  server = await startPermissionServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const asked = (rest: Partial<PermissionQuestion> = {}): PermissionQuestion => ({
  ...QUESTION,
  ...rest,
});
const ofSubject = (subject: string) => asked({ principal: { ...ALICE, subject } });
/** Questions of which no two are alike. */
const questions = (count: number) =>
  Array.from({ length: count }, (_, n) => ofSubject(`user-${n}`));

describe('a question to the policy decision point', () => {
  it('says who asks what of which workspace, and nothing else of the token', async () => {
    const principal = {
      ...ALICE,
      clientId: 'web',
      tokenId: 'jti-1',
      claims: { sub: 'alice', email: 'alice@example.com', roles: ['admin'] },
    };
    await checkerOf(server).check(asked({ principal, requestId: 'request-7' }));
    const [call] = server.calls.items;
    expect(call).toMatchObject({ method: 'POST', path: '/access/v1/evaluation' });
    expect(call?.question).toEqual({
      subject: {
        type: 'user',
        id: 'alice',
        properties: { issuer: 'https://issuer.test', client_id: 'web' },
      },
      action: { name: 'realtime:subscribe' },
      resource: { type: 'workspace', id: 'acme', properties: { topics: ['orders'] } },
    });
    expect(call?.headers).toMatchObject({
      'content-type': 'application/json',
      'x-request-id': 'request-7',
    });
    expect(call?.headers).not.toHaveProperty('authorization');
  });

  it('names no topics where all are meant, and a client that acts for itself', async () => {
    await checkerOf(server).check(
      asked({ topics: null, principal: { ...ALICE, subject: 'robot', clientId: 'robot' } }),
    );
    expect(server.calls.items[0]?.question).toEqual({
      subject: {
        type: 'client',
        id: 'robot',
        properties: { issuer: 'https://issuer.test', client_id: 'robot' },
      },
      action: { name: 'realtime:subscribe' },
      resource: { type: 'workspace', id: 'acme' },
    });
  });

  it('is asked below the base address, with the token of the service', async () => {
    await checkerOf({ url: `${server.url}/tenant/` }, { token: 'pdp-token' }).check(asked());
    expect(server.calls.items[0]).toMatchObject({
      path: '/tenant/access/v1/evaluation',
      headers: { authorization: 'Bearer pdp-token' },
    });
  });
});

describe('an answer of the policy decision point', () => {
  it.each<AuthzenAnswer>([
    { decision: true, context: {} },
    { decision: true, context: { reason: 'because' } },
    { decision: true, context: null as unknown as object },
  ])('%j allows', async (answer) => {
    server.decide = () => answer;
    expect(await checkerOf(server).check(asked())).toEqual({ allowed: true });
  });

  it('may narrow to topics, also to none', async () => {
    server.decide = ({ subject }) => ({
      decision: true,
      context: { topics: subject.id === 'alice' ? ['a', 'b*'] : [] },
    });
    const checker = checkerOf(server);
    expect(await checker.check(asked())).toEqual({ allowed: true, topics: ['a', 'b*'] });
    expect(await checker.check(ofSubject('bob'))).toEqual({ allowed: true, topics: [] });
  });

  const quick = Object.keys(PERMISSION_FAULTS).filter(
    (fault) => fault !== 'silent' && fault !== 'stalled',
  ) as PermissionFault[];
  it.each(quick)('that is no decision is none: %s', async (fault) => {
    server.answer = fault;
    const checker = checkerOf(server, { deadlineMs: 4_000 });
    await expect(checker.check(asked())).rejects.toThrow();
    expect(server.calls.items).toHaveLength(1);
    // What was no decision is not remembered as one.
    server.answer = 'decision';
    expect(await checker.check(asked())).toEqual({ allowed: true });
  });

  it.each(['silent', 'stalled'] as const)(
    'that does not come in time is none: %s',
    async (fault) => {
      server.answer = fault;
      const started = performance.now();
      const decision = checkerOf(server, { deadlineMs: 300 }).check(asked());
      const refused = expect(decision).rejects.toThrow();
      // What stops a call must not be swept away while it waits: `fetch` holds on to its signal weakly.
      await server.calls.atLeast(1);
      while (performance.now() - started < 150) await new Promise(setImmediate);
      collectGarbage();
      await refused;
      expect(performance.now() - started).toBeLessThan(DEADLINE_MS);
    },
  );
});

describe('a decision', () => {
  it('is asked for once while many wait for it, and used again', async () => {
    server.answer = 'held';
    const checker = checkerOf(server);
    const waiting = Array.from({ length: 100 }, () => checker.check(asked()));
    await server.calls.atLeast(1);
    server.release();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([{ allowed: true }]));
    expect(await checker.check(asked())).toEqual({ allowed: true });
    expect(server.calls.items).toHaveLength(1);
  });

  it('is that of one question alone', async () => {
    const checker = checkerOf(server);
    await checker.check(asked());
    await checker.check(asked({ requestId: 'r2' }));
    expect(server.calls.items).toHaveLength(1);
    const others: PermissionQuestion[] = [
      asked({ permission: 'realtime:publish' }),
      asked({ workspace: 'other' }),
      asked({ topics: ['orders', 'a'] }),
      asked({ topics: null }),
      ofSubject('bob'),
      asked({ principal: { ...ALICE, issuer: 'https://other.test' } }),
      asked({ principal: { ...ALICE, clientId: 'web' } }),
    ];
    for (const question of others) await checker.check(question);
    expect(server.calls.items).toHaveLength(1 + others.length);
  });

  it('is not used again after its time, or where it may not be at all', async () => {
    const checker = checkerOf(server, { cacheMs: 30 });
    await checker.check(asked());
    server.decide = () => ({ decision: false });
    const old = performance.now();
    while (performance.now() - old < 60) await new Promise(setImmediate);
    expect(await checker.check(asked())).toEqual({ allowed: false });
    const uncached = checkerOf(server, { cacheMs: 0 });
    await uncached.check(asked());
    await uncached.check(asked());
    expect(server.calls.items).toHaveLength(4);
  });

  it('that must be fresh is asked for anew, and stands in the place of the old one', async () => {
    const checker = checkerOf(server);
    await checker.check(asked());
    server.decide = () => ({ decision: false });
    expect(await checker.check(asked())).toEqual({ allowed: true });
    expect(await checker.check(asked({ mustBeFresh: true }))).toEqual({ allowed: false });
    expect(await checker.check(asked())).toEqual({ allowed: false });
    expect(server.calls.items).toHaveLength(2);
  });

  it('that must be fresh is not that of a call begun before, which it outlives', async () => {
    server.answer = 'held';
    const checker = checkerOf(server);
    let decision = true;
    server.decide = () => ({ decision });
    const early = checker.check(asked());
    await server.calls.atLeast(1);
    server.answer = 'decision';
    decision = false;
    expect(await checker.check(asked({ mustBeFresh: true }))).toEqual({ allowed: false });
    // The older call is answered last, with what was true when it began.
    decision = true;
    server.release();
    expect(await early).toEqual({ allowed: true });
    expect(await checker.check(asked())).toEqual({ allowed: false });
  });
});

describe('a policy decision point that fails', () => {
  it('is left alone after some failures in a row, and asked again after a while', async () => {
    const checker = checkerOf(server);
    server.answer = 'server-error';
    for (const question of questions(20)) await expect(checker.check(question)).rejects.toThrow();
    expect(server.calls.items).toHaveLength(5);
    server.answer = 'decision';
    const until = performance.now() + 10_000;
    let decision: unknown = null;
    while (decision === null && performance.now() < until) {
      decision = await checker.check(asked()).catch(() => null);
      await new Promise(setImmediate);
    }
    expect(decision).toEqual({ allowed: true });
    await checker.check(ofSubject('bob'));
    expect(server.calls.items).toHaveLength(7);
  });

  it.each(['reset', 'unauthorized', 'too-many-requests', 'html', 'empty-object'] as const)(
    'is left alone whatever the failure: %s',
    async (fault) => {
      const checker = checkerOf(server);
      server.answer = fault;
      for (const question of questions(8)) await expect(checker.check(question)).rejects.toThrow();
      expect(server.calls.items).toHaveLength(5);
    },
  );

  it('still gives decisions that are remembered', async () => {
    const checker = checkerOf(server);
    await checker.check(asked());
    server.answer = 'reset';
    for (const question of questions(10)) await expect(checker.check(question)).rejects.toThrow();
    expect(await checker.check(asked())).toEqual({ allowed: true });
  });

  it.each(['bad-request', 'not-found'] as const)(
    'for one principal is asked for the others all the same: %s',
    async (fault) => {
      const checker = checkerOf(server);
      server.answer = fault;
      for (const question of questions(20)) await expect(checker.check(question)).rejects.toThrow();
      expect(server.calls.items).toHaveLength(20);
      server.answer = 'decision';
      expect(await checker.check(asked())).toEqual({ allowed: true });
    },
  );

  it('for one subject, however often, is asked for the others all the same', async () => {
    const checker = checkerOf(server, { cacheMs: 0 });
    const ofMallory = () => ofSubject('mallory');
    for (let round = 0; round < 20; round++) {
      server.answer = 'server-error';
      await expect(checker.check(ofMallory())).rejects.toThrow();
    }
    // For her it is left alone.
    expect(server.calls.items).toHaveLength(5);
    server.answer = 'decision';
    await expect(checker.check(ofMallory())).rejects.toThrow();
    for (const question of questions(8)) {
      expect(await checker.check(question)).toEqual({ allowed: true });
    }
    expect(server.calls.items).toHaveLength(13);
  });

  it('for a few subjects is asked for the others all the same', async () => {
    const checker = checkerOf(server, { cacheMs: 0 });
    for (let round = 0; round < 20; round++) {
      server.answer = 'server-error';
      for (const question of questions(4)) await expect(checker.check(question)).rejects.toThrow();
    }
    server.answer = 'decision';
    expect(await checker.check(asked())).toEqual({ allowed: true });
    // What has answered is not failing: only failures in a row count.
    server.answer = 'server-error';
    await expect(checker.check(ofSubject('bob'))).rejects.toThrow();
    server.answer = 'decision';
    expect(await checker.check(asked())).toEqual({ allowed: true });
  });

  it.each<[string, number, (n: number) => PermissionQuestion]>([
    ['one subject', 10, (n) => asked({ topics: [`topic-${n}`] })],
    ['many subjects', 50, (n) => ofSubject(`user-${n}`)],
  ])('by waiting does not keep questions of %s for ever', async (_, atOnce, questionOf) => {
    const deadlineMs = 2_000;
    server.answer = 'held';
    const checker = checkerOf(server, { deadlineMs });
    const check = (n: number) =>
      checker.check(questionOf(n)).then(
        () => 'decided',
        () => 'refused',
      );
    const startedAt = performance.now();
    const outcomes = Array.from({ length: 3 * atOnce }, (_, n) => check(n));
    await server.calls.atLeast(atOnce);
    while (performance.now() - startedAt < deadlineMs / 2) await new Promise(setImmediate);
    server.release();
    await server.calls.atLeast(2 * atOnce);
    // The last of them have waited as long as they may when those before them are still being asked.
    expect(new Set(await Promise.all(outcomes.slice(2 * atOnce)))).toEqual(new Set(['refused']));
    server.release();
    const first = await Promise.all(outcomes.slice(0, 2 * atOnce));
    expect(new Set(first)).toEqual(new Set(['decided']));
    server.answer = 'decision';
    expect(await check(3 * atOnce - 1)).toBe('decided');
    // None was asked after it had been given up.
    expect(server.calls.items).toHaveLength(2 * atOnce + 1);
  });

  it('for the many questions of one subject is asked for the others all the same', async () => {
    server.answer = 'held';
    const checker = checkerOf(server, PATIENT);
    const waiting = Array.from({ length: 300 }, (_, n) =>
      checker.check(asked({ topics: [`topic-${n}`] })).then(
        () => 'decided',
        () => 'refused',
      ),
    );
    await server.calls.atLeast(10);
    await waiting[299];
    expect(server.calls.items).toHaveLength(10);
    server.answer = 'decision';
    expect(await checker.check(ofSubject('bob'))).toEqual({ allowed: true });
    server.release();
    const outcomes = await Promise.all(waiting);
    expect(outcomes.filter((outcome) => outcome === 'refused')).toHaveLength(190);
  });

  it('is not asked more at once than it can bear', async () => {
    server.answer = 'held';
    const checker = checkerOf(server, PATIENT);
    const waiting = questions(1_060).map((question) => checker.check(question));
    const refused = Promise.allSettled(waiting.slice(-10));
    for (const decision of waiting) decision.catch(() => {});
    await server.calls.atLeast(50);
    // That there is no room for the last shows that all before them have found theirs.
    expect((await refused).map(({ status }) => status)).toEqual(Array(10).fill('rejected'));
    expect(server.calls.items).toHaveLength(50);
  });
});

describe('what is told of the asking', () => {
  it('is which questions were called for, and which needed no call of their own', async () => {
    const checker = checkerOf(server);
    expect(checker.calls).toEqual({
      ok: 0,
      failed: 0,
      cacheHits: 0,
      waiting: 0,
      isBreakerOpen: false,
    });
    await checker.check(asked());
    await checker.check(asked());
    expect(checker.calls).toMatchObject({ ok: 1, cacheHits: 1 });
    server.answer = 'held';
    const together = [checker.check(ofSubject('bob')), checker.check(ofSubject('bob'))];
    await server.calls.atLeast(2);
    server.release();
    await Promise.all(together);
    expect(checker.calls).toMatchObject({ ok: 2, failed: 0, cacheHits: 2 });
  });

  it('is how many wait for their turn, until they have it or are given up', async () => {
    const checker = checkerOf(server, PATIENT);
    server.answer = 'held';
    const all = questions(60).map((question) => checker.check(question));
    await server.calls.atLeast(50);
    expect(checker.calls).toMatchObject({ ok: 0, waiting: 10 });
    server.answer = 'decision';
    server.release();
    await Promise.all(all);
    expect(checker.calls).toMatchObject({ ok: 60, waiting: 0 });
    // Those that are not answered in time, and those whose turn has not come by then.
    server.answer = 'held';
    const hasty = checkerOf(server, { deadlineMs: 200 });
    await Promise.all(questions(60).map((question) => hasty.check(question).catch(() => {})));
    expect(hasty.calls).toMatchObject({ ok: 0, waiting: 0 });
  });

  it('is whether nobody is asked for a while', async () => {
    const checker = checkerOf(server);
    server.answer = 'nothing';
    for (const question of questions(6)) await checker.check(question).catch(() => {});
    expect(checker.calls).toMatchObject({ failed: 5, isBreakerOpen: true });
  });
});
