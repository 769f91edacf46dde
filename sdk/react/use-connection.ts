'use client';

import { useCallback, useMemo, useSyncExternalStore } from 'react';
import type { ConnectionState } from '../connection/state.js';
import type { RealtimeError } from '../errors.js';
import { useRealtime } from './realtime-provider.js';

/** How the one stream of all subscriptions is. */
export interface ConnectionSnapshot {
  /** `idle` also where there is no client. */
  readonly state: ConnectionState;
  /** Why the stream is down; `null` while it is connected, and before there was an error. */
  readonly error: RealtimeError | null;
}

/** The state of the client, and its last error. Renders anew when they change. */
export function useConnection(): ConnectionSnapshot {
  const client = useRealtime();
  const subscribe = useCallback(
    (listener: () => void) => client?.onStateChange(listener) ?? (() => {}),
    [client],
  );
  const state = useSyncExternalStore(subscribe, () => client?.state ?? 'idle', idle);
  // An error comes with a change of state, in the same turn, so that one notice is enough for both.
  const error = useSyncExternalStore(subscribe, () => client?.lastError ?? null, noError);
  return useMemo(() => ({ state, error }), [state, error]);
}

function idle(): ConnectionState {
  return 'idle';
}

function noError(): null {
  return null;
}
