import { AbortScope, untilAborted } from '../abort-scope.js';
import type { FetchLikeBody, FetchLikeResponse } from './fetch-like.js';

/** A problem or a token takes a few kilobytes; more is not read. */
const MAX_BODY_BYTES = 65_536;
const BODY_DEADLINE_MS = 5_000;

/** The chunks of a body, up to its end or the abort, whose reason it throws. The body is let go in every case. */
export async function* readChunks(
  body: FetchLikeBody,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const chunk = await untilAborted(reader.read(), signal);
      if (chunk.done) return;
      yield chunk.value;
    }
  } finally {
    // A body that already failed refuses to be cancelled, which is of no interest any more.
    reader.cancel().catch(() => {});
  }
}

/** The JSON object in a body of at most 64 KB that arrives within 5 s; `null` for anything else. */
export async function readJsonObject(
  response: FetchLikeResponse,
  signal: AbortSignal,
): Promise<Record<string, unknown> | null> {
  return parseJsonObject(await readText(response, signal));
}

/** The text of a body of at most 64 KB that arrives within 5 s; empty for anything else. */
export async function readText(response: FetchLikeResponse, signal: AbortSignal): Promise<string> {
  if (response.body === null) return '';
  const scope = new AbortScope(signal);
  scope.abortAfter(BODY_DEADLINE_MS, () => null);
  try {
    const decoder = new TextDecoder();
    let text = '';
    let bytes = 0;
    for await (const chunk of readChunks(response.body, scope.signal)) {
      bytes += chunk.byteLength;
      if (bytes > MAX_BODY_BYTES) return '';
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch {
    return '';
  } finally {
    scope.end();
  }
}

/** Reads a JSON object; `null` for text that is none. */
export function parseJsonObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    // `null` is of this type, too.
    const isObject = typeof value === 'object' && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}
