import { nameSettings } from '../setting.js';
import { flag, integer, path, text } from '../setting-kinds.js';

// Whoever sets them without an address takes the log for shared, or for safer than it is.
const REDIS = { name: 'REDIS_URL' };

/** The Redis that several nodes share. */
export const REDIS_SETTINGS = nameSettings({
  REDIS_URL: text({
    meaning:
      'The Redis that several nodes share: see [Redis](#redis). Without it the log is in `DATA_DIR`, and there is one node.',
    bounds: 'see [Redis](#redis), up to 8192 characters',
    // It may hold a password.
    isSecret: true,
    most: 8_192,
  }),
  REDIS_PREFIX: text({
    meaning:
      'What all keys and channels in Redis begin with. Services that are to share nothing need different ones.',
    bounds: '1 to 64 letters, digits and `_.:-`',
    fallback: 'sluice',
    most: 64,
    fault: 'must be 1 to 64 of A-Z a-z 0-9 _ . : -',
    // Braces would decide in which slot of a cluster keys lie.
    isValid: (prefix) => /^[A-Za-z0-9_.:-]+$/.test(prefix),
    needs: REDIS,
  }),
  REDIS_CA_FILE: path({
    meaning:
      'Certificates of the authorities that sign for Redis, as PEM, in place of those that Node.js trusts.',
    bounds: 'a path; with `rediss` alone',
    needs: REDIS,
  }),
  REDIS_DEADLINE_MS: integer({
    meaning:
      'How long anything that needs Redis may take. What is not answered by then is refused with UNAVAILABLE.',
    fallback: 2_000,
    least: 100,
    most: 30_000,
    needs: REDIS,
  }),
  REDIS_MIN_REPLICAS: integer({
    meaning:
      'How many replicas must have an event before streams get it and its publisher is told that it is taken. Where there are fewer, nothing can be published.',
    fallback: 0,
    least: 0,
    most: 10,
    needs: REDIS,
  }),
  REDIS_DURABLE: flag({
    meaning:
      'Whether whatever Redis has acknowledged survives its restart and its fail-over: see [scaling](scaling.md). With `false`, clients are told of a gap after each.',
    fallback: false,
    needs: REDIS,
  }),
});
