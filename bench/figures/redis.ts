import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bench, LOAD_CORE } from '../bench.js';
import { eventJson } from '../event.js';
import type { Figure, Reading, Subject } from '../figure.js';
import { freePort } from '../free-port.js';
import { Load } from '../load.js';
import type { RunningSluice } from '../peers/sluice.js';
import { PinnedProcess } from '../pinned-process.js';
import { requestsOf, streamsOf, warmUp } from '../stage.js';

const OUTSTANDING = 16;

/** How many events a second the streams of these nodes get, which share one core. */
async function deliveriesOf(
  bench: Bench,
  nodes: readonly RunningSluice[],
  count: number,
): Promise<Reading> {
  const [first] = nodes;
  if (first === undefined) throw new Error('no node');
  const { programs, folder } = bench.options;
  const ports = nodes.map(({ port }) => port);
  await using load = new Load(programs.load, folder, ports, LOAD_CORE);
  await warmUp(bench, first, load);
  await load.setStreams(await requestsOf(first, streamsOf('bench', count)));
  await load.open(count);
  await load.setPublishes([first.publishRequest({ workspace: 'bench' }, [eventJson()])]);
  // An event takes a tenth of a second to reach everybody: a shorter time would hold few rounds of it.
  const seconds = 3 * bench.seconds;
  await load.publishOutstanding(OUTSTANDING, { deliveries: count, seconds });
  const before = cpuSecondsOf(nodes);
  const result = await load.publishOutstanding(OUTSTANDING, { deliveries: count, seconds });
  const cpuSeconds = cpuSecondsOf(nodes) - before;
  return {
    'deliveries/s': result.deliveries / result.seconds,
    'deliveries per second of CPU': result.allDeliveries / cpuSeconds,
    'events a read': result.allDeliveries / result.reads,
    'µs of CPU a read': (cpuSeconds / result.reads) * 1e6,
  };
}

function cpuSecondsOf(nodes: readonly RunningSluice[]): number {
  return nodes.reduce((sum, node) => sum + node.cpuSeconds(), 0);
}

async function startRedis(bench: Bench): Promise<{ redis: PinnedProcess; url: string }> {
  const port = await freePort();
  const folder = await mkdtemp(join(bench.options.folder, 'redis-'));
  const settings = {
    port,
    bind: '127.0.0.1',
    dir: folder,
    save: '',
    appendonly: 'yes',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  // With the load: the core of the nodes is theirs alone.
  const redis = new PinnedProcess('redis-server', args, { core: LOAD_CORE });
  await redis.said(/(Ready to accept connections)/);
  return { redis, url: `redis://127.0.0.1:${port}` };
}

/** Two nodes on a shared log, beside one on its own. */
export function redisFigure(bench: Bench): Figure {
  const count = bench.scaled(10_000);
  const embedded: Subject = {
    name: 'Sluice, one node, embedded log',
    measure: async () => {
      await using node = await bench.sluice().start();
      return await deliveriesOf(bench, [node], count);
    },
  };
  const shared: Subject = {
    name: 'Sluice, two nodes, Redis',
    measure: async () => {
      const { redis, url } = await startRedis(bench);
      await using _redis = redis;
      await using first = await bench.sluice({ REDIS_URL: url }).start();
      await using second = await bench.sluice({ REDIS_URL: url }).start();
      return await deliveriesOf(bench, [first, second], count);
    },
  };
  return {
    name: 'redis',
    title: 'Two nodes on Redis: 10,000 subscribers of one workspace',
    method: `${OUTSTANDING} publishers at one node. Both nodes share one core, Redis (append-only file, synced each second) has that of the load; what a node delivers for a second of processor time is compared. A read of the load brings what one write has sent, or several.`,
    units: {
      'deliveries per second of CPU': '',
      'deliveries/s': 'deliveries/s',
      'events a read': '',
      'µs of CPU a read': 'µs',
    },
    subjects: [embedded, shared],
    targets: [
      {
        says: 'deliveries for a second of processor time, two nodes to the embedded log',
        value: (of) =>
          of(shared.name, 'deliveries per second of CPU') /
          of(embedded.name, 'deliveries per second of CPU'),
        bound: { atLeast: 0.9 },
      },
    ],
  };
}
