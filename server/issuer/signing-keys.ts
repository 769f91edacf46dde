import {
  createSigningKey,
  keysPath,
  type PublicJwk,
  readKeys,
  type SigningKey,
  type SigningKeys,
  signingKeyOf,
  writeKeys,
} from './keys-file.js';
import {
  createPrivateFile,
  readPrivateFile,
  readPrivateFileNow,
  versionOfPrivateFile,
  versionOfPrivateFileNow,
} from './private-file.js';

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

/** How long the file is not looked at again. */
const LOOK_INTERVAL_MS = 500;

/**
 * The keys kept in `folder`; made where there are none yet. Processes that start at once end with the same keys.
 * @param onFailure told when a change of the file cannot be read. Until it can be, the keys stay as they were.
 * @throws IssuerError if the file is damaged or open to others. It is never replaced.
 */
export async function openSigningKeys(
  folder: string,
  onFailure: (error: unknown) => void = () => {},
): Promise<LiveKeys> {
  const path = keysPath(folder);
  let file = await readPrivateFile(path);
  if (file === null) {
    await createPrivateFile(path, writeKeys([await createSigningKey()]));
    // Read back rather than kept: another process may have been faster.
    file = await readPrivateFile(path);
  }
  let keys = readKeys(path, file?.text ?? '');
  let published = publish(keys);
  let version = file?.version ?? null;
  let unreadable: string | null | undefined;
  let lookedAt = performance.now();

  function look(): void {
    const now = performance.now();
    if (now - lookedAt < LOOK_INTERVAL_MS) return;
    lookedAt = now;
    let found: string | null | undefined;
    try {
      found = versionOfPrivateFileNow(path);
      if (found === version) return;
      const changed = readPrivateFileNow(path);
      keys = readKeys(path, changed?.text ?? '');
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

/** Whether keys are kept in `folder`, usable or not. Makes nothing. */
export async function hasSigningKeys(folder: string): Promise<boolean> {
  return (await versionOfPrivateFile(keysPath(folder))) !== null;
}

function publish(keys: SigningKeys): PublishedKeys {
  return { keys: keys.map(({ publicJwk }) => publicJwk) };
}
