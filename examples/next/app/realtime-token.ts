'use server';

import type { AuthActionRequest } from '@sluice/sdk';
import { createTokenIssuer, type TokenIssuer, type TokenResponse } from '@sluice/server';
import { currentUser } from './session';

let issuer: TokenIssuer | undefined;

/**
 * A token for whoever is signed in; `null` for everybody else. An action is an address that anybody may call with
 * anything, so nothing that comes from there is taken on trust.
 */
export async function realtimeToken({
  workspace,
}: AuthActionRequest): Promise<TokenResponse | null> {
  const user = await currentUser();
  if (user === null || !user.workspaces.includes(workspace)) return null;

  issuer ??= createTokenIssuer({ settings: process.env });
  return await issuer.generateTokenResponse({
    clientId: 'web',
    subject: user.id,
    workspace,
    permissions: ['subscribe'],
    expiresIn: 300,
  });
}
