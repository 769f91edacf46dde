// What stands around an example of docs/sdk.md when it is run: what it only declares, and a browser's few globals.
// Loaded before it, in its process. Plain JavaScript, since the process has no way of its own to read types.
import { RealtimeClient } from '@sluice/sdk';

const { STAGE_ENDPOINT: endpoint, STAGE_BACKEND: backend, STAGE_IS_PAGE: isPage } = process.env;

const say = (what) => process.stdout.write(`${what}\n`);
const fetchToken = async () => (await fetch(`${backend}/realtime-token`)).text();
const token = await fetchToken();

Object.assign(globalThis, {
  token,
  client: new RealtimeClient({ endpoint, workspace: 'acme', token }),
  fetchServiceAccountToken: fetchToken,
  signIn: async () => ({ token: await fetchToken() }),
  sessionStorage: { getItem: () => null },
  store: {
    lastCursor: async () => null,
    save: (event, cursor) => say(`${cursor} ${event.type}`),
    loadAnew() {},
  },
});

// Only where it is asked for: a client takes whatever has a document for a browser, which must not hold secrets.
if (isPage === 'true') {
  globalThis.document = {
    addEventListener() {},
    removeEventListener() {},
    hidden: false,
    body: { classList: { toggle() {} } },
  };
}

// An example need not say when it is ready; whoever runs it must know.
const { subscribe } = RealtimeClient.prototype;
RealtimeClient.prototype.subscribe = function (options) {
  const subscription = subscribe.call(this, options);
  subscription.ready.then(() => say('the example is connected'), say);
  return subscription;
};
