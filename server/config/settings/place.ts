import { isWorkspace } from '@sluice/protocol';
import { nameSettings } from '../setting.js';
import { flag, host, integer, list, oneOf, optionalInteger, path } from '../setting-kinds.js';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where the service listens, keeps its data and is heard. */
export const PLACE_SETTINGS = nameSettings({
  HOST: host({ meaning: 'Address to listen on.', fallback: '127.0.0.1' }),
  PORT: integer({
    meaning:
      'Port to listen on. `0` takes a free one; a line of the output that begins `Sluice listens on` tells which.',
    fallback: 3_000,
    least: 0,
    most: 65_535,
  }),
  DATA_DIR: path({
    meaning:
      'Folder of the log, the revocations, the keys and the service accounts. It is made where it is missing. One process at a time may use it. With `REDIS_URL` all of this is in Redis, and the folder is only looked into for keys and accounts to take over.',
    fallback: './data',
  }),
  LOG_LEVEL: oneOf({
    meaning: 'Least level that is logged. Logs are JSON lines on standard error.',
    choices: LOG_LEVELS,
    fallback: 'info',
  }),
  LOG_ADDRESSES: flag({
    meaning:
      'Whether the line of a request holds the address of the client, as far as it is known (`TRUST_PROXY`). It is personal data, and the log of the proxy has it already.',
    fallback: false,
  }),
  DRAIN_MS: integer({
    meaning:
      'The time over which the clients of open streams come back when the service is told to end: see [Going down](#going-down).',
    fallback: 3_000,
    fallbackWith: { REDIS_URL: '10000' },
    least: 0,
    most: 600_000,
  }),
});

export const OPS_SETTINGS = nameSettings({
  OPS_PORT: optionalInteger({
    meaning:
      'Port for operators: `/healthz`, `/readyz`, `/metrics`. Without it there is none. `0` takes a free one; a line of the output that begins `  ops` tells which.',
    least: 0,
    most: 65_535,
  }),
  OPS_HOST: host({
    meaning: 'Address to listen on for operators. Whoever reaches it may read all metrics.',
    fallback: '127.0.0.1',
    needs: { name: 'OPS_PORT' },
  }),
  METRICS_WORKSPACES: list({
    meaning:
      'Workspaces that metrics name, separated by commas. Of all others metrics tell nothing by name.',
    bounds: 'up to 100 names of workspaces',
    // Each of them is a label of its own in the metrics, which must not grow without end.
    most: 100,
    isItem: isWorkspace,
    fault: 'must list at most 100 names of workspaces (letters, digits, _ and -, up to 64)',
    needs: { name: 'OPS_PORT', why: 'there would be no metrics' },
  }),
});

export const NETWORK_SETTINGS = nameSettings({
  ALLOWED_ORIGINS: list({
    meaning:
      "Origins whose pages may subscribe and publish from a browser, separated by commas: `https://app.example`. Pages of the service's own origin always may.",
    bounds: 'up to 1000 origins: scheme, host, port if not the usual one; no path, no `*`',
    most: 1_000,
    isItem: (text) => URL.canParse(text) && new URL(text).origin === text,
    fault: 'holds something that is not an origin (https://app.example), or more than 1000',
  }),
  TRUST_PROXY: list({
    meaning:
      "Proxies in front of the service whose `X-Forwarded-For` is believed: how many there are, or their addresses and networks, separated by commas. Without it every client behind a proxy has the proxy's address.",
    bounds:
      'a number up to 9; or up to 1000 addresses, networks (`10.0.0.0/8`), `loopback`, `linklocal`, `uniquelocal`',
    most: 1_000,
    isItem: () => true,
    fault: 'must list at most 1000 proxies',
  }),
});
