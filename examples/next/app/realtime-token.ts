'use server';

import type { AuthActionRequest } from '@sluice/sdk';
import { currentUser } from './session';

/** What `POST /auth/token` answers. */
interface Token {
  readonly token: string;
  readonly expiresAt: string;
}

/**
 * A token for whoever is signed in; `null` for everybody else. An action is an address that anybody may call with
 * anything, so nothing that comes from there is taken on trust.
 */
export async function realtimeToken({ workspace }: AuthActionRequest): Promise<Token | null> {
  const user = await currentUser();
  if (user === null || !user.workspaces.includes(workspace)) return null;

  const { SLUICE_CLIENT_ID, SLUICE_CLIENT_SECRET, SLUICE_URL, NEXT_PUBLIC_SLUICE_URL } =
    process.env;
  const answer = await fetch(`${SLUICE_URL ?? NEXT_PUBLIC_SLUICE_URL}/auth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      applicationId: SLUICE_CLIENT_ID,
      clientSecret: SLUICE_CLIENT_SECRET,
      permissions: ['subscribe'],
      workspace,
      expiresIn: 300,
    }),
    cache: 'no-store',
  });
  if (!answer.ok) throw new Error(`the service gave no token: ${answer.status}`);
  return (await answer.json()) as Token;
}
