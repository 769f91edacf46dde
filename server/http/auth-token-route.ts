import type { Permission } from '@sluice/protocol';
import type { Request, Response } from 'express';
import { SluiceError } from '../errors.js';
import { permissionOf } from '../gate/permission/permission-name.js';
import { readBasic } from '../issuer/client-credentials.js';
import type { Client } from '../issuer/client-store.js';
import type { Issuer } from '../issuer/issuer.js';
import { membersOf } from './auth-body.js';
import { type ClientAuthenticationParts, clientAuthenticationOf } from './client-authentication.js';
import { headerValues } from './header-values.js';
import { createJsonBodyReader } from './json-body.js';

const MAX_BODY_BYTES = 8_192;
const MEMBERS = ['applicationId', 'clientSecret', 'permissions', 'workspace', 'expiresIn'] as const;
const BASIC = 'Basic realm="sluice"';

export interface AuthTokenParts extends ClientAuthenticationParts {
  readonly issuer: Issuer;
  /** How long a token lives that is asked for without a word on that. */
  readonly lifetimeSeconds: number;
  readonly maxLifetimeSeconds: number;
}

type Members = ReturnType<typeof membersOf<(typeof MEMBERS)[number]>>;

/** `POST /auth/token`: what /oauth/token gives, in a plainer form. */
export function createAuthTokenRoute(parts: AuthTokenParts) {
  const { issuer } = parts;
  const readBody = createJsonBodyReader(MAX_BODY_BYTES);

  return async (request: Request, response: Response): Promise<void> => {
    const members = membersOf(await readBody(request, response), MEMBERS);
    const asked = {
      permissions: readPermissions(members),
      workspace: readWorkspace(members),
      lifetimeSeconds: readLifetime(members, parts),
    };
    const { id, secret } = readCredentials(request, members);
    const client = await clientAuthenticationOf(request, parts).authenticate(id, secret);
    if (client === null) {
      throw new SluiceError('INVALID_TOKEN', 'The application is unknown or its secret wrong.', {
        challenge: BASIC,
      });
    }
    const { token, expiresAt } = issuer.issueToken({
      subject: client.id,
      clientId: client.id,
      workspaces: workspacesFor(client, asked.workspace),
      permissions: permissionsFor(client, asked.permissions),
      lifetimeSeconds: asked.lifetimeSeconds,
    });
    response
      .status(200)
      .setHeader('Cache-Control', 'no-store')
      .json({ token, expiresAt: expiresAt.toISOString() });
  };
}

function readPermissions({ permissions }: Members): readonly Permission[] | null {
  if (permissions === undefined) return null;
  const named = Array.isArray(permissions) ? permissions.map(permissionOf) : [];
  const known = named.filter((permission) => permission !== null);
  if (known.length > 0 && known.length === named.length) return known;
  throw invalid('"permissions" is not a list of permissions that Sluice knows.');
}

function readWorkspace({ workspace }: Members): string | null {
  if (workspace === undefined) return null;
  if (typeof workspace === 'string') return workspace;
  throw invalid('"workspace" is not a text.');
}

function readLifetime({ expiresIn }: Members, parts: AuthTokenParts): number {
  if (expiresIn === undefined) return parts.lifetimeSeconds;
  const { maxLifetimeSeconds } = parts;
  const isWhole = typeof expiresIn === 'number' && Number.isSafeInteger(expiresIn);
  if (isWhole && expiresIn >= 1 && expiresIn <= maxLifetimeSeconds) return expiresIn;
  throw invalid(`"expiresIn" is not a whole number of seconds from 1 to ${maxLifetimeSeconds}.`);
}

/** The id and secret, from HTTP Basic or from the body. */
function readCredentials(request: Request, members: Members): { id: string; secret: string } {
  const { applicationId, clientSecret } = members;
  const [header, ...more] = headerValues(request, 'authorization');
  if (more.length > 0) throw invalid('The Authorization header was given twice.');
  if (typeof applicationId !== 'string') throw invalid('"applicationId" is not a text.');
  if (clientSecret !== undefined) {
    if (typeof clientSecret !== 'string') throw invalid('"clientSecret" is not a text.');
    if (header === undefined) return { id: applicationId, secret: clientSecret };
    throw invalid('The secret stands in the Authorization header or in the body, not in both.');
  }
  if (header === undefined || !/^basic(?: |$)/i.test(header)) {
    throw new SluiceError('MISSING_TOKEN', 'No client secret was given.', { challenge: BASIC });
  }
  const credentials = readBasic(header);
  if (credentials === null) {
    throw new SluiceError('INVALID_TOKEN', 'The Authorization header holds no id and secret.', {
      challenge: BASIC,
    });
  }
  if (credentials.id === applicationId) return credentials;
  throw invalid('"applicationId" and the Authorization header name different applications.');
}

function workspacesFor(client: Client, asked: string | null): readonly string[] {
  if (asked === null) return client.workspaces;
  if (client.workspaces.includes(asked)) return [asked];
  throw forbidden('The workspace is not one of the application.');
}

function permissionsFor(client: Client, asked: readonly Permission[] | null) {
  if (asked === null) return client.permissions;
  if (asked.every((permission) => client.permissions.includes(permission))) return asked;
  throw forbidden('The application does not have all these permissions.');
}

/** No other token would help, so none is asked for. */
function forbidden(detail: string): SluiceError {
  return new SluiceError('FORBIDDEN', detail, { challenge: null });
}

function invalid(detail: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', detail);
}
