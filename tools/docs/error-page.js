import {
  CLIENT_ERROR_TITLES,
  CLIENT_ERRORS,
  SERVICE_ERROR_TITLES,
  SERVICE_ERRORS,
} from '@sluice/protocol';
import { ERROR_ACTIONS } from './error-actions.js';

/**
 * docs/errors.md: the codes of the protocol's tables, and what happens after each.
 * @type {() => string}
 */
export function errorPage() {
  return `<!-- Made by \`npm run docs\` from protocol/errors.ts and tools/docs/error-actions.js. Change those. -->

# Errors

Every error has a \`code\` that keeps its meaning from release to release. Decide by it, never by the words. In the SDK it is a
member of \`RealtimeError\` ([sdk.md](sdk.md#errors)); in an answer of the service, of the problem body
([PROTOCOL.md](PROTOCOL.md#61-codes)).

- *Recoverable*: going on can help, with a new token for \`TOKEN_EXPIRED\`, by waiting for the others.
- *Goes on*: the client waits, for \`retryAfterMs\` at least, and resumes from its last cursor. \`willRetry\` is true then. After
  \`maxAttempts\` failures in a row it fails instead.
- *Fails*: the state is \`failed\` until \`setToken\` or \`reconnect\` is called.

## What the service says

${table('service-errors', SERVICE_ERRORS, SERVICE_ERROR_TITLES)}
An error that ends an open stream has no \`status\`: that answer had begun with 200. \`SLOW_CONSUMER\` comes there alone.

\`AUTH_ERROR\` has another name, which \`isCode\` knows: \`error.isCode('AUTH_FAILED')\` tells the same as \`error.isCode('AUTH_ERROR')\`.
\`code\` is always \`AUTH_ERROR\`.

## What the SDK says by itself

These never travel, and so have no status.

${table('client-errors', CLIENT_ERRORS, CLIENT_ERROR_TITLES)}`;
}

/**
 * @param {string} mark
 * @param {Readonly<Record<string, import('@sluice/protocol').ErrorEntry>>} entries
 * @param {Readonly<Record<string, string>>} titles
 */
function table(mark, entries, titles) {
  const rows = Object.entries(entries).map(([code, { status, recoverable }]) => {
    const { client, you } = ERROR_ACTIONS[code] ?? fault(code);
    const cells = [`\`${code}\``, status ?? '', recoverable ? 'yes' : 'no', titles[code]];
    return `| ${[...cells, client, you].join(' | ')} |\n`;
  });
  return `<!-- ${mark} -->
| code | status | recoverable | meaning | what the client does | what you do |
|---|---|---|---|---|---|
${rows.join('')}`;
}

/** @type {(code: string) => never} */
function fault(code) {
  throw new Error(`tools/docs/error-actions.js does not say what happens after ${code}`);
}
