import { nameSettings } from '../setting.js';
import { integer, path, text, url } from '../setting-kinds.js';

const AUTHZEN = { name: 'AUTHZEN_URL' };

/** Who decides what a token may do, and who is told of it. */
export const PERMISSION_SETTINGS = nameSettings({
  AUTHZEN_URL: url({
    meaning:
      "A policy decision point that speaks the OpenID Authorization API (AuthZEN). It is asked at `/access/v1/evaluation` below this address. Without it and `POLICY_FILE` the token's claims decide.",
  }),
  AUTHZEN_TOKEN: text({
    meaning: 'Sent to the decision point as a Bearer token.',
    bounds: 'up to 8192 visible characters of ASCII',
    isSecret: true,
    most: 8_192,
    fault: 'must be up to 8192 visible characters of ASCII',
    isValid: (token) => /^[\x21-\x7e]+$/.test(token),
    // Without its address the decision point would not be asked, and the token would decide.
    needs: AUTHZEN,
  }),
  AUTHZEN_DEADLINE_MS: integer({
    meaning:
      'How long the decision point may take for one question. It waits for its turn as long again, at the most.',
    fallback: 2_000,
    least: 10,
    most: 4_000,
    needs: AUTHZEN,
  }),
  AUTHZEN_CACHE_MS: integer({
    meaning:
      'How long a decision may be used again. It is never used again for history and for open streams.',
    fallback: 10_000,
    least: 0,
    most: 600_000,
    needs: AUTHZEN,
  }),
  POLICY_FILE: path({
    meaning:
      'A policy in CSV (casbin, RBAC with domains): see [Permissions](#permissions). It is read again when it changes.',
  }),
  AUDIT_LOG: path({
    meaning:
      'Where decisions and revocations are told of, one JSON object a line. `LOG_LEVEL` has no effect on it.',
    bounds: '`stderr`, `off` or a path',
    fallback: 'stderr',
  }),
  RECHECK_INTERVAL_MS: integer({
    meaning: 'How often the permission of an open stream is asked for again, where it can change.',
    fallback: 60_000,
    least: 100,
    most: 3_600_000,
  }),
  RECHECK_GRACE_MS: integer({
    meaning: 'How long a stream stays open while its permission cannot be asked for.',
    fallback: 300_000,
    least: 0,
    most: 86_400_000,
  }),
});
