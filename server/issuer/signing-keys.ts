import {
  createSigningKey,
  type PublicJwk,
  readKeys,
  type SigningKey,
  type SigningKeys,
  signingKeyOf,
  writeKeys,
} from './keys-file.js';
import type { PrivateDocument } from './private-document.js';

/** A key set as it is published (RFC 7517). */
export interface PublishedKeys {
  readonly keys: readonly PublicJwk[];
}

/** The keys of an issuer as they are now: what another process changes is seen within a second. */
export interface LiveKeys {
  /** The one that signs now. */
  signing(): SigningKey;
  /** The very same object as long as nothing changed. */
  published(): PublishedKeys;
}

/** How long the document is not looked at again. */
const LOOK_INTERVAL_MS = 500;

/**
 * The keys kept in `document`; made where there are none yet. Processes that start at once end with the same keys.
 * @param onFailure told when a change of them cannot be read. Until it can be, the keys stay as they were.
 * @throws IssuerError if they are damaged or open to others. They are never replaced.
 */
export async function openSigningKeys(
  document: PrivateDocument,
  onFailure: (error: unknown) => void = () => {},
): Promise<LiveKeys> {
  const { name } = document;
  let read = await document.read();
  if (read === null) {
    await document.create(writeKeys([await createSigningKey()]));
    // Read back rather than kept: another process may have been faster.
    read = await document.read();
  }
  let keys = readKeys(name, read?.text ?? '');
  let published = publish(keys);
  let version = read?.version ?? null;
  let unreadable: string | null | undefined;
  let lookedAt = performance.now();

  function look(): void {
    const now = performance.now();
    if (now - lookedAt < LOOK_INTERVAL_MS) return;
    lookedAt = now;
    let found: string | null | undefined;
    try {
      found = document.versionNow();
      if (found === version) return;
      const changed = document.readNow();
      keys = readKeys(name, changed?.text ?? '');
      published = publish(keys);
      version = changed?.version ?? null;
    } catch (error) {
      // Tried again with each look, but told once.
      if (found !== unreadable) onFailure(error);
      unreadable = found;
    }
  }

  return {
    signing() {
      look();
      return signingKeyOf(keys, Date.now());
    },
    published() {
      look();
      return published;
    },
  };
}

function publish(keys: SigningKeys): PublishedKeys {
  return { keys: keys.map(({ publicJwk }) => publicJwk) };
}
