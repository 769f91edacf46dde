// A subscriber in a process of its own, so that the built SDK runs on another Node than the tests do. Prints a line
// when it is first connected and the number of each event; ends after SMOKE_EVENTS of them.
import { RealtimeClient } from '@sluice/sdk';

const { SMOKE_ENDPOINT, SMOKE_WORKSPACE, SMOKE_TOKEN, SMOKE_EVENTS } = process.env;

let left = Number(SMOKE_EVENTS);
const client = new RealtimeClient({
  endpoint: SMOKE_ENDPOINT,
  workspace: SMOKE_WORKSPACE,
  token: SMOKE_TOKEN,
  backoff: { baseMs: 10, ceilMs: 100 },
});
const subscription = client.subscribe({
  onConnected: () => {},
  onEvent: (event) => {
    process.stdout.write(`${event.data.n}\n`);
    if (--left === 0) client.close();
  },
  onError: (error) => {
    if (error.willRetry) return;
    process.stderr.write(`${JSON.stringify(error)}\n`);
    process.exitCode = 1;
  },
});
await subscription.ready;
process.stdout.write(`connected on ${process.version.split('.')[0]}\n`);
