// A service that reacts to events: it gets its own tokens, and goes on where it stopped.
//
//   npx sluice clients add --id billing --workspace acme --permissions realtime:subscribe
//   SLUICE_CLIENT_ID=billing SLUICE_CLIENT_SECRET=… node examples/node/service-account.js
import { readFile, rename, writeFile } from 'node:fs/promises';
import { RealtimeClient } from '@sluice/sdk';

const {
  SLUICE_URL: endpoint = 'http://127.0.0.1:3000',
  SLUICE_CLIENT_ID: clientId,
  SLUICE_CLIENT_SECRET: clientSecret,
  CURSOR_FILE: cursorFile = 'cursor.txt',
} = process.env;
if (!clientId || !clientSecret) {
  console.error('Set SLUICE_CLIENT_ID and SLUICE_CLIENT_SECRET: npx sluice clients add --help');
  process.exit(1);
}

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());

const client = new RealtimeClient({
  endpoint,
  workspace: 'acme',
  clientId,
  clientSecret,
  signal: stop.signal,
  onError: (error) => console.error(error.code, error.message, error.willRetry ? '(goes on)' : ''),
});
client.onStateChange((state) => console.error(state));

const lastEventId = (await readFile(cursorFile, 'utf8').catch(() => '')).trim();
const subscription = client.subscribe({
  topics: ['orders'],
  ...(lastEventId !== '' && { lastEventId }),
  onGap: () => console.error('events are lost: load anew what you keep of them'),
});

for await (const { event, cursor } of subscription) {
  console.log(event.type, JSON.stringify(event.data));
  // A file is replaced as a whole, so that a crash leaves the old cursor or the new one.
  await writeFile(`${cursorFile}.new`, cursor);
  await rename(`${cursorFile}.new`, cursorFile);
}
