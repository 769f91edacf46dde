import type { RealtimeClient } from '../client.js';
import type { RealtimeClientOptions } from '../client-options.js';
import { TabTransport } from './tab-transport.js';

/**
 * The stream of whichever tab leads. If it is this one, it is that of a client beneath this one.
 * @param Client handed over, since the client itself loads this file
 * @param standIn stands for the token that the tabs share; whichever tab leads has that
 */
export function sharedTransport(
  Client: typeof RealtimeClient,
  { crossTab, crossTabKey, signal, onError, maxAttempts, ...options }: RealtimeClientOptions,
  standIn: string,
): TabTransport {
  return new TabTransport(
    standIn,
    (endpoint, onActivity) =>
      new Client({ ...options, endpoint, suspendWhenHidden: false }, onActivity),
    crossTabKey,
  );
}
