import type { RealtimeEvent } from '@sluice/sdk';
import { useSubscription } from '@sluice/sdk/react';
import { useState } from 'react';

/** Most events that are shown. */
const LIMIT = 20;

/** The newest events of some topics, newest first. */
export function Orders({ topics }: { topics: readonly string[] | undefined }) {
  const [events, setEvents] = useState<readonly RealtimeEvent[]>([]);
  const { isReady, error } = useSubscription({
    topics,
    onEvent: (event) => setEvents((others) => [event, ...others].slice(0, LIMIT)),
    // Here an application would load anew what it shows.
    onGap: () => setEvents([]),
  });
  return (
    <section aria-busy={!isReady}>
      {error !== null && !error.willRetry && <p role="alert">{error.message}</p>}
      <ol>
        {events.map(({ id, topic, type, data }) => (
          <li key={id}>
            {topic} {type} {JSON.stringify(data)}
          </li>
        ))}
      </ol>
    </section>
  );
}
