import { countsTo, equal, holds } from '../checks.js';
import type { Scenario } from '../scenario.js';

/** A cursor by its form, of a log that never was. */
const CURSOR_OF_ANOTHER_LOG = '00000000-7';

export const DELIVERY: readonly Scenario[] = [
  {
    name: 'connects and receives',
    async play({ client, subscribe, control, transport, workspace }) {
      const diary = subscribe(client({ token: await control.token() }));
      await diary.subscription.ready;
      await control.publish(1, 5);
      await diary.until('5 events came', ({ events }) => events.length === 5);
      countsTo(5, diary.numbers);
      const [event] = diary.events;
      equal([event?.topic, event?.type], ['orders', 'order.created'], 'topic and type');
      const [connected] = diary.connected;
      equal([connected?.workspace, connected?.resumed], [workspace, 'fresh'], 'what was let in');
      equal(diary.states, ['authorizing', 'connecting', 'connected'], 'the states');
      const { tokenPlaces } = await control.streamReport();
      equal(tokenPlaces, [transport === 'fetch' ? 'header' : 'stream_token'], 'the token');
    },
  },
  {
    name: 'resumes without loss where its line was cut',
    async play({ client, subscribe, control }) {
      const diary = subscribe(client({ token: await control.token() }));
      await diary.subscription.ready;
      await control.publish(1, 10);
      await diary.until('10 events came', ({ events }) => events.length === 10);
      await control.refuse();
      await control.cut();
      await control.publish(11, 40);
      await control.accept();
      await diary.until('it has caught up', ({ events }) => events.length >= 40);
      await control.cut();
      await control.publish(41, 60);
      await diary.until('it has caught up again', ({ events }) => events.length >= 60);
      countsTo(60, diary.numbers);
      equal(diary.disconnected, [true, true], 'the disconnections');
      equal(
        diary.connected.map(({ resumed }) => resumed),
        ['fresh', 'complete', 'complete'],
        'how it was let in',
      );
      holds(
        diary.errors.every(({ code, willRetry }) => code === 'NETWORK_ERROR' && willRetry),
        'only the network was at fault',
      );
    },
  },
  {
    name: 'resumes without loss in the middle of a flow that is cut again and again',
    async play({ client, subscribe, control }) {
      const diary = subscribe(client({ token: await control.token() }));
      await diary.subscription.ready;
      await control.startFlow();
      for (let cut = 1; cut <= 4; cut++) {
        await diary.until('it flows', ({ events, connected }) => {
          return connected.length >= cut && events.length >= cut * 10;
        });
        await control.cut();
        await diary.until('the cut was seen', ({ disconnected }) => disconnected.length >= cut);
      }
      const last = await control.stopFlow();
      await diary.until('all came', ({ events }) => events.length >= last);
      countsTo(last, diary.numbers);
    },
  },
  {
    name: 'comes back to a service that was restarted',
    isSolo: true,
    async play({ client, subscribe, control }) {
      const diary = subscribe(client({ token: await control.token() }));
      await diary.subscription.ready;
      await control.publish(1, 5);
      await diary.until('5 events came', ({ events }) => events.length === 5);
      await control.restartService();
      await control.publish(6, 10);
      await diary.until('it has caught up', ({ events }) => events.length >= 10);
      countsTo(10, diary.numbers);
      equal(diary.gaps, [], 'the gaps');
    },
  },
  {
    name: 'moves away from a node that goes down, unseen',
    async play({ client, subscribe, control, faultEndpoint }) {
      const token = await control.token();
      const diary = subscribe(client({ token, endpoint: `${faultEndpoint}/draining` }));
      await diary.until('the next node is reached', ({ events }) => events.length >= 3);
      countsTo(3, diary.numbers);
      equal(diary.states, ['authorizing', 'connecting', 'connected'], 'the states');
      equal([diary.connected.length, diary.codes], [1, []], 'the connections, and the errors');
    },
  },
  {
    name: 'goes on behind a cursor that the application has kept',
    async play({ client, subscribe, control }) {
      const token = await control.token();
      const first = client({ token });
      const diary = subscribe(first);
      await diary.subscription.ready;
      await control.publish(1, 10);
      await diary.until('10 events came', ({ events }) => events.length === 10);
      first.close();
      const [lastEventId = ''] = diary.cursors.slice(3);
      const second = subscribe(client({ token }), { lastEventId });
      await second.until('the rest came', ({ events }) => events.length === 6);
      equal(second.numbers, [5, 6, 7, 8, 9, 10], 'what came behind the cursor');
      equal(second.connected[0]?.resumed, 'complete', 'how it was let in');
    },
  },
  {
    name: 'tells of a gap where the history is another one',
    async play({ client, subscribe, control }) {
      await control.publish(1, 3);
      const diary = subscribe(client({ token: await control.token() }), {
        lastEventId: CURSOR_OF_ANOTHER_LOG,
      });
      await diary.until('the gap was told', ({ gaps }) => gaps.length === 1);
      equal(diary.gaps[0]?.reason, 'unknown_epoch', 'the reason');
      await diary.until('what there is came', ({ events }) => events.length === 3);
      countsTo(3, diary.numbers);
    },
  },
];
