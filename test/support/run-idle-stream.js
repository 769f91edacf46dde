// Opens one stream of the built service, and says what of its request and response is still there once garbage was
// collected. In a process of its own: what other tests have left in theirs would be collected with it, for seconds.
import { once } from 'node:events';
import { createServer, get } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createApp } from '../../server/dist/app.js';
import { compose } from '../../server/dist/compose.js';
import { readConfig } from '../../server/dist/config.js';
import { silentLog } from '../../server/dist/ops/log.js';
import { createTokenIssuer } from '../../server/dist/token-issuer.js';

const settings = { DATA_DIR: process.env['DATA_DIR'], AUDIT_LOG: 'off' };
const issuer = createTokenIssuer({ settings });
const { token } = await issuer.generateTokenResponse({
  clientId: 'test',
  subject: 'alice',
  workspace: 'acme',
  permissions: ['subscribe'],
});
await issuer.close();
const service = await compose(readConfig(settings), silentLog);
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

/** @type {WeakRef<object>[]} */
const kept = [];
const app = createApp(service.routes, { trustedProxies: [] }, silentLog);
const server = createServer((request, response) => {
  kept.push(new WeakRef(request), new WeakRef(response));
  app(request, response);
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');

const { port } = server.address();
const path = '/realtime/workspace/acme/events';
const request = get({ port, path, headers: { Authorization: `Bearer ${token}` } });
const [response] = await once(request, 'response');
await once(response, 'data');

// A weak reference holds until the turn in which it was made or read is over.
for (let turn = 0; turn < 10 && kept.some((reference) => reference.deref()); turn++) {
  await new Promise(setImmediate);
  collectGarbage();
}
const alive = kept.filter((reference) => reference.deref() !== undefined).length;
const { size } = service.hub;
response.destroy();
await service.hub.drain(0);
const said = { made: kept.length, alive, open: size, left: service.hub.size };
process.stdout.write(`${JSON.stringify(said)}\n`);
server.close();
await service.close();
