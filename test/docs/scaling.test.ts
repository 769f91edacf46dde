import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { openStream, startNodes, tryToPublish } from '../support/nodes.js';
import { describeWith } from '../support/tools.js';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/scaling.md'), 'utf8');
const SHELL = /```sh\n([\s\S]*?)```/.exec(PAGE)?.[1] ?? '';

/** What the page says of how Redis and the nodes are started, but for ports and folders, which are free ones here. */
function startedBy(program: string): string[] {
  return SHELL.split('\n').filter((line) => line.includes(program));
}

function settingsOf(line: string): Record<string, string> {
  const pairs = [...line.matchAll(/\b([A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name, value]);
  const {
    REDIS_URL: _url,
    PORT: _port,
    OPS_PORT: _opsPort,
    ...settings
  } = Object.fromEntries(pairs) as Record<string, string>;
  return settings;
}

describeWith('redis-server', 'docs/scaling.md', () => {
  it('starts nodes that share a log: published at one, live at the next, resumed at the third', async () => {
    const lines = startedBy('node server/dist/main.js');
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line).toMatch(/REDIS_URL=redis:\/\/127\.0\.0\.1:6379 .*PORT=300\d OPS_PORT=901\d/);
    }
    const redisArgs = startedBy('redis-server')[0]
      ?.replace(/^redis-server | &$/g, '')
      .split(' ');
    await using nodes = await startNodes({
      count: lines.length,
      redisArgs: redisArgs ?? [],
      env: settingsOf(lines[0] as string),
    });
    const [first, second, third] = nodes.nodes.map(({ service }) => service);
    if (first === undefined || second === undefined || third === undefined) throw new Error('no');
    const token = nodes.issuer.mint();
    using live = await openStream(second, token);
    await live.next('stream.connected');
    const answer = await tryToPublish(first.url, token, [
      { topic: 'orders', type: 'created', data: 1 },
    ]);
    expect(answer.status).toBe(201);
    const event = await live.next('message');
    expect(event.id).toBe(answer.cursors[0]);

    const [epoch] = String(event.id).split('-');
    using resumed = await openStream(third, token, { lastEventId: `${epoch}-0` });
    expect(await resumed.next('message')).toMatchObject({ id: event.id });
    // As the page says that it lies there.
    expect(await nodes.redis.ask('XLEN', 'sluice:log:{acme}:events')).toBe(1);
  }, 40_000);
});
