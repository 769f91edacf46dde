import { countsTo, equal, holds, thrownBy } from '../checks.js';
import type { Scenario } from '../scenario.js';

export const SUBSCRIPTIONS: readonly Scenario[] = [
  {
    name: 'shares one stream between its subscriptions, and gives each its own',
    async play({ client, subscribe, control }) {
      const shared = client({ token: await control.token() });
      const orders = subscribe(shared, { topics: ['orders'] });
      const users = subscribe(shared, { topics: ['users'] });
      await Promise.all([orders.subscription.ready, users.subscription.ready]);
      await control.streams({ opened: 1, open: 1 });
      await control.publish(1, 3, 'orders');
      await control.publish(1, 2, 'users');
      await orders.until('its events came', ({ events }) => events.length === 3);
      await users.until('its events came', ({ events }) => events.length === 2);
      const isOf = (topic: string) => (event: { readonly topic: string }) => event.topic === topic;
      holds(orders.events.every(isOf('orders')), 'orders alone');
      holds(users.events.every(isOf('users')), 'users alone');
    },
  },
  {
    name: 'widens the stream for a later subscription without loss',
    async play({ client, subscribe, control }) {
      const shared = client({ token: await control.token() });
      const orders = subscribe(shared, { topics: ['orders'] });
      await orders.subscription.ready;
      await control.startFlow();
      await orders.until('it flows', ({ events }) => events.length >= 10);
      const users = subscribe(shared, { topics: ['users'] });
      await users.subscription.ready;
      await control.streams({ opened: 2, open: 1 });
      await control.publish(1, 1, 'users');
      await users.until('its event came', ({ events }) => events.length === 1);
      const last = await control.stopFlow();
      await orders.until('all came', ({ events }) => events.length >= last);
      countsTo(last, orders.numbers);
      equal(orders.disconnected, [], 'the disconnections of the first');
    },
  },
  {
    name: 'gives its events to whoever iterates over it, and unsubscribes when they leave',
    async play({ client, control }) {
      const iterated = client({ token: await control.token() });
      const subscription = iterated.subscribe({ topics: ['orders'] });
      await subscription.ready;
      await control.publish(1, 8);
      const numbers: number[] = [];
      for await (const { event } of subscription) {
        numbers.push((event.data as { readonly n: number }).n);
        if (numbers.length === 5) break;
      }
      countsTo(5, numbers);
      equal(iterated.state, 'idle', 'the state');
      await control.streams({ opened: 1, open: 0 });
    },
  },
  {
    name: 'is silent after it was unsubscribed',
    async play({ client, subscribe, control }) {
      const shared = client({ token: await control.token() });
      const staying = subscribe(shared, { topics: ['orders'] });
      const leaving = subscribe(shared, {
        topics: ['orders'],
        onEvent: () => leaving.subscription.unsubscribe(),
      });
      await Promise.all([staying.subscription.ready, leaving.subscription.ready]);
      await control.publish(1, 5);
      await staying.until('all came', ({ events }) => events.length === 5);
      equal(leaving.numbers, [1], 'what came to the one that left');
      equal(leaving.disconnected, [], 'what it was told of its end');
      staying.subscription.unsubscribe();
      equal(shared.state, 'idle', 'the state');
      await control.streams({ opened: 1, open: 0 });
    },
  },
  {
    name: 'leaves no stream at the service when it is closed',
    async play({ client, subscribe, control }) {
      const token = await control.token();
      const connected = client({ token });
      await subscribe(connected).subscription.ready;
      const connecting = client({ token });
      const early = subscribe(connecting);
      await early.until('it connects', ({ states }) => states.includes('connecting'));
      await control.streams({ opened: 2, open: 2 });
      for (const closed of [connected, connecting]) {
        closed.close();
        equal(closed.state, 'closed', 'the state');
        const error = await thrownBy(() => closed.subscribe());
        equal((error as { readonly code?: string }).code, 'CLOSED', 'what a late subscriber gets');
      }
      await control.streams({ opened: 2, open: 0 });
    },
  },
];
