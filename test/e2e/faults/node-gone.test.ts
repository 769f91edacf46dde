import { expect, it } from '@jest/globals';
import { parseCursor } from '@sluice/protocol';
import { RealtimeClient } from '@sluice/sdk';
import { startLoadBalancer } from '../../support/load-balancer.js';
import { openStream, publishUntilTaken, startNodes } from '../../support/nodes.js';
import { numbered, numberOf, WORKSPACE } from '../../support/playground.js';
import { numbersOf, untilSeen } from '../../support/stream-records.js';
import { SubscriptionRecorder } from '../../support/subscription-recorder.js';
import { describeWith } from '../../support/tools.js';

const HEARTBEAT_MS = 200;
const CLIENTS = 12;
const PUBLISHERS = 4;
/** Of each publisher. */
const EVENTS = 150;
/** Published by each before the fault, and until it is over. */
const FAULT_AT = 50;
const TEST_DEADLINE_MS = 60_000;

describeWith('redis-server', 'a node that goes while events are published', () => {
  it.each([
    { how: 'by kill -9', signal: 'SIGKILL' },
    { how: 'as it stands still', signal: 'SIGSTOP' },
  ] as const)(
    '$how leaves its clients to the other one, complete and in order',
    async ({ signal }) => {
      await using nodes = await startNodes({ env: { HEARTBEAT_MS: String(HEARTBEAT_MS) } });
      const { first, second, issuer } = nodes;
      let targets = [first.service.port, second.service.port];
      await using balancer = await startLoadBalancer(() => targets);
      const token = issuer.mint();
      using witness = await openStream(second.service, token);
      await witness.next('stream.connected');
      const clients = Array.from({ length: CLIENTS }, () => {
        const recorder = new SubscriptionRecorder();
        const client = new RealtimeClient({
          endpoint: balancer.url,
          workspace: WORKSPACE,
          token,
          backoff: { baseMs: 50, ceilMs: 500 },
          heartbeatTimeoutMs: 4 * HEARTBEAT_MS,
        });
        return { recorder, client, subscription: client.subscribe(recorder) };
      });
      try {
        await Promise.all(clients.map(({ subscription }) => subscription.ready));
        const { pid } = first.service;
        let counted = 0;
        const fault = () => {
          // What stands still takes no part any more, as a balancer's probe would find out.
          targets = [second.service.port];
          process.kill(pid, signal);
        };
        const publishers = Array.from({ length: PUBLISHERS }, async (_, publisher) => {
          const taken: { n: number; cursor: string }[] = [];
          for (let index = 0; index < EVENTS; index++) {
            const n = publisher * EVENTS + index;
            const { cursors } = await publishUntilTaken(() => balancer.url, token, numbered(n, n), {
              deadlineMs: 1_000,
            });
            taken.push({ n, cursor: cursors[0] ?? '' });
            if (++counted === PUBLISHERS * FAULT_AT) fault();
          }
          return taken;
        });
        const taken = (await Promise.all(publishers)).flat().sort(byOffset);
        const order = taken.map(({ n }) => n);
        expect(new Set(order).size).toBe(PUBLISHERS * EVENTS);

        await untilSeen(witness, taken.at(-1)?.cursor);
        expect(numbersOf(witness)).toEqual(order);
        for (const { recorder } of clients) {
          await recorder.until(({ cursors }) => cursors.includes(taken.at(-1)?.cursor ?? ''));
          expect(recorder.events.map(numberOf)).toEqual(order);
          expect(recorder.gaps).toEqual([]);
        }
        expect(clients.some(({ recorder }) => recorder.connected.length > 1)).toBe(true);
        if (signal === 'SIGSTOP') process.kill(pid, 'SIGCONT');
      } finally {
        for (const { client } of clients) client.close();
      }
    },
    TEST_DEADLINE_MS,
  );
});

function byOffset(one: { cursor: string }, other: { cursor: string }): number {
  return (parseCursor(one.cursor)?.offset ?? 0) - (parseCursor(other.cursor)?.offset ?? 0);
}
