import { SluiceError } from '../errors.js';
import { filePrivateDocuments } from './file-private-documents.js';
import {
  createSigningKey,
  MAX_KEYS,
  readKeys,
  type SigningKey,
  type SigningKeys,
  signingKeyOf,
  writeKeys,
} from './keys-file.js';
import type { PrivateDocuments } from './private-document.js';

/** What there is to know of a key, apart from the key. */
export interface KeyStatus {
  readonly kid: string;
  readonly alg: string;
  readonly createdAt: string;
  readonly signsFrom: string;
  /** `next`: published, signs later. `verifying`: has signed; tokens of it may be about. */
  readonly state: 'next' | 'signing' | 'verifying';
  /** When no token of it can be good any more; `null` while that is not settled. */
  readonly retirableAt: string | null;
}

export interface RetireOptions {
  /** The one to retire; all that may go, if it is not given. */
  readonly kid?: string | undefined;
  /** Whether tokens that are good may become invalid by it. */
  readonly evenIfTokensLive: boolean;
}

export interface KeyRotationOptions {
  readonly dataDir: string;
  /** Where the keys are; default: files of the data folder. */
  readonly documents?: PrivateDocuments;
  /** How long after its last signature a key may still be needed. */
  readonly maxTokenLifeSeconds: number;
  /** How long a change waits for one that another process makes. Default 2,000 ms. */
  readonly lockPatienceMs?: number;
}

/** Changes the keys of an issuer, which may be running: it sees them within a second. */
export interface KeyRotation {
  /** In the order in which they sign. None where the issuer has no keys yet. */
  list(): Promise<readonly KeyStatus[]>;
  /** Adds a key. @throws SluiceError INVALID_REQUEST if one waits already, there are none yet, or too many. */
  rotate(signsInSeconds: number): Promise<KeyStatus>;
  /** Removes keys that sign no more; says which. @throws SluiceError INVALID_REQUEST if the one named must stay. */
  retire(options: RetireOptions): Promise<readonly string[]>;
}

const NEXT_WAITS =
  'the next key waits for its time already; after a leak, retire it with --kid and --even-if-tokens-live';
/** A running issuer may sign with the key before for so long, until it looks at the file again. */
const LATE_SIGNATURE_MS = 1_000;

export function openKeyRotation(options: KeyRotationOptions): KeyRotation {
  const { dataDir, maxTokenLifeSeconds, lockPatienceMs } = options;
  const { keys: document } = options.documents ?? filePrivateDocuments(dataDir, lockPatienceMs);
  const { name } = document;
  const lifeMs = maxTokenLifeSeconds * 1_000 + LATE_SIGNATURE_MS;

  async function change(edit: (keys: SigningKeys) => readonly SigningKey[]): Promise<void> {
    // Where nothing is, nothing is made: not even a lock.
    if ((await document.read()) === null) throw noKeys();
    const changed = (text: string | null) => {
      if (text === null) throw noKeys();
      return writeKeys(edit(readKeys(name, text)));
    };
    await document.change(changed);
  }

  return {
    async list() {
      const read = await document.read();
      return read === null ? [] : statusesOf(readKeys(name, read.text), lifeMs);
    },

    async rotate(signsInSeconds) {
      const made = await createSigningKey();
      const signsFrom = made.createdAtMs + signsInSeconds * 1_000;
      let added: KeyStatus | undefined;
      await change((keys) => {
        const now = Date.now();
        const signing = signingKeyOf(keys, now);
        if (keys.at(-1) !== signing) throw refused(NEXT_WAITS);
        if (keys.length >= MAX_KEYS) {
          throw refused(`there are ${MAX_KEYS} keys already; retire some first`);
        }
        // Were it earlier than the key that signs now, it would never sign.
        const signsFromMs = Math.max(signsFrom, signing.signsFromMs + 1);
        const rotated: SigningKeys = [...keys, { ...made, signsFromMs }];
        added = statusesOf(rotated, lifeMs).at(-1);
        return rotated;
      });
      if (added === undefined) throw new Error('the key was not added');
      return added;
    },

    async retire(options) {
      const { kid } = options;
      let retired: readonly string[] = [];
      const choose = (keys: SigningKeys) => {
        const statuses = statusesOf(keys, lifeMs);
        const asked = kid === undefined ? statuses : [named(statuses, kid)];
        const reasons = asked.map((status) => reasonToStay(status, options));
        const [reason] = reasons;
        if (kid !== undefined && typeof reason === 'string') throw refused(reason);
        retired = asked.filter((_, index) => reasons[index] === null).map((status) => status.kid);
      };
      const read = await document.read();
      if (read === null) throw noKeys();
      choose(readKeys(name, read.text));
      // No change for nothing.
      if (retired.length === 0) return [];
      await change((keys) => {
        choose(keys);
        return keys.filter(({ publicJwk }) => !retired.includes(publicJwk.kid));
      });
      return retired;
    },
  };
}

function named(statuses: readonly KeyStatus[], kid: string): KeyStatus {
  const status = statuses.find((candidate) => candidate.kid === kid);
  if (status === undefined) throw refused('there is no such key');
  return status;
}

/** Why a key is needed; `null` if it may go. */
function reasonToStay(
  { state, retirableAt }: KeyStatus,
  { kid, evenIfTokensLive }: RetireOptions,
): string | null {
  if (state === 'signing') return 'the key signs; rotate first';
  if (state === 'next') {
    // After a leak nothing that lay in the file is good any more, the next key neither. It goes only by its name.
    const isMeant = kid !== undefined && evenIfTokensLive;
    return isMeant ? null : 'the key is the next to sign';
  }
  const isNeeded = !evenIfTokensLive && Date.parse(retirableAt ?? '') > Date.now();
  return isNeeded ? `tokens of the key may live until ${retirableAt}` : null;
}

function statusesOf(keys: SigningKeys, lifeMs: number): readonly KeyStatus[] {
  const now = Date.now();
  const signing = keys.indexOf(signingKeyOf(keys, now));
  return keys.map(({ publicJwk: { kid, alg }, createdAtMs, signsFromMs }, index) => {
    const successor = keys[index + 1];
    return {
      kid,
      alg,
      createdAt: new Date(createdAtMs).toISOString(),
      signsFrom: new Date(signsFromMs).toISOString(),
      state: index === signing ? 'signing' : index < signing ? 'verifying' : 'next',
      // It signed until the next one did.
      retirableAt:
        successor === undefined ? null : new Date(successor.signsFromMs + lifeMs).toISOString(),
    };
  });
}

function noKeys(): SluiceError {
  return refused('there are no keys yet; the service makes them when it starts');
}

function refused(fault: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', fault);
}
