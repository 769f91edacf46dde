import { describe, expect, it } from '@jest/globals';
import {
  CONTRACT_RULES,
  describePermissionChecker,
} from '../../../test/contracts/permission-checker.contract.js';
import { QUESTION } from '../../../test/support/gate.js';
import { type DecidePermission, functionPermissionChecker } from './function-permission-checker.js';

describePermissionChecker("an application's own function", {
  knowsWorkspaces: true,
  canChangeItsMind: true,
  open: async () => ({
    checker: functionPermissionChecker(({ principal, workspace, permission }) => {
      const topics = CONTRACT_RULES.filter(
        (rule) =>
          rule.subject === principal.subject &&
          rule.workspace === workspace &&
          rule.permission === permission,
      ).map(({ topic }) => topic);
      if (topics.length === 0 || topics.includes('*')) return topics.length > 0;
      return { allowed: true, topics };
    }),
  }),
});

describe('what a function gives', () => {
  const given = (decide: DecidePermission) =>
    functionPermissionChecker(decide).check(QUESTION, new AbortController().signal);

  it.each([
    [true, { allowed: true }],
    [false, { allowed: false }],
    [Promise.resolve(true), { allowed: true }],
    [
      { allowed: true, topics: ['a'] },
      { allowed: true, topics: ['a'] },
    ],
  ])('is a decision: %j', async (answer, decision) => {
    expect(await given(() => answer)).toEqual(decision);
  });

  it.each([['false'], [1], [0], [''], [{}], [undefined], [null]])(
    'is passed on to be refused where it is none: %j',
    async (answer) => {
      expect(await given(() => answer as boolean)).toBe(answer);
    },
  );

  it('comes from the question and the signal', async () => {
    const seen: unknown[] = [];
    const { signal } = new AbortController();
    await functionPermissionChecker((...given) => seen.push(given) > 0).check(QUESTION, signal);
    expect(seen).toEqual([[QUESTION, signal]]);
  });
});
