import { expect, it } from '@jest/globals';
import {
  alerts,
  dashboard,
  filled,
  panelExpressions,
  recordings,
  selectionsIn,
} from '../ops/watched.js';
import { freePort } from '../support/free-port.js';
import { openStream, startNodes, tryToPublish } from '../support/nodes.js';
import { startPermissionServer } from '../support/permission-server.js';
import { numbered, startPlayground, WORKSPACE } from '../support/playground.js';
import { Prometheus } from '../support/prometheus.js';
import type { Service } from '../support/service.js';
import { describeWith } from '../support/tools.js';
import { until } from '../support/until.js';

/** A cursor of a log that there never was. */
const FOREIGN_CURSOR = '00000000-7';

/** Lets each kind of thing happen once: streams that open and end, events, refusals, a gap. */
async function use(service: Service, token: string): Promise<void> {
  using stream = await openStream(service, token, { query: '?topics=orders' });
  await stream.next('stream.connected');
  const { status } = await tryToPublish(service.url, token, numbered(1, 3));
  expect(status).toBe(201);
  await stream.next('message');
  using resumed = await openStream(service, token, { lastEventId: FOREIGN_CURSOR });
  await resumed.next('stream.gap');
  expect((await tryToPublish(service.url, `${token}A`, numbered(1, 1))).status).toBe(401);
}

describeWith('redis-server', 'nodes with Redis and without', () => {
  describeWith('prometheus', 'under Prometheus, with what ops/ has for it', (program) => {
    it('are scraped, tell all that rules and dashboard ask for, and make alerts fire', async () => {
      const [sharedPort, singlePort] = [await freePort(), await freePort()];
      const targets = [sharedPort, singlePort].map((port) => `127.0.0.1:${port}`);
      // It looks for its targets only every five seconds: the first time is over when they stand.
      await using prometheus = await Prometheus.start(program, targets);
      await using permissions = await startPermissionServer();
      const listed = { METRICS_WORKSPACES: WORKSPACE };
      await using nodes = await startNodes({
        count: 1,
        redisArgs: ['--maxmemory', '256mb', '--maxmemory-policy', 'noeviction'],
        env: { ...listed, ...permissions.settings, OPS_PORT: String(sharedPort) },
      });
      await using single = await startPlayground({
        env: { ...listed, OPS_PORT: String(singlePort) },
      });
      const shared = nodes.first.service;
      for (const { opsUrl } of [shared, single.service]) {
        await until('it is ready', async () => (await fetch(`${opsUrl}/readyz`)).ok);
      }

      await until('both are scraped', async () =>
        (await prometheus.query('sum(up)')).some(({ value }) => value[1] === '2'),
      );
      // What is counted while it looks makes rates.
      await use(shared, nodes.issuer.mint());
      await use(single.service, single.token);
      await until('every rule was evaluated, and all was recorded that rules record', async () => {
        const names = await prometheus.names();
        const isRecorded = recordings.every(({ record }) => names.has(record));
        return isRecorded && (await prometheus.rules()).every(isEvaluated);
      });
      expect(await prometheus.firing()).toEqual([]);
      await expectSeries(prometheus);
      await expectAnswers(prometheus);

      await nodes.redis.kill();
      const firing = await until('an alert fires', async () => {
        const found = await prometheus.firing();
        return found.includes('SluiceRedisUnavailable') ? found : null;
      });
      // What follows from it is not told beside it.
      expect(firing).not.toContain('SluiceLogUnavailable');
      expect(firing).not.toContain('SluiceDown');
      await single.service.kill();
      await until('a node that is gone is told of', async () =>
        (await prometheus.firing()).includes('SluiceNodeDown'),
      );
      expect((await prometheus.rules()).filter(({ health }) => health !== 'ok')).toEqual([]);
    }, 60_000);
  });
});

function isEvaluated({ health }: { readonly health: string }): boolean {
  return health === 'ok';
}

/** Whatever is named exists, with the labels that are looked at: what is misspelt would be silence forever. */
async function expectSeries(prometheus: Prometheus): Promise<void> {
  const used = [...alerts, ...recordings, ...panelExpressions()].flatMap(({ expr }) =>
    selectionsIn(expr).flatMap(({ series }) => series),
  );
  expect(used.length).toBeGreaterThan(100);
  for (const series of new Set(used)) {
    expect([series, (await prometheus.query(`count(${series})`)).length]).toEqual([series, 1]);
  }
}

/** Every expression is evaluated; those of the dashboard have something to show. */
async function expectAnswers(prometheus: Prometheus): Promise<void> {
  for (const { expr } of [...alerts, ...recordings]) await prometheus.query(expr);
  for (const { expr } of dashboard.annotations.list) await prometheus.query(filled(expr));
  for (const { title, expr } of panelExpressions()) {
    const found = (await prometheus.query(expr)).length;
    expect([title, expr, found]).not.toEqual([title, expr, 0]);
  }
}
