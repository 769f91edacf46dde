import type { Check, Examination } from '../examination.js';
import { type Finding, graver, ok, problem, skipped, type Verdict } from '../finding.js';
import { judgeClaims } from '../judge-claims.js';
import { judgeForm, type Remark } from '../judge-form.js';

/** Every part of the token, with the check of the gate that would refuse it. */
export const tokenCheck: Check = {
  id: 'token',
  title: 'Token',
  needs: [],
  async run(examination) {
    const { token } = examination;
    if (token === null) return skipped('no token was given: --token-file, or SLUICE_TOKEN');
    const name = `${token.text.length} characters, tokenHash ${token.hash}`;
    if (token.parts === null) {
      return problem(
        [name, 'it is not a JWT that can be read: three parts of base64url, each a JSON object'],
        'Is it the whole token, without "Bearer" and quotes? An opaque token, or an encrypted one, is not taken.',
        { hash: token.hash, refusedBy: 'form' },
      );
    }
    const remarks = [...judgeForm(token.text, token.parts.header), ...judge(examination)];
    examination.known.refusedBy =
      remarks.find(({ verdict }) => verdict === 'problem')?.check ?? null;
    return findingOf(name, token.hash, remarks);
  },
};

function judge(examination: Examination): readonly Remark[] {
  const { token, workspace, known, expected } = examination;
  const now = Date.now() / 1_000 + (known.skewSeconds ?? 0);
  return judgeClaims(token?.parts?.claims ?? {}, { now, workspace, expected });
}

function findingOf(name: string, hash: string, remarks: readonly Remark[]): Finding {
  const verdict = remarks.map((remark) => remark.verdict).reduce<Verdict>(graver, 'ok');
  const width = Math.max(...remarks.map(({ claim }) => claim.length));
  const seen = [
    name,
    ...remarks.map(({ claim, value, note }) =>
      `  ${claim.padEnd(width)}  ${value}${note === null ? '' : `  <- ${note}`}`.trimEnd(),
    ),
  ];
  const facts = {
    hash,
    refusedBy: remarks.find((remark) => remark.verdict === 'problem')?.check ?? null,
    claims: remarks.map(({ claim, value, verdict: of, check, note }) => ({
      claim,
      value,
      verdict: of,
      check,
      note,
    })),
  };
  const first = remarks.find((remark) => remark.verdict === verdict && remark.advice !== null);
  return first === undefined ? ok(seen, facts) : { verdict, seen, advice: first.advice, facts };
}
