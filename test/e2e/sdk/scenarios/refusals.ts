import { equal, holds } from '../checks.js';
import type { TokenWish } from '../control.js';
import type { Scenario } from '../scenario.js';

/** As many streams as one subject may have open at the service of the tests. */
export const STREAMS_PER_SUBJECT = 4;

/** What the service refuses for good, by the token that it is shown. */
const REFUSED_TOKENS: readonly (readonly [code: string, status: number, wish: TokenWish])[] = [
  ['INVALID_TOKEN', 401, { isForged: true }],
  ['TOKEN_EXPIRED', 401, { lifeSeconds: -60 }],
  ['WORKSPACE_MISMATCH', 403, { workspace: 'elsewhere' }],
  ['FORBIDDEN', 403, { permissions: [] }],
];

/** What may be over soon, by the fault that plays it. */
const PASSING_FAULTS: readonly (readonly [code: string, status: number])[] = [
  ['UNAVAILABLE', 503],
  ['AUTH_ERROR', 503],
];

export const REFUSALS: readonly Scenario[] = [
  ...REFUSED_TOKENS.map(
    ([code, status, wish]): Scenario => ({
      name: `tells ${code}, and waits for another token`,
      async play({ client, subscribe, control }) {
        const refused = client({ token: await control.token(wish) });
        const diary = subscribe(refused);
        await diary.until('it fails', ({ states }) => states.includes('failed'));
        const [error] = diary.errors;
        equal(diary.codes, [code], 'the errors');
        equal([error?.status, error?.willRetry], [status, false], 'status and willRetry');
        holds(typeof error?.requestId === 'string', 'the request has a name');
        refused.setToken(await control.token());
        await diary.until('it is let in', ({ connected }) => connected.length === 1);
        equal(diary.codes, [code], 'the errors in the end');
      },
    }),
  ),
  ...PASSING_FAULTS.map(
    ([code, status]): Scenario => ({
      name: `tells ${code}, and tries again`,
      async play({ client, subscribe, control, faultEndpoint }) {
        const token = await control.token();
        const diary = subscribe(client({ token, endpoint: `${faultEndpoint}/${code}` }));
        await diary.until('it was told twice', ({ errors }) => errors.length >= 2);
        for (const error of diary.errors) {
          equal(
            [error.code, error.status, error.willRetry],
            [code, status, true],
            'code, status and willRetry',
          );
        }
      },
    }),
  ),
  {
    name: 'tells NETWORK_ERROR where nobody listens, and tries again',
    async play({ client, subscribe, control, closedEndpoint }) {
      const token = await control.token();
      const diary = subscribe(client({ token, endpoint: closedEndpoint }));
      await diary.until('it was told twice', ({ errors }) => errors.length >= 2);
      holds(
        diary.errors.every(({ code, willRetry }) => code === 'NETWORK_ERROR' && willRetry),
        'nothing but NETWORK_ERROR, with willRetry',
      );
      holds(diary.states.includes('reconnecting'), 'it is reconnecting');
    },
  },
  {
    name: 'tells RATE_LIMIT_EXCEEDED with the time after which to come back',
    async play({ client, subscribe, control }) {
      const token = await control.token();
      for (let count = 0; count < STREAMS_PER_SUBJECT; count++) {
        await subscribe(client({ token })).subscription.ready;
      }
      const diary = subscribe(client({ token }));
      await diary.until('it was refused', ({ errors }) => errors.length >= 1);
      const [error] = diary.errors;
      equal(
        [error?.code, error?.status, error?.willRetry],
        ['RATE_LIMIT_EXCEEDED', 429, true],
        'code, status and willRetry',
      );
      holds((error?.retryAfterMs ?? 0) > 0, 'it says when to come back');
    },
  },
  {
    name: 'tells PROTOCOL_ERROR of what is no service, and fails',
    async play({ client, subscribe, control, faultEndpoint }) {
      const token = await control.token();
      const diary = subscribe(client({ token, endpoint: `${faultEndpoint}/wrong-type` }));
      await diary.until('it fails', ({ states }) => states.includes('failed'));
      equal(diary.codes, ['PROTOCOL_ERROR'], 'the errors');
    },
  },
];
