import type { Check } from '../examination.js';
import { ok, problem, skipped, warning } from '../finding.js';

const FAR_SECONDS = 60;

/** The service's clock by the Date of an answer, against ours in the middle of the round trip. */
export const clockCheck: Check = {
  id: 'clock',
  title: 'Clocks',
  needs: ['redirects'],
  async run({ known, expected }) {
    const { bare } = known;
    const date = Date.parse(bare?.headers.date ?? '');
    if (bare === undefined || Number.isNaN(date)) return skipped('the answer has no Date');
    // A Date tells whole seconds: the middle of its second is the best guess.
    const ourMs = (bare.askedAt + bare.headAt) / 2;
    const exact = (date + 500 - ourMs) / 1_000;
    const uncertain = 0.5 + (bare.headAt - bare.askedAt) / 2_000;
    const skew = Math.abs(exact) <= uncertain ? 0 : Math.round(exact);
    known.skewSeconds = skew;
    const facts = { skewSeconds: skew, uncertaintySeconds: Number(uncertain.toFixed(2)) };
    const seen =
      skew === 0
        ? `they agree, within ${uncertain.toFixed(1)} s`
        : `the clock that answers is ${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} ours`;
    if (Math.abs(skew) <= expected.clockToleranceSeconds) return ok(seen, facts);
    const advice =
      'Set the clocks by NTP, on the service, on its proxy (whose Date may be the one that is seen) and on this machine: tokens are refused too early or too late.';
    return Math.abs(skew) > FAR_SECONDS
      ? problem(seen, advice, facts)
      : warning(seen, advice, facts);
  },
};
