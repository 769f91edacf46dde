import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PERMISSIONS, type Permission } from '@sluice/protocol';
import type {
  Decision,
  PermissionChecker,
  PermissionQuestion,
} from '../../server/gate/permission/permission-checker.js';
import type { Principal } from '../../server/gate/principal.js';
import { ALICE, QUESTION } from '../support/gate.js';

/** Who may do what, for every adapter the same; in whatever way it is told. */
export const CONTRACT_RULES: readonly {
  readonly subject: string;
  readonly workspace: string;
  readonly topic: string;
  readonly permission: Permission;
}[] = [
  { subject: 'alice', workspace: 'acme', topic: '*', permission: 'realtime:subscribe' },
  { subject: 'alice', workspace: 'acme', topic: 'orders', permission: 'realtime:publish' },
  { subject: 'alice', workspace: 'acme', topic: 'document-*', permission: 'realtime:publish' },
  { subject: 'bob', workspace: 'acme', topic: '*', permission: 'realtime:admin' },
  { subject: 'dave', workspace: 'other', topic: '*', permission: 'realtime:subscribe' },
];

/** A checker at work. */
export interface OpenedChecker {
  readonly checker: PermissionChecker;
  /** The claims of a subject's token, where the rules stand there. */
  claimsOf?(subject: string): Principal['claims'];
  close?(): void | Promise<void>;
}

/** How the suite gets a checker, and what may be asked of it. */
export interface PermissionCheckerDriver {
  /** Whether it knows one workspace from another; where a token decides, the gate has compared them before. */
  readonly knowsWorkspaces: boolean;
  readonly canChangeItsMind: boolean;
  /** A checker that decides by CONTRACT_RULES. */
  open(): Promise<OpenedChecker>;
}

const ODD_SUBJECTS = [
  ['of every object', '__proto__'],
  ['of every object', 'constructor'],
  ['that stands for all', '*'],
  ['with a separator', 'alice, acme, *, subscribe'],
  ['with a line end', 'x\np, x, acme, *, publish'],
  ['with a quote', '"alice"'],
  ['in another case', 'Alice'],
  ['with white space', ' alice '],
  ['of a role', 'role:admin'],
] as const;

/** What every adapter of the `PermissionChecker` port must do. */
export function describePermissionChecker(name: string, driver: PermissionCheckerDriver): void {
  describe(`${name} as a permission checker`, () => {
    let opened: OpenedChecker;
    beforeEach(async () => {
      opened = await driver.open();
    });
    afterEach(() => opened.close?.());

    const ask = async (
      subject: string,
      permission: Permission,
      rest: Partial<PermissionQuestion> = {},
    ): Promise<Decision> =>
      opened.checker.check(
        {
          ...QUESTION,
          principal: { ...ALICE, subject, claims: opened.claimsOf?.(subject) ?? {} },
          permission,
          topics: null,
          ...rest,
        },
        new AbortController().signal,
      );

    it('allows what is granted on all topics, and narrows nothing', async () => {
      const decision = await ask('alice', 'realtime:subscribe');
      expect(decision.allowed).toBe(true);
      expect(decision.topics).toBeUndefined();
      expect((await ask('bob', 'realtime:admin')).allowed).toBe(true);
    });

    it('narrows what is granted on some topics to these', async () => {
      const { allowed, topics } = await ask('alice', 'realtime:publish');
      expect(allowed).toBe(true);
      expect([...(topics ?? [])].sort()).toEqual(['document-*', 'orders']);
    });

    it('does not allow what is not granted', async () => {
      expect((await ask('alice', 'realtime:admin')).allowed).toBe(false);
      expect((await ask('alice', 'realtime:presence')).allowed).toBe(false);
      expect((await ask('bob', 'realtime:subscribe')).allowed).toBe(false);
    });

    it('allows nothing to a subject that it does not know', async () => {
      for (const permission of PERMISSIONS) {
        expect((await ask('mallory', permission)).allowed).toBe(false);
      }
    });

    it.each(ODD_SUBJECTS)('allows nothing to a name %s: %j', async (_, subject) => {
      for (const permission of PERMISSIONS) {
        expect((await ask(subject, permission)).allowed).toBe(false);
      }
    });

    if (driver.knowsWorkspaces) {
      it('allows nothing in another workspace', async () => {
        for (const workspace of ['other', 'ACME', 'constructor', 'nowhere']) {
          expect((await ask('alice', 'realtime:subscribe', { workspace })).allowed).toBe(false);
        }
        expect((await ask('dave', 'realtime:subscribe')).allowed).toBe(false);
        expect((await ask('dave', 'realtime:subscribe', { workspace: 'other' })).allowed).toBe(
          true,
        );
      });
    }

    it('decides alike however often, however many at once, and also afresh', async () => {
      const asked = Array.from({ length: 50 }, (_, n) =>
        n % 2 === 0
          ? ask('alice', 'realtime:publish', { mustBeFresh: n % 4 === 0, topics: ['orders'] })
          : ask('mallory', 'realtime:publish', { mustBeFresh: n % 4 === 1, topics: ['orders'] }),
      );
      const decisions = await Promise.all(asked);
      expect(decisions.map(({ allowed }) => allowed)).toEqual(
        Array.from({ length: 50 }, (_, n) => n % 2 === 0),
      );
    });

    it('says whether it can change its mind', () => {
      expect(opened.checker.canChangeItsMind ?? true).toBe(driver.canChangeItsMind);
    });
  });
}
