import { expect, it } from '@jest/globals';
import { RealtimeClient } from '@sluice/sdk';
import { freePort } from '../support/free-port.js';
import { startLoadBalancer } from '../support/load-balancer.js';
import { publishUntilTaken, startNodes } from '../support/nodes.js';
import { numbered, numberOf, WORKSPACE } from '../support/playground.js';
import { askRedis } from '../support/redis-process.js';
import { RedisServer } from '../support/redis-server.js';
import { Service } from '../support/service.js';
import { describeWith } from '../support/tools.js';
import { until } from '../support/until.js';
import { blockOf, Operator } from './operator.js';

const TEST_DEADLINE_MS = 90_000;

describeWith('redis-server', 'docs/operations.md, for nodes that share a Redis', () => {
  it(
    'upgrades one node after the other, and no client notices',
    async () => {
      await using shared = await startNodes({ count: 0 });
      const { redis, issuer, jwks } = shared;
      const start = async () => {
        const opsPort = await freePort();
        const env = {
          ...issuer.settings(jwks.url),
          REDIS_URL: redis.url,
          REDIS_DURABLE: 'true',
          REDIS_DEADLINE_MS: '10000',
          DRAIN_MS: '500',
          OPS_PORT: String(opsPort),
          AUDIT_LOG: 'off',
        };
        return { opsPort, service: await Service.start({ env }) };
      };
      const [one, two] = await Promise.all([start(), start()]);
      await using _first = one.service;
      await using _second = two.service;
      const restarted: string[] = [];
      await using operator = await Operator.open({
        env: {},
        ports: { 'node-1:9464': one.opsPort, 'node-2:9464': two.opsPort },
        machines: {
          ssh: async (node) => {
            restarted.push(node);
            const { service } = node === 'node-1' ? one : two;
            await service.stop('SIGTERM');
            await service.start();
          },
        },
      });
      await using balancer = await startLoadBalancer(() => [one.service.port, two.service.port]);
      const token = issuer.mint();
      const clients = Array.from({ length: 4 }, () => watch(balancer.url, token));
      try {
        await Promise.all(clients.map(({ ready }) => ready));
        let isOver = false;
        const publishing = (async () => {
          let n = 0;
          while (!isOver) {
            n++;
            await publishUntilTaken(() => balancer.url, token, numbered(n, n));
          }
          return n;
        })();
        await operator.run(blockOf('rolling'));
        isOver = true;
        const published = await publishing;
        expect(restarted).toEqual(['node-1', 'node-2']);
        for (const { seen } of clients) {
          await until('all has come', () => seen.length >= published);
          expect(seen).toEqual(Array.from({ length: published }, (_, index) => index + 1));
        }
      } finally {
        for (const { client } of clients) client.close();
      }
    },
    TEST_DEADLINE_MS,
  );

  it('gives a user of Redis another password, and never none', async () => {
    await using redis = await RedisServer.start({ users: ['app on >old ~sluice:* +@all'] });
    await using operator = await Operator.open({
      env: { ADMIN_REDIS_URL: redis.url, OLD: 'old', NEW: 'new' },
    });
    const commands = blockOf('redis')
      .split('\n')
      .filter((line) => line.startsWith('redis-cli'));
    const [add = '', remove = '', ...others] = commands;
    expect(others).toEqual([]);
    const ping = (password: string) =>
      askRedis({ port: redis.port, username: 'app', password }, ['PING']).catch(() => 'refused');
    await operator.run(add);
    expect([await ping('old'), await ping('new')]).toEqual(['PONG', 'PONG']);
    await operator.run(remove);
    expect([await ping('old'), await ping('new')]).toEqual(['refused', 'PONG']);
  });
});

/** A client of the SDK, and the numbers of the events that it got. */
function watch(url: string, token: string) {
  const seen: (number | string)[] = [];
  const client = new RealtimeClient({ endpoint: url, workspace: WORKSPACE, token });
  const { ready } = client.subscribe({
    onEvent: (event) => seen.push(numberOf(event)),
    onGap: ({ reason }) => seen.push(`a gap: ${reason}`),
  });
  return { client, ready, seen };
}
