import type { TokenOptions } from '../auth/token-options.js';
import { RealtimeClient } from '../client.js';
import {
  type ConnectOptions,
  checkEndpoint,
  type RealtimeClientOptions,
} from '../client-options.js';

/**
 * How a provider makes its client: as `RealtimeClientOptions`, but for the name of `workspaceId`, and for `authToken`,
 * which may be missing as long as nobody is signed in.
 */
export type OwnClientOptions = Omit<ConnectOptions, 'workspace'> & {
  /** The workspace whose events are subscribed to. */
  readonly workspaceId: string;
} & (TokenOptions | MaybeSignedIn);

type AuthToken = Extract<TokenOptions, { readonly authToken: unknown }>;
type MaybeSignedIn = Omit<AuthToken, 'authToken'> & {
  /** A token, or a function that is asked for one. `null` or `undefined`: nobody is signed in, and there is no client. */
  readonly authToken: AuthToken['authToken'] | null | undefined;
};

/** Options by their names, for what is done to all of them alike. */
type Values = Readonly<Record<string, unknown>>;

/**
 * What an `authEndpoint` is told. All of it is handed to the client as functions, which read it when the client calls, so
 * that it may also come and go.
 */
const READ_ANEW = ['authHeaders', 'authParams', 'authRequestOptions'] as const;
/** Options that hold a token, or a function that gets one. */
const TOKENS = ['token', 'authToken', 'getToken'] as const;

/**
 * The client of one provider. It follows the props: a token or an endpoint that changes goes to the client that there is,
 * functions are looked up when they are called, and for what is left there is another client.
 * Nothing is done before the first `follow`, so that one that never gets that far leaves nothing behind.
 */
export class OwnClient {
  #client: RealtimeClient | null = null;
  /** What the client was made of, and has been brought up to since. */
  #options: OwnClientOptions | null = null;
  readonly #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The client of now; `null` while nobody is signed in. */
  readonly current = (): RealtimeClient | null => this.#client;

  /** @throws TypeError that names the options that are wrong. */
  follow(options: OwnClientOptions | null): void {
    const before = this.#options;
    if (options === null || isSignedOut(options)) {
      this.close();
    } else if (this.#client === null || before === null || !isSameMake(before, options)) {
      this.close();
      this.#options = options;
      const now = (): OwnClientOptions => this.#options ?? options;
      this.#replace(new RealtimeClient(clientOptionsOf(options, now)));
    } else {
      this.#options = options;
      bringUp(this.#client, before, options);
    }
  }

  /** Until the next `follow`. */
  close(): void {
    this.#options = null;
    this.#client?.close();
    if (this.#client !== null) this.#replace(null);
  }

  #replace(client: RealtimeClient | null): void {
    this.#client = client;
    for (const listener of this.#listeners) listener();
  }
}

function isSignedOut(options: OwnClientOptions): boolean {
  return 'authToken' in options && (options.authToken ?? null) === null;
}

/** Whether one client can be both. */
function isSameMake(before: OwnClientOptions, now: OwnClientOptions): boolean {
  return before.signal === now.signal && makeOf(before) === makeOf(now);
}

/** What cannot change about a client, as text that can be compared. It is kept nowhere, for there may be a secret in it. */
function makeOf({ endpoint, onError, ...options }: OwnClientOptions): string {
  const parts = Object.entries(options).map(([name, value]) => {
    if (isReadAnew(name, options)) return [name, undefined] as const;
    const isFree = typeof value === 'function' || TOKENS.some((token) => token === name);
    return [name, isFree ? typeof value : value] as const;
  });
  return JSON.stringify(parts.filter(([, part]) => part !== undefined).sort(byName));
}

function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1;
}

function bringUp(client: RealtimeClient, before: OwnClientOptions, now: OwnClientOptions): void {
  const token = tokenOf(now);
  const isNewToken = token !== undefined && token !== tokenOf(before);
  if (now.endpoint !== before.endpoint) {
    // Before the client does, which calls it by another name.
    const baseUrl = checkEndpoint('endpoint', now.endpoint);
    client.updateEndpoint({ baseUrl, ...(isNewToken && { token }) });
  } else if (isNewToken) {
    client.setToken(token);
  }
}

function tokenOf(options: OwnClientOptions): string | undefined {
  return TOKENS.map((name) => (options as Values)[name]).find((value) => typeof value === 'string');
}

/** @param now the options of now, in which functions are looked up when they are called */
function clientOptionsOf(
  { workspaceId, ...options }: OwnClientOptions,
  now: () => OwnClientOptions,
): RealtimeClientOptions {
  const names = new Set([...Object.keys(options), ...READ_ANEW]);
  const entries = [...names].map((name) => {
    const value = (options as Values)[name];
    const isCalled = typeof value === 'function' || isReadAnew(name, options);
    const read = (...args: unknown[]): unknown => resolve((now() as Values)[name], args);
    return [name, isCalled ? read : value] as const;
  });
  const given = entries.filter(([, value]) => value !== undefined);
  // One that comes or goes must not take another client.
  const onError: ConnectOptions['onError'] = (error) => now().onError?.(error);
  return { ...Object.fromEntries(given), workspace: workspaceId, onError } as RealtimeClientOptions;
}

function isReadAnew(name: string, { authEndpoint }: Values): boolean {
  return authEndpoint !== undefined && READ_ANEW.some((other) => other === name);
}

function resolve(option: unknown, args: readonly unknown[]): unknown {
  return typeof option === 'function' ? option(...args) : option;
}
