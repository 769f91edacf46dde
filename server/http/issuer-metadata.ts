import { JWKS_PATH, PERMISSIONS, TOKEN_PATH } from '@sluice/protocol';
import type { Request, Response } from 'express';
import { SluiceError } from '../errors.js';

/** RFC 9110, section 7.2: a name or an address, and a port. What does not look like one is not handed on. */
const HOST = /^([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?$/;

/** `GET /.well-known/oauth-authorization-server` (RFC 8414) */
export function createIssuerMetadata(issuer: string) {
  return (request: Request, response: Response): void => {
    const base = /^https?:\/\//.test(issuer) ? issuer.replace(/\/+$/, '') : baseOf(request);
    // Its addresses may be those of whoever asks.
    response.setHeader('Cache-Control', 'no-store').json({
      issuer,
      token_endpoint: base + TOKEN_PATH,
      jwks_uri: base + JWKS_PATH,
      response_types_supported: [],
      grant_types_supported: ['client_credentials'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      scopes_supported: PERMISSIONS,
    });
  };
}

/** Where the request came to. */
function baseOf({ headers, protocol, baseUrl }: Request): string {
  const { host = '' } = headers;
  if (!HOST.test(host)) throw new SluiceError('INVALID_REQUEST', 'The Host header is not a host.');
  return `${protocol}://${host}${baseUrl}`;
}
