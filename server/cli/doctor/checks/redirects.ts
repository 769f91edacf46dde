import { eventsPath } from '@sluice/protocol';
import { ask } from '../ask.js';
import type { Check } from '../examination.js';
import { ok, problem } from '../finding.js';

/** Asks for a stream without a token, which every Sluice refuses. What answers is looked at by later checks too. */
export const redirectsCheck: Check = {
  id: 'redirects',
  title: 'Redirects',
  needs: ['tls'],
  async run(examination) {
    const { base, workspace, known } = examination;
    const answer = await ask(examination, eventsPath(workspace ?? 'doctor'));
    known.bare = answer;
    if (answer.status < 300 || answer.status > 399) return ok('none', { status: answer.status });
    const text = answer.headers.location ?? '';
    const target = URL.canParse(text, base.href) ? new URL(text, base) : null;
    const place = target === null ? 'nowhere' : `${target.origin}${target.pathname}`;
    const isToTls =
      target?.hostname === base.hostname &&
      base.protocol === 'http:' &&
      target.protocol === 'https:';
    return problem(
      [
        `the stream's address is redirected to ${place} (${answer.status})`,
        isToTls
          ? 'the token has travelled in the clear before the redirect comes'
          : 'clients follow to another origin without the Authorization header, or not at all',
      ],
      target === null
        ? 'Look at the rule of the proxy that redirects this path.'
        : `Use ${baseIn(target, workspace)} in the first place; or take this path out of the rule that redirects.`,
      { status: answer.status, location: place },
    );
  },
};

/** Where the service would stand, if the redirect leads to its stream. */
function baseIn({ origin, pathname }: URL, workspace: string | null): string {
  const path = eventsPath(workspace ?? 'doctor');
  return pathname.endsWith(path) ? `${origin}${pathname.slice(0, -path.length)}` : origin;
}
