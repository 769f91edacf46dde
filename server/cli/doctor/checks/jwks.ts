import { JWKS_PATH } from '@sluice/protocol';
import { discoverJwks } from '../../../gate/token/discover-jwks.js';
import { fetchJwks } from '../../../gate/token/fetch-jwks.js';
import { describeFailure, pathBelow } from '../ask.js';
import type { Check, Examination } from '../examination.js';
import { type Finding, graver, ok, problem, skipped, type Verdict, warning } from '../finding.js';
import { type JudgedKey, judgeKey } from '../judge-key.js';
import { isLoopbackHost } from '../loopback.js';

const MAX_KEYS_SHOWN = 20;
const UNREADABLE =
  'If it is the right one, the service cannot read it either from a place like this: look who answers there. An authority of your own is named by NODE_EXTRA_CA_CERTS, here and for the service.';

interface Source {
  readonly place: string;
  readonly url: URL;
  read(): Promise<{ keys: unknown }>;
}

export const jwksCheck: Check = {
  id: 'jwks',
  title: 'JWKS',
  needs: [],
  async run(examination) {
    const source = sourceOf(examination);
    if (source === null) {
      return skipped(
        'neither --jwks was given, nor does the "iss" of the token tell where the keys are',
      );
    }
    const { place, url } = source;
    if (url.protocol !== 'https:' && !isLoopbackHost(url.hostname)) {
      const seen = `${place}: plain http, so whoever is between can put keys of their own in its place; it was not asked`;
      return examination.jwks === null
        ? warning(seen, 'Name the address of the keys by --jwks.', { url: place })
        : problem(seen, 'Publish the keys over https: Sluice takes them in no other way.', {
            url: place,
          });
    }
    let keys: unknown;
    try {
      ({ keys } = await source.read());
    } catch (error) {
      const seen = `${place}: ${describeFailure(error)}`;
      // Where the service was told of another address, its keys may be well.
      return examination.jwks === null
        ? warning(seen, `Name the address of the keys by --jwks. ${UNREADABLE}`, { url: place })
        : problem(seen, UNREADABLE, { url: place });
    }
    if (!Array.isArray(keys)) {
      return problem(`${place}: "keys" is not a list`, 'This is no JWK set (RFC 7517).', {
        url: place,
      });
    }
    examination.known.keys = keys;
    return judgeSet(place, keys, examination);
  },
};

function sourceOf({ jwks, token, base }: Examination): Source | null {
  if (jwks !== null) {
    const place = `${jwks.origin}${jwks.pathname}`;
    return { place, url: jwks, read: () => fetchJwks(jwks.href) };
  }
  const issuer = token?.parts?.claims['iss'];
  if (typeof issuer !== 'string') return null;
  if (issuer === 'urn:sluice:embedded') {
    const url = new URL(base);
    url.pathname = pathBelow(base, JWKS_PATH);
    return { place: url.href, url, read: () => fetchJwks(url.href) };
  }
  if (!/^https?:/.test(issuer) || !URL.canParse(issuer)) return null;
  return {
    place: `by the metadata of ${issuer}`,
    url: new URL(issuer),
    read: () => discoverJwks(issuer),
  };
}

function judgeSet(place: string, members: readonly unknown[], { token }: Examination): Finding {
  const keys = members.map(judgeKey);
  const usable = keys.filter(({ algorithms }) => algorithms.length > 0);
  const ids = keys.filter(({ isForSignatures }) => isForSignatures).map(({ kid }) => kid);
  const doubled = [
    ...new Set(ids.filter((kid, index) => kid !== null && ids.indexOf(kid) < index)),
  ];
  const leaked = keys.filter(({ isPrivate }) => isPrivate);
  const kid = token?.parts?.header['kid'];
  const isMissing = typeof kid === 'string' && !usable.some((key) => key.kid === kid);

  const faults: { verdict: Verdict; what: string; advice: string }[] = [];
  const find = (verdict: Verdict, what: string, advice: string) =>
    faults.push({ verdict, what, advice });
  if (leaked.length > 0) {
    find(
      'problem',
      `PRIVATE parts are published of ${listOf(leaked)}: whoever has read them can make tokens`,
      'Take these keys out of use now, make new ones, and publish public keys alone. Whatever they signed must not be trusted.',
    );
  }
  if (doubled.length > 0) {
    find(
      'problem',
      `two keys are called ${doubled.join(', ')}: the service takes nothing of such a set`,
      'Give each key a kid of its own.',
    );
  }
  if (usable.length === 0) {
    find(
      'problem',
      'no key in it may verify a token',
      'Publish a key: RSA from 2048 bits, P-256, P-384 or Ed25519.',
    );
  }
  if (isMissing) {
    find(
      'problem',
      `the key of the token (${kid}) is not in it, or may verify nothing`,
      'The token is older than the last rotation, or of another issuer: get a new one.',
    );
  }
  const unfit = keys.filter(({ fault }) => fault !== null);
  if (unfit.length > 0 && usable.length > 0) {
    find(
      'warning',
      `${unfit.length} of ${keys.length} keys are of no use here`,
      'See the keys that are marked.',
    );
  }
  const seen = [
    `${place}: ${keys.length === 1 ? 'one key' : `${keys.length} keys`}`,
    ...keys.slice(0, MAX_KEYS_SHOWN).map(describe),
    ...faults.map(({ what }) => what),
  ];
  const facts = {
    url: place,
    keys: keys.slice(0, MAX_KEYS_SHOWN),
    doubled,
    isKeyOfTokenMissing: isMissing,
  };
  const verdict = faults.map((fault) => fault.verdict).reduce(graver, 'ok');
  const gravest = faults.find((fault) => fault.verdict === verdict);
  return gravest === undefined ? ok(seen, facts) : { verdict, seen, advice: gravest.advice, facts };
}

function describe({ kid, kind, algorithms, fault }: JudgedKey): string {
  return `  ${kid ?? '(no kid)'}: ${kind}${fault === null ? `, for ${algorithms.join(', ')}` : `, of no use: ${fault}`}`;
}

function listOf(keys: readonly JudgedKey[]): string {
  return keys.map(({ kid }) => kid ?? '(no kid)').join(', ');
}
