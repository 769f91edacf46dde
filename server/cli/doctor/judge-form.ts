import { ALGORITHMS } from '../../config.js';
import { SluiceError } from '../../errors.js';
import { readCompactJwt } from '../../gate/token/compact-jwt.js';
import type { Verdict } from './finding.js';

/** The steps of the gate that look at a token, in their order. */
export type GateCheck =
  | 'form'
  | 'algorithm'
  | 'key'
  | 'issuer'
  | 'audience'
  | 'claims'
  | 'expiry'
  | 'workspace'
  | 'permission';

/** What there is to say of one part of the token. */
export interface Remark {
  readonly claim: string;
  readonly value: string;
  readonly verdict: Verdict;
  /** The step that looks at it. */
  readonly check: GateCheck;
  readonly note: string | null;
  readonly advice: string | null;
}

export const MAX_VALUE_CHARACTERS = 120;

export function remark(claim: string, value: unknown, check: GateCheck): Remark {
  return { claim, value: shown(value), verdict: 'ok', check, note: null, advice: null };
}

export function refused(
  claim: string,
  value: unknown,
  check: GateCheck,
  note: string,
  advice: string,
): Remark {
  return {
    claim,
    value: shown(value),
    verdict: 'problem',
    check,
    note: `refused by the check of the ${check}: ${note}`,
    advice,
  };
}

export function doubtful(
  claim: string,
  value: unknown,
  check: GateCheck,
  note: string,
  advice: string,
): Remark {
  return { claim, value: shown(value), verdict: 'warning', check, note, advice };
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '(missing)');
  return text.length > MAX_VALUE_CHARACTERS ? `${text.slice(0, MAX_VALUE_CHARACTERS)}…` : text;
}

/** The header, and whatever the gate's own reader has against the form. */
export function judgeForm(
  text: string,
  header: Readonly<Record<string, unknown>>,
): readonly Remark[] {
  const others = Object.keys(header)
    .filter((name) => !['alg', 'kid', 'typ'].includes(name))
    .slice(0, 10);
  const remarks = [
    judgeAlgorithm(header['alg']),
    header['kid'] === undefined
      ? refused(
          'kid',
          header['kid'],
          'key',
          'the token names no key',
          'The issuer must write the "kid" of its key into the header.',
        )
      : remark('kid', header['kid'], 'key'),
    remark('typ', header['typ'], 'form'),
    ...others.map((name) => remark(name, header[name], 'form')),
  ];
  const fault = faultOfForm(text);
  return fault === null
    ? remarks
    : [
        ...remarks,
        refused(
          'form',
          '',
          'form',
          fault,
          'Get a plain signed access token from the issuer: no ID token, no encryption, no extensions.',
        ),
      ];
}

function judgeAlgorithm(alg: unknown): Remark {
  if (ALGORITHMS.some((known) => known === alg)) return remark('alg', alg, 'algorithm');
  if (alg === 'HS256') {
    return doubtful(
      'alg',
      alg,
      'algorithm',
      'good only where the service has JWT_SECRET',
      'A shared secret lets every service that checks tokens make them too: sign with a key pair.',
    );
  }
  const note =
    typeof alg === 'string' && alg.toLowerCase() === 'none'
      ? 'the token is not signed, so anybody could have made it'
      : 'not accepted';
  return refused(
    'alg',
    alg,
    'algorithm',
    note,
    `Have the issuer sign with one of ${ALGORITHMS.join(', ')}.`,
  );
}

function faultOfForm(text: string): string | null {
  try {
    readCompactJwt(text, { requiresAccessTokenType: false });
    return null;
  } catch (error) {
    if (error instanceof SluiceError) return error.message;
    throw error;
  }
}
