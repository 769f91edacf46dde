import type { Decision, PermissionChecker, PermissionQuestion } from './permission-checker.js';

/**
 * Decides by a function of the application: `true`, `false`, or a decision. Anything else that it gives, a throw and
 * silence among it, is no decision, and lets nobody in.
 */
export type DecidePermission = (
  question: PermissionQuestion,
  signal: AbortSignal,
) => boolean | Decision | Promise<boolean | Decision>;

/** A function in the form of the port. */
export function functionPermissionChecker(decide: DecidePermission): PermissionChecker {
  return {
    name: 'function',
    check: async (question, signal) => {
      const answer = await decide(question, signal);
      return typeof answer === 'boolean' ? { allowed: answer } : answer;
    },
  };
}
