import type { TokenRequest } from '@sluice/sdk';
import { countsTo, equal, holds, thrownBy } from '../checks.js';
import type { Scenario } from '../scenario.js';

/** Short enough to wait for its end; a fifth of it, in which it is renewed, is time enough on a busy machine. */
const SHORT_LIFE_SECONDS = 8;

export const TOKENS: readonly Scenario[] = [
  {
    name: 'renews the stream by setToken in the middle of a flow, and nobody notices',
    async play({ client, subscribe, control }) {
      const renewed = client({ token: await control.token() });
      const diary = subscribe(renewed);
      await diary.subscription.ready;
      await control.startFlow();
      for (let opened = 2; opened <= 4; opened++) {
        const seen = diary.events.length;
        await diary.until('it flows', ({ events }) => events.length >= seen + 10);
        renewed.setToken(await control.token());
        await control.streams({ opened, open: 1 });
      }
      const last = await control.stopFlow();
      await diary.until('all came', ({ events }) => events.length >= last);
      countsTo(last, diary.numbers);
      equal(diary.states, ['authorizing', 'connecting', 'connected'], 'the states');
      equal([diary.connected.length, diary.disconnected.length], [1, 0], 'what was told');
      equal((await control.streamReport()).most, 2, 'the most streams at a time');
    },
  },
  {
    name: 'renews a token ahead of its end, with the stream alive',
    async play({ client, subscribe, control }) {
      const asked: TokenRequest['reason'][] = [];
      const getToken = ({ reason }: TokenRequest) => {
        asked.push(reason);
        return control.token();
      };
      const renewed = client({ getToken });
      const diary = subscribe(renewed);
      await diary.subscription.ready;
      await control.startFlow();
      // Tokens that come from `getToken` itself are renewed no sooner than after five seconds; this one may be.
      renewed.setToken(await control.token({ lifeSeconds: SHORT_LIFE_SECONDS }));
      await control.streams({ opened: 3, open: 1 });
      const seen = diary.events.length;
      await diary.until('it flows on', ({ events }) => events.length >= seen + 10);
      const last = await control.stopFlow();
      await diary.until('all came', ({ events }) => events.length >= last);
      countsTo(last, diary.numbers);
      equal(asked, ['initial', 'expiring'], 'why a token was asked for');
      equal(diary.states, ['authorizing', 'connecting', 'connected'], 'the states');
      equal([diary.codes, diary.disconnected], [[], []], 'what was told');
      equal((await control.streamReport()).most, 2, 'the most streams at a time');
    },
  },
  {
    name: 'gets another token for one that has ended before it was used',
    async play({ client, subscribe, control }) {
      const asked: TokenRequest['reason'][] = [];
      const getToken = ({ reason }: TokenRequest) => {
        asked.push(reason);
        return control.token(asked.length === 1 ? { lifeSeconds: -60 } : {});
      };
      const diary = subscribe(client({ getToken }));
      await diary.subscription.ready;
      equal(asked, ['initial', 'expired'], 'why a token was asked for');
      equal(diary.codes, ['TOKEN_EXPIRED'], 'the errors');
      holds(diary.errors[0]?.willRetry === true, 'it goes on by itself');
    },
  },
  {
    name: 'asks only once more for a token that is refused, and then fails',
    async play({ client, subscribe, control }) {
      let asked = 0;
      const getToken = () => {
        asked++;
        return control.token({ isForged: true });
      };
      const diary = subscribe(client({ getToken }));
      await diary.until('it fails', ({ states }) => states.includes('failed'));
      equal(asked, 2, 'how often it asked');
      equal(diary.errors.at(-1)?.code, 'INVALID_TOKEN', 'the last error');
      equal(diary.errors.at(-1)?.willRetry, false, 'whether it goes on');
    },
  },
  {
    name: 'goes on by the classic recipe, from TOKEN_EXPIRED to setToken',
    async play({ client, subscribe, control }) {
      let fetched = 0;
      const fetchServiceAccountToken = () => {
        fetched++;
        return control.token();
      };
      const classic = client({ token: await control.token({ lifeSeconds: SHORT_LIFE_SECONDS }) });
      const diary = subscribe(classic, {
        onError: async (error) => {
          if (error.code !== 'TOKEN_EXPIRED') return;
          classic.setToken(await fetchServiceAccountToken());
        },
      });
      await diary.subscription.ready;
      await control.startFlow();
      await diary.until('it came back', ({ connected }) => connected.length === 2);
      const last = await control.stopFlow();
      await diary.until('all came', ({ events }) => events.length >= last);
      countsTo(last, diary.numbers);
      equal(diary.codes, ['TOKEN_EXPIRED'], 'the errors');
      equal(diary.errors[0]?.willRetry, false, 'whether it would have gone on by itself');
      equal(fetched, 1, 'how many tokens were fetched');
      await control.streams({ opened: 2, open: 1 });
    },
  },
  {
    name: 'gets its tokens with a service account',
    place: 'node',
    async play({ client, subscribe, control }) {
      const serviceAccount = await control.serviceAccount();
      const diary = subscribe(client({ ...serviceAccount }));
      await diary.subscription.ready;
      await control.publish(1, 3);
      await diary.until('the events came', ({ events }) => events.length === 3);
      equal(diary.connected[0]?.subject, serviceAccount.clientId, 'the subject');
      equal(diary.errors, [], 'the errors');
    },
  },
  {
    name: 'refuses the secret of a service account in a page',
    place: 'page',
    async play({ client }) {
      const clientSecret = 'what a page cannot keep';
      const error = await thrownBy(() => client({ clientId: 'billing', clientSecret }));
      holds(error instanceof TypeError, 'it is a TypeError');
      const { message } = error as TypeError;
      holds(message.includes('clientSecret'), 'it names the option');
      holds(!message.includes(clientSecret), 'it does not tell the secret');
    },
  },
];
