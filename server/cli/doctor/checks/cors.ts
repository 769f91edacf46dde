import { eventsPath } from '@sluice/protocol';
import { type Answer, ask } from '../ask.js';
import type { Check } from '../examination.js';
import { ok, problem, skipped } from '../finding.js';
import { adviceFor, isProblemOfSluice, refusalOf } from '../refusal-of.js';

/** What the SDK sends in a page, beside what every page may send. */
const NEEDED_HEADERS = ['authorization', 'last-event-id'];

export const corsCheck: Check = {
  id: 'cors',
  title: 'CORS',
  needs: ['service'],
  async run(examination) {
    const { origin, workspace, base } = examination;
    if (origin === null) return skipped('no --origin was given');
    if (origin === base.origin) return ok('the page is of the same origin: not needed', { origin });
    const path = eventsPath(workspace ?? 'doctor');
    const preflight = await ask(examination, path, {
      method: 'OPTIONS',
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': NEEDED_HEADERS.join(', '),
      },
    });
    const actual = await ask(examination, path, { headers: { Origin: origin } });
    const isRefused = [preflight, actual].some(isRefusalOfOrigin);
    const faults = isRefused
      ? [`the service refuses the origin ${origin}`]
      : [
          ...faultsOf(preflight, origin).map((fault) => `preflight: ${fault}`),
          ...preflightFaults(preflight),
          ...faultsOf(actual, origin).map((fault) => `answer: ${fault}`),
        ];
    const facts = {
      origin,
      preflightStatus: preflight.status,
      allowOrigin: allowedIn(actual),
      allowHeaders: preflight.headers['access-control-allow-headers'] ?? null,
    };
    if (faults.length === 0) {
      return ok(`pages of ${origin} may read the answers, and send their token`, facts);
    }
    return problem(faults, adviceOf(isRefused, preflight, origin), facts);
  },
};

function allowedIn({ distinct }: Answer): readonly string[] {
  return distinct['access-control-allow-origin'] ?? [];
}

function faultsOf(answer: Answer, origin: string): string[] {
  const allowed = allowedIn(answer);
  if (allowed.length === 0) return ['no Access-Control-Allow-Origin'];
  if (allowed.length > 1 || allowed[0]?.includes(',')) {
    return [
      `Access-Control-Allow-Origin holds several values (${allowed.join(' | ')}), which browsers refuse`,
    ];
  }
  if (allowed[0] === '*') {
    return [
      'Access-Control-Allow-Origin is *, which does not come from Sluice: it names the origin',
    ];
  }
  return allowed[0] === origin ? [] : [`Access-Control-Allow-Origin is ${allowed[0]}`];
}

function preflightFaults({ status, headers }: Answer): string[] {
  const listed = (headers['access-control-allow-headers'] ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
  const missing = NEEDED_HEADERS.filter((name) => !listed.includes(name));
  return [
    ...(status < 200 || status > 299 ? [`preflight: answered ${status}`] : []),
    ...(missing.length > 0
      ? [`preflight: Access-Control-Allow-Headers lacks ${missing.join(' and ')}`]
      : []),
  ];
}

function isRefusalOfOrigin(answer: Answer): boolean {
  return isProblemOfSluice(answer) && refusalOf(answer).code === 'FORBIDDEN';
}

function adviceOf(isRefused: boolean, preflight: Answer, origin: string): string {
  if (isRefused) {
    return `Add ${origin} to ALLOWED_ORIGINS of the service, exactly so: scheme, host, port if any, no slash.`;
  }
  return isProblemOfSluice(preflight)
    ? adviceFor(refusalOf(preflight))
    : 'A proxy writes CORS headers of its own, or answers OPTIONS itself: leave both to the service (ALLOWED_ORIGINS).';
}
