import {
  AUTH_TOKEN_PATH,
  AUTH_VERIFY_PATH,
  EVENTS_ROUTE,
  isWorkspace,
  JWKS_PATH,
  METADATA_PATH,
  REVOCATIONS_ROUTE,
  STREAM_TOKENS_ROUTE,
  TOKEN_PATH,
} from '@sluice/protocol';

/** What logs and traces may say of an address. */
export interface KnownAddress {
  /** The pattern of the route; `null` for what is none of ours. */
  readonly route: string | null;
  /** `null` where what stands in its place can be no name. */
  readonly workspace: string | null;
}

const NOWHERE: KnownAddress = { route: null, workspace: null };
const PLAIN_ROUTES: ReadonlyMap<string, KnownAddress> = new Map(
  [JWKS_PATH, METADATA_PATH, TOKEN_PATH, AUTH_TOKEN_PATH, AUTH_VERIFY_PATH].map((route) => [
    route,
    { route, workspace: null },
  ]),
);
const WORKSPACE_ROUTES: ReadonlyMap<string, string> = new Map(
  [EVENTS_ROUTE, STREAM_TOKENS_ROUTE, REVOCATIONS_ROUTE].map((route) => [
    route.slice(route.lastIndexOf('/') + 1),
    route,
  ]),
);
const OF_WORKSPACE = /^\/realtime\/workspace\/([^/]+)\/([a-z-]+)$/;

/** Of an address, the route that it is meant for. Nothing else of it leaves this function. */
export function routeOf(target: string): KnownAddress {
  const path = pathOf(target);
  const plain = PLAIN_ROUTES.get(path);
  if (plain !== undefined) return plain;
  const [, name, last = ''] = OF_WORKSPACE.exec(path) ?? [];
  const route = WORKSPACE_ROUTES.get(last);
  if (name === undefined || route === undefined) return NOWHERE;
  return { route, workspace: workspaceOf(name) };
}

function pathOf(target: string): string {
  const path = target.startsWith('/') || !URL.canParse(target) ? target : new URL(target).pathname;
  const end = path.indexOf('?');
  return end < 0 ? path : path.slice(0, end);
}

function workspaceOf(name: string): string | null {
  try {
    const decoded = decodeURIComponent(name);
    return isWorkspace(decoded) ? decoded : null;
  } catch {
    return null;
  }
}
