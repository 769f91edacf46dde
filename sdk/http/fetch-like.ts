/** What the SDK needs of `fetch`: the platform's own fits, and so does a wrapper that adds a proxy or a trace. */
export type FetchLike = (url: string, init: FetchLikeInit) => Promise<FetchLikeResponse>;

/** How a request is made. */
export interface FetchLikeInit {
  readonly method: 'GET' | 'POST';
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly signal: AbortSignal;
  readonly cache: 'no-store';
  /** `omit`, unless the token is had from a backend of the application's own, which may go by a cookie. */
  readonly credentials: 'omit' | 'same-origin' | 'include';
  readonly mode?: 'cors' | 'same-origin';
  /** A redirect must come back as an answer (or as status 0), never be followed: it would carry the token elsewhere. */
  readonly redirect: 'manual';
}

/** What is read of an answer. */
export interface FetchLikeResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: FetchLikeBody | null;
}

/** The body of an answer, as a stream of bytes. */
export interface FetchLikeBody {
  getReader(): FetchLikeReader;
}

/** Reads a body piece by piece. */
export interface FetchLikeReader {
  read(): Promise<
    | { readonly done: false; readonly value: Uint8Array }
    | { readonly done: true; readonly value?: Uint8Array | undefined }
  >;
  cancel(): Promise<void>;
}

/** Looks the platform's `fetch` up at each call: nothing is touched before, and an instrumented one is seen. */
export const platformFetch: FetchLike = (url, init) => globalThis.fetch(url, init);

/** Whether an answer is a redirect. Browsers hide its status behind 0 (an opaque redirect). */
export function isRedirect(response: FetchLikeResponse): boolean {
  return response.status === 0 || (response.status >= 300 && response.status < 400);
}
