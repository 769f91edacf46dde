import { describe, expect, it } from '@jest/globals';
import { ERRORS } from '@sluice/protocol';
import type {
  ClientCredentialOptions,
  ConnectionState,
  ConnectOptions,
  RealtimeError,
  SubscribeOptions,
  TokenOptions,
} from '@sluice/sdk';
import { codeOf, readDocument, tableRows } from './markdown.js';

const PAGE = readDocument('docs/sdk.md');

// The compiler holds these lists to the types of the SDK: each name must be there, and no other may.

const CLIENT_OPTIONS: Record<
  keyof ConnectOptions | keyof TokenOptions | keyof ClientCredentialOptions,
  true
> = {
  endpoint: true,
  workspace: true,
  token: true,
  clientId: true,
  clientSecret: true,
  tokenEndpoint: true,
  fetch: true,
  backoff: true,
  heartbeatTimeoutMs: true,
  signal: true,
};

const SUBSCRIBE_OPTIONS: Record<keyof SubscribeOptions, true> = {
  topics: true,
  types: true,
  lastEventId: true,
  onEvent: true,
  onError: true,
  onConnected: true,
  onDisconnected: true,
  onGap: true,
};

const STATES: Record<ConnectionState, true> = {
  idle: true,
  authorizing: true,
  connecting: true,
  connected: true,
  reconnecting: true,
  failed: true,
  closed: true,
};

const ERROR_MEMBERS: Record<Exclude<keyof RealtimeError, 'name' | 'stack' | 'toJSON'>, true> = {
  code: true,
  message: true,
  recoverable: true,
  willRetry: true,
  status: true,
  requestId: true,
  retryAfterMs: true,
  cause: true,
};

/** The names in the first cells of a table; what stands in brackets behind a callback's name is not part of it. */
function namesIn(table: string): string[] {
  return tableRows(PAGE, table).flatMap(([cell = '']) =>
    [...cell.matchAll(/`(\w+)[^`]*`/g)].map(([, name]) => name as string),
  );
}

describe('docs/sdk.md', () => {
  it.each([
    { table: 'client-options', names: CLIENT_OPTIONS },
    { table: 'subscribe-options', names: SUBSCRIBE_OPTIONS },
    { table: 'states', names: STATES },
    { table: 'error-members', names: ERROR_MEMBERS },
  ])('lists the $table as they are', ({ table, names }) => {
    expect(namesIn(table)).toEqual(Object.keys(names));
  });

  it('has every code, and says whether it is recoverable', () => {
    const rows = tableRows(PAGE, 'sdk-errors').map(([code, recoverable]) => [
      codeOf(code),
      recoverable === 'yes',
    ]);
    expect(rows).toEqual(Object.entries(ERRORS).map(([code, entry]) => [code, entry.recoverable]));
  });
});
