'use client';

import { type AuthActionRequest, StopRetrying } from '@sluice/sdk';
import { RealtimeProvider } from '@sluice/sdk/react';
import type { ReactNode } from 'react';
import { realtimeToken } from './realtime-token';

export function Realtime({
  endpoint,
  children,
}: {
  readonly endpoint: string;
  readonly children: ReactNode;
}) {
  return (
    <RealtimeProvider endpoint={endpoint} workspaceId="acme" authAction={token}>
      {children}
    </RealtimeProvider>
  );
}

/** An error of an action comes without its class, so that the action answers `null`, and this says what that means. */
async function token(request: AuthActionRequest) {
  const answer = await realtimeToken(request);
  if (answer === null) throw new StopRetrying('nobody is signed in');
  return answer;
}
