'use client';

import { useEffect, useInsertionEffect, useState, useSyncExternalStore } from 'react';
import {
  NO_SUBSCRIPTION,
  OwnSubscription,
  type SubscriptionSnapshot,
  type UseSubscriptionOptions,
} from './own-subscription.js';
import { useRealtimeContext } from './realtime-provider.js';

/**
 * Subscribes while the component is mounted. Lists and callbacks may be written in place: the callbacks of the last render
 * are called, and only other topics and types make another subscription, which loses nothing of what both ask for. After a
 * pause (not `enabled`, hidden, signed out) the component goes on where it was.
 * An event renders nothing by itself: `onEvent` keeps what the component shows.
 */
export function useSubscription(options: UseSubscriptionOptions): SubscriptionSnapshot {
  const realtime = useRealtimeContext();
  const [own] = useState(() => new OwnSubscription());
  // Other effects may run some time after a render is seen, or the component is gone; an event that comes meanwhile must not
  // find the callbacks of before. (A layout effect would be in time too, but React 18 warns of it on the server.)
  useInsertionEffect(() => {
    own.heed(options);
    return () => own.heed({});
  });
  // After each render: whether that takes another subscription is for `OwnSubscription` to tell.
  useEffect(() => own.follow(realtime));
  useEffect(() => () => own.end(), [own]);
  return useSyncExternalStore(own.subscribe, own.current, noSubscription);
}

function noSubscription(): SubscriptionSnapshot {
  return NO_SUBSCRIPTION;
}
