import { useConnection, useRealtime } from '@sluice/sdk/react';

/** How the stream is. What the client cannot mend by itself is for the user to try again. */
export function Connection() {
  const { state, error } = useConnection();
  const client = useRealtime();
  return (
    <p>
      The stream is <b>{state}</b>.{' '}
      {state === 'failed' && (
        <button type="button" onClick={() => client?.reconnect()}>
          Try again ({error?.code})
        </button>
      )}
    </p>
  );
}
