'use client';

import type { RealtimeEvent } from '@sluice/sdk';
import { useSubscription } from '@sluice/sdk/react';
import { useState } from 'react';

export function Orders() {
  const [last, setLast] = useState<RealtimeEvent | null>(null);
  const { isReady, error } = useSubscription({ topics: ['orders'], onEvent: setLast });
  if (error !== null && !error.willRetry) return <p role="alert">{error.message}</p>;
  return <p aria-busy={!isReady}>{last === null ? 'No order yet' : JSON.stringify(last.data)}</p>;
}
