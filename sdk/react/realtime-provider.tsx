'use client';

import {
  createContext,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from 'react';
import type { RealtimeClient } from '../client.js';
import { OwnClient, type OwnClientOptions } from './own-client.js';
import type { Realtime } from './own-subscription.js';

/** A provider makes a client of its own, by the options of one, or is given one. */
export type RealtimeProviderProps = { readonly children?: ReactNode } & (
  | (OwnClientOptions & { readonly client?: undefined })
  | GivenClientProps
);

interface GivenClientProps {
  /** A client that somebody else makes and closes. `null`: there is none yet. */
  readonly client: RealtimeClient | null;
  readonly endpoint?: undefined;
  readonly workspaceId?: undefined;
}

/** `null` where there is no provider. */
const RealtimeContext = createContext<Realtime | null>(null);

/**
 * Gives the components within it one client, and so one stream. It makes that when it is mounted, never while it renders,
 * and closes it when it is unmounted; not so one that it was given.
 */
export function RealtimeProvider({ children, ...props }: RealtimeProviderProps): ReactElement {
  const given = givenClientOf(props);
  const [own] = useState(() => new OwnClient());
  const made = useSyncExternalStore(own.subscribe, own.current, noClient);
  // After each render: which of the options have changed, and what that takes, is for `OwnClient` to tell.
  useEffect(() => own.follow(given === undefined ? (props as OwnClientOptions) : null));
  useEffect(() => () => own.close(), [own]);
  const client = given === undefined ? made : given;
  // A client of one's own may be made anew, and is at the same place then.
  const place = given === undefined ? props.workspaceId : given;
  const realtime = useMemo(() => ({ client, place }), [client, place]);
  return <RealtimeContext.Provider value={realtime}>{children}</RealtimeContext.Provider>;
}

/**
 * The client. `null` where there is none (yet): on the server, before the provider has been mounted, and while nobody is
 * signed in.
 */
export function useRealtime(): RealtimeClient | null {
  return useRealtimeContext().client;
}

/** @throws Error outside of a provider. */
export function useRealtimeContext(): Realtime {
  const realtime = useContext(RealtimeContext);
  if (realtime === null) {
    throw new Error('Sluice: this component must be within a <RealtimeProvider>');
  }
  return realtime;
}

/** @throws TypeError */
function givenClientOf({ client, ...rest }: object & Pick<RealtimeProviderProps, 'client'>) {
  const other = Object.entries(rest).find(([, value]) => value !== undefined);
  if (client !== undefined && other !== undefined) {
    throw new TypeError(`"client" and "${other[0]}" exclude each other: a client has its options`);
  }
  return client;
}

function noClient(): null {
  return null;
}
