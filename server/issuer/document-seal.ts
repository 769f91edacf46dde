import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { IssuerError } from './issuer-error.js';

/** How a document is written where others than its owner may read it. */
export interface DocumentSeal {
  seal(text: string): string;
  /** @throws IssuerError if it was not sealed in this way. */
  open(sealed: string): string;
}

const CIPHER = 'aes-256-gcm';
const MARK = 'sealed-1:';
const KEY_BYTES = 32;
/** NIST SP 800-38D, section 8.2.2: a random one of 96 bits is good for 2^32 texts of one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * @param secret that cannot be guessed; `null`: documents are written as they are
 * @param name of the document: one that was put in the place of another is not opened
 */
export function documentSeal(secret: string | null, name: string): DocumentSeal {
  return secret === null ? openSeal(name) : secretSeal(secret, name);
}

function openSeal(name: string): DocumentSeal {
  return {
    seal: (text) => text,
    open(text) {
      if (!text.startsWith(MARK)) return text;
      throw new IssuerError(`${name} is encrypted: ISSUER_KEY_SECRET must be set`);
    },
  };
}

function secretSeal(secret: string, name: string): DocumentSeal {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'sluice issuer documents', KEY_BYTES));
  return {
    seal(text) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(name));
      const hidden = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return MARK + Buffer.concat([nonce, cipher.getAuthTag(), hidden]).toString('base64');
    },
    open(sealed) {
      // Taken as it is, whoever can write there could put keys of their own in its place.
      if (!sealed.startsWith(MARK)) {
        throw new IssuerError(`${name} is not encrypted, although ISSUER_KEY_SECRET is set`);
      }
      const bytes = Buffer.from(sealed.slice(MARK.length), 'base64');
      const nonce = bytes.subarray(0, NONCE_BYTES);
      const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
      try {
        const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
        decipher.setAAD(Buffer.from(name)).setAuthTag(tag);
        const hidden = bytes.subarray(NONCE_BYTES + TAG_BYTES);
        return Buffer.concat([decipher.update(hidden), decipher.final()]).toString();
      } catch {
        throw new IssuerError(`${name} was encrypted with another ISSUER_KEY_SECRET, or changed`);
      }
    },
  };
}
