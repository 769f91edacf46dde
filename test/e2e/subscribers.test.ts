import { describe, expect, it } from '@jest/globals';
import { numbered, numberOf, startPlayground } from '../support/playground.js';
import {
  type Address,
  openEventSourcePage,
  subscribeWithCurl,
  subscribeWithEventSourcePackage,
  subscribeWithSdk,
  type TestSubscriber,
} from '../support/subscribers.js';
import { describeWith } from '../support/tools.js';

// Each of them receives, loses its connection again and again, and has every event exactly once, in order.

const RECEIVE_DEADLINE_MS = 20_000;
const TEST_DEADLINE_MS = 60_000;

describe('the SDK', () => {
  it('resumes complete', () => resumesComplete(subscribeWithSdk), TEST_DEADLINE_MS);
});

describe('the eventsource package', () => {
  it('resumes complete', () => resumesComplete(subscribeWithEventSourcePackage), TEST_DEADLINE_MS);
});

describeWith('curl', 'curl', (path) => {
  it(
    'resumes complete',
    () => resumesComplete((address) => subscribeWithCurl(path, address)),
    TEST_DEADLINE_MS,
  );
});

describeWith('chromium', 'the EventSource of Chromium', (path) => {
  it(
    'resumes complete, from a page of another origin',
    async () => {
      await using page = await openEventSourcePage(path);
      await resumesComplete((address) => page.subscribe(address), {
        ALLOWED_ORIGINS: page.origin,
      });
    },
    TEST_DEADLINE_MS,
  );
});

async function resumesComplete(
  subscribe: (address: Address) => Promise<TestSubscriber>,
  env: Record<string, string> = {},
): Promise<void> {
  await using playground = await startPlayground({ env });
  const { proxy, token } = playground;
  await using subscriber = await subscribe({ url: proxy.url, token });
  expect(await subscriber.connections.next()).toMatchObject({
    workspace: 'acme',
    subject: 'alice',
    resumed: 'fresh',
  });

  await playground.publish(numbered(1, 10));
  await subscriber.events.atLeast(10, RECEIVE_DEADLINE_MS);

  // Events of the time in which it cannot come back.
  proxy.refuse();
  proxy.cutAll('rst');
  await playground.publish(numbered(11, 60));
  proxy.accept();
  await comesBack(subscriber, 60);

  // The connection ends politely, which is no reason to stay away.
  proxy.cutAll('fin');
  await playground.publish(numbered(61, 70));
  await comesBack(subscriber, 70);

  // Torn in the middle of what is sent, several times over.
  const before = proxy.connections.items.length;
  proxy.cutAt = (connection) =>
    connection <= before + 4 ? { bytes: 1_500 + 700 * (connection - before), how: 'rst' } : null;
  proxy.cutAll('rst');
  await playground.publish(numbered(71, 200));
  await comesBack(subscriber, 200);

  expect(subscriber.events.items.map(numberOf)).toEqual(
    Array.from({ length: 200 }, (_, index) => index + 1),
  );
  expect(subscriber.faults).toEqual([]);
}

async function comesBack(subscriber: TestSubscriber, count: number): Promise<void> {
  await subscriber.events.atLeast(count, RECEIVE_DEADLINE_MS);
  expect(await subscriber.connections.next()).toMatchObject({ resumed: 'complete' });
}
