import { SluiceError } from '../../../errors.js';
import { checkSignature } from '../../../gate/token/check-signature.js';
import { mayVerify, pinned, verificationKey } from '../../../gate/token/verification-key.js';
import type { Check, Examination } from '../examination.js';
import { ok, problem, skipped } from '../finding.js';
import { adviceFor } from '../refusal-of.js';

/** Judged here, by the gate's own pieces, whatever the service says. */
export const signatureCheck: Check = {
  id: 'signature',
  title: 'Signature',
  needs: [],
  async run({ known, token }: Examination) {
    if (token === null) return skipped('no token was given');
    if (token.parts === null) return skipped('the token cannot be read');
    if (known.keys === undefined) return skipped('there are no keys: see "JWKS"');
    const { alg, kid } = token.parts.header;
    if (alg === 'HS256') return skipped('it is made with a shared secret, which is not known here');
    const facts = { alg, kid };
    const found = known.keys.find(
      (member) => Object(member).kid === kid && mayVerify(Object(member)),
    );
    if (typeof kid !== 'string' || typeof alg !== 'string' || found === undefined) {
      return problem(
        `no key is published that ${typeof kid === 'string' ? `is called ${kid}` : 'the token names (it has no "kid")'}`,
        'Get a new token from the issuer; or the JWKS is that of another one.',
        facts,
      );
    }
    try {
      const { alg: own } = Object(found);
      const publicKey = { key: Object(found), format: 'jwk' as const };
      const key = pinned(
        verificationKey(publicKey, typeof own === 'string' ? own : undefined),
        alg,
      );
      await checkSignature(token.text, key.key, alg);
      known.hasSignature = true;
      return ok(`holds, by the key ${kid} and ${alg}`, facts);
    } catch (error) {
      const detail = error instanceof SluiceError ? error.message : 'the key cannot be read';
      const refusal = {
        code: 'INVALID_TOKEN',
        detail,
        recoverable: false,
        retryAfterMs: undefined,
      };
      return problem(detail, adviceFor(refusal), facts);
    }
  },
};
