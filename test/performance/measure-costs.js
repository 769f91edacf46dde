// What the built service costs, each time in ratio to something else that the same process does in turn with it: bare
// HTTP of Node, or plain work on JSON. Writes the ratios to standard output as JSON.
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { createApp } from '../../server/dist/app.js';
import { compose } from '../../server/dist/compose.js';
import { readConfig } from '../../server/dist/config.js';
import { createFilter } from '../../server/dist/hub/filter.js';
import { Hub } from '../../server/dist/hub/hub.js';
import { silentLog } from '../../server/dist/ops/log.js';
import { createTokenIssuer } from '../../server/dist/token-issuer.js';

const ROUNDS = 5;
const WORKSPACE = 'acme';
const PATH = `/realtime/workspace/${WORKSPACE}/events`;
const EVENT = JSON.stringify({
  specversion: '1.0',
  id: '0123456789',
  source: '/costs',
  type: 'tick',
  time: '2026-01-01T00:00:00Z',
  topic: 'ticks',
  data: 'x'.repeat(80),
});

/** @param {() => Promise<void> | void} work */
async function cpuOf(work) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/**
 * The least that each of them took, in ratio: what else the machine does makes things dearer, never cheaper.
 * @param {() => Promise<void> | void} work
 * @param {() => Promise<void> | void} yardstick
 */
async function ratio(work, yardstick) {
  let [least, unit] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round++) {
    unit = Math.min(unit, await cpuOf(yardstick));
    least = Math.min(least, await cpuOf(work));
  }
  return least / unit;
}

/** @param {import('node:http').RequestListener} listener */
async function listen(listener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/**
 * One request after the other on one connection or, for streams, each on its own.
 * @param {import('node:http').Server} server
 * @param {{ count: number, method: string, headers: object, body?: string, isStream?: boolean }} what
 */
async function ask(server, { count, method, headers, body, isStream = false }) {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  for (let at = 0; at < count; at++) {
    const asked = request({ port, path: PATH, method, headers, ...(isStream && { agent: false }) });
    asked.end(body);
    const [response] = await once(asked, 'response');
    if (response.statusCode >= 300) throw new Error(`answered ${response.statusCode}`);
    if (isStream) {
      await once(response, 'data');
      response.destroy();
    } else {
      response.resume();
      await once(response, 'end');
    }
  }
}

/** Takes frames, and does nothing with them. */
class Sink {
  writableLength = 0;
  on() {}
  write() {}
}

/** @param {readonly (readonly string[] | null)[]} filters the topics of each stream */
async function hubOf(filters) {
  const told = { onEntries: (_entries) => {} };
  const log = {
    isAvailable: true,
    follow: async (_workspace, follower) => {
      told.onEntries = follower.onEntries;
      return { extent: { epoch: '01234567', head: 0, oldest: 0 }, unfollow: () => {} };
    },
  };
  const hub = new Hub(log, {
    heartbeatMs: 600_000,
    retryMs: 1_000,
    maxBacklogBytes: 1e9,
    stallMs: 600_000,
  });
  const { Stream } = await import('../../server/dist/stream/stream.js');
  const streams = [];
  for (const topics of filters) {
    await hub.subscribe(WORKSPACE, null, () => {
      const options = {
        workspace: WORKSPACE,
        filter: createFilter({ topics, types: null, permitted: null }),
        cursor: 0,
        expiresAt: Date.now() / 1_000 + 3_600,
        subject: 'alice',
        issuer: 'issuer',
        tokenHash: null,
        requestId: 'request',
        admission: { release() {} },
        trace: null,
      };
      const stream = new Stream(new Sink(), options, () => {});
      streams.push(stream);
      return stream;
    });
  }
  let offset = 0;
  const frame = Buffer.from(`id: 01234567-1\ndata: ${EVENT}\n\n`);
  /** Has `count` events come, a turn of the event loop apart, and waits until all streams have them. */
  const push = async (count, topic) => {
    for (let at = 0; at < count; at++) {
      offset++;
      told.onEntries([{ offset, previous: offset - 1, topic, type: 'tick', frame }]);
      await new Promise(setImmediate);
      await new Promise(setImmediate);
    }
  };
  return { hub, push };
}

function workOnJson() {
  for (let at = 0; at < 5_000; at++) JSON.stringify(JSON.parse(EVENT));
}

const settings = {
  DATA_DIR: process.env['DATA_DIR'],
  AUDIT_LOG: 'off',
  MAX_OPENS_PER_SECOND: '1000000',
  MAX_STREAMS_PER_SUBJECT: '10000',
};
const issuer = createTokenIssuer({ settings });
const { token } = await issuer.generateTokenResponse({
  clientId: 'test',
  subject: 'alice',
  workspace: WORKSPACE,
  permissions: ['subscribe', 'publish'],
});
await issuer.close();
const service = await compose(readConfig(settings), silentLog);
const app = await listen(createApp(service.routes, { trustedProxies: [] }, silentLog));
const bare = await listen((asked, response) => {
  asked.resume();
  asked.on('end', () => response.end('{}'));
});

const headers = {
  Authorization: `Bearer ${token}`,
  'Content-Type': 'application/cloudevents+json',
};
const publish = { count: 60, method: 'POST', headers, body: EVENT };
const batch = {
  count: 5,
  method: 'POST',
  headers: { ...headers, 'Content-Type': 'application/cloudevents-batch+json' },
  body: `[${Array.from({ length: 100 }, () => EVENT).join(',')}]`,
};
const open = { count: 40, method: 'GET', headers, isStream: true };

const everybody = await hubOf(Array.from({ length: 400 }, () => null));
const crowd = Array.from({ length: 2_000 }, (_, at) => [`room-${at}.*`, `*.seat-${at}`]);
const patterns = await hubOf([...crowd, ['hall.*']]);

const costs = {
  // A publish, and the opening of a stream, in bare requests; the client is in both.
  publish: await ratio(
    () => ask(app, publish),
    () => ask(bare, publish),
  ),
  opening: await ratio(
    () => ask(app, open),
    () => ask(bare, open),
  ),
  // 500 events in five publishes, 80,000 deliveries, and 200 events among 4,000 patterns: in 5,000 times reading and
  // writing one event's JSON.
  batch: await ratio(() => ask(app, batch), workOnJson),
  delivery: await ratio(() => everybody.push(200, 'ticks'), workOnJson),
  matching: await ratio(() => patterns.push(200, 'hall.door'), workOnJson),
};
process.stdout.write(`${JSON.stringify(costs)}\n`);
everybody.hub.close();
patterns.hub.close();
await service.hub.drain(0);
app.closeAllConnections();
app.close();
bare.closeAllConnections();
bare.close();
await service.close();
