import type { Request, Response } from 'express';
import type { Gate, GateRequest } from '../gate/gate.js';
import type { Principal } from '../gate/principal.js';
import { findToken } from '../gate/token/find-token.js';
import { tokenHashOf } from '../gate/token/token-hash.js';
import { headerValues } from './header-values.js';
import { requestIdOf } from './request-id.js';
import type { RequestRecord } from './request-record.js';

// What the routes read from a request, as it came: Express and Node both tidy up what the gate must see untidied.

const NO_QUERY = new URLSearchParams();

/** The query: Express's own parser drops what it does not understand. */
export function queryOf(request: Request): URLSearchParams {
  const start = request.url.indexOf('?');
  return start < 0 ? NO_QUERY : new URLSearchParams(request.url.slice(start));
}

/** What the gate looks at. Node's `headers` would keep the first of several silently. */
export function gateRequestOf(request: Request, response: Response): GateRequest {
  return {
    workspace: String(request.params['ws'] ?? ''),
    authorization: headerValues(request, 'authorization'),
    query: queryOf(request),
    address: addressOf(request),
    origin: foreignOriginOf(request),
    requestId: requestIdOf(response),
  };
}

/**
 * Who asks, as the gate says; the record of the request learns of it.
 * @throws SluiceError as `Gate.identify`
 */
export async function identify(
  gate: Gate,
  asked: GateRequest,
  record: RequestRecord | undefined,
  options?: Parameters<Gate['identify']>[1],
): Promise<Principal> {
  try {
    const principal = await gate.identify(asked, options);
    record?.identified(principal);
    return principal;
  } catch (error) {
    if (record?.isWanted) noteShownToken(record, asked);
    throw error;
  }
}

/** Three parts, the last as long as a signature is: nobody guesses one by its hash, as they might a password. */
const SIGNED_TOKEN = /^[\w-]+\.[\w-]+\.[\w-]{43,}$/;

/** A stolen token that was revoked is known by its hash still. */
function noteShownToken(record: RequestRecord, asked: GateRequest): void {
  try {
    const { token } = findToken(asked);
    if (SIGNED_TOKEN.test(token)) record.showed(tokenHashOf(token));
  } catch {
    // None, or several: there is nothing to call it by.
  }
}

/** Where the client is: the word of a proxy counts where it is trusted (TRUST_PROXY). */
export function addressOf(request: Request): string {
  return withoutPort(request.ip ?? request.socket.remoteAddress ?? '');
}

/** Some proxies write `address:port` into X-Forwarded-For: each connection would have limits of its own. */
function withoutPort(address: string): string {
  const [, v4 = null] = /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(address) ?? [];
  const [, v6 = null] = /^\[([\da-f:.]+)\](?::\d+)?$/i.exec(address) ?? [];
  return v4 ?? v6 ?? address;
}

/** The origin of the page that asks; `null` for a page of this very host, and for what is no page. */
export function foreignOriginOf(request: Request): string | null {
  const { origin, host } = request.headers;
  // Browsers send Origin with the POST requests of a host's own pages too.
  const isOwn = host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
  return origin === undefined || isOwn ? null : origin;
}
