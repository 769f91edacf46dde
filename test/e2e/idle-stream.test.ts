import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventsPath } from '@sluice/protocol';
import { createApp } from '../../server/app.js';
import { compose, type Service } from '../../server/compose.js';
import { readConfig } from '../../server/config.js';
import { silentLog } from '../../server/ops/log.js';
import { RawStream } from '../support/raw-http.js';
import { tokensOf } from '../support/test-service.js';

let folder: string;
let service: Service;
let token: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-idle-'));
  const config = readConfig({ DATA_DIR: folder });
  service = await compose(config, silentLog);
  const mint = await tokensOf(config);
  token = mint(['realtime:subscribe']);
});
afterEach(async () => {
  await service.close();
  await rm(folder, { recursive: true });
});

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

describe('an idle stream', () => {
  it('keeps neither its request nor its response', async () => {
    const kept: WeakRef<object>[] = [];
    const app = createApp(service.routes, { trustedProxies: [] }, silentLog);
    const server = createServer((request, response) => {
      kept.push(new WeakRef(request), new WeakRef(response));
      app(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    using stream = await RawStream.open({
      port: (server.address() as AddressInfo).port,
      path: eventsPath('acme'),
      headers: [['Authorization', `Bearer ${token}`]],
    });
    await stream.next('stream.connected');
    expect(service.hub.size).toBe(1);

    // A weak reference holds until the turn in which it was made or read is over.
    for (let turn = 0; turn < 10 && kept.some((reference) => reference.deref()); turn++) {
      await new Promise(setImmediate);
      collectGarbage();
    }
    expect(kept.map((reference) => reference.deref())).toEqual([undefined, undefined]);
    expect(service.hub.size).toBe(1);

    stream[Symbol.dispose]();
    await service.hub.drain(0);
    expect(service.hub.size).toBe(0);
    server.close();
  });
});
