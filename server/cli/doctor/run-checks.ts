import { NoAnswer } from './ask.js';
import { addressCheck } from './checks/address.js';
import { clockCheck } from './checks/clock.js';
import { compressionCheck } from './checks/compression.js';
import { connectionCheck } from './checks/connection.js';
import { corsCheck } from './checks/cors.js';
import { deliveryCheck } from './checks/delivery.js';
import { dnsCheck } from './checks/dns.js';
import { entryCheck } from './checks/entry.js';
import { errorsInStreamCheck } from './checks/errors-in-stream.js';
import { firstByteCheck } from './checks/first-byte.js';
import { heartbeatCheck } from './checks/heartbeat.js';
import { httpVersionCheck } from './checks/http-version.js';
import { jwksCheck } from './checks/jwks.js';
import { permissionCheck } from './checks/permission.js';
import { queryTokenCheck } from './checks/query-token.js';
import { readinessCheck } from './checks/readiness.js';
import { redirectsCheck } from './checks/redirects.js';
import { resumeCheck } from './checks/resume.js';
import { serviceCheck } from './checks/service.js';
import { signatureCheck } from './checks/signature.js';
import { streamHeadersCheck } from './checks/stream-headers.js';
import { streamTokenCheck } from './checks/stream-token.js';
import { tlsCheck } from './checks/tls.js';
import { tokenCheck } from './checks/token.js';
import type { Check, Examination } from './examination.js';
import { type Finding, problem, skipped } from './finding.js';
import { fitToShow } from './scribe.js';

/** From the outside in, in the order in which they run and are told. */
export const CHECKS: readonly Check[] = [
  addressCheck,
  dnsCheck,
  connectionCheck,
  tlsCheck,
  redirectsCheck,
  serviceCheck,
  httpVersionCheck,
  clockCheck,
  corsCheck,
  errorsInStreamCheck,
  queryTokenCheck,
  readinessCheck,
  jwksCheck,
  tokenCheck,
  signatureCheck,
  entryCheck,
  permissionCheck,
  streamHeadersCheck,
  firstByteCheck,
  compressionCheck,
  heartbeatCheck,
  streamTokenCheck,
  resumeCheck,
  deliveryCheck,
];

export interface CheckResult extends Finding {
  readonly id: string;
  readonly title: string;
  readonly durationMs: number;
}

/** Runs all checks, each told as soon as it is done. What fails takes along what needs it, and nothing else. */
export async function runChecks(
  examination: Examination,
  onResult: (result: CheckResult) => void,
): Promise<readonly CheckResult[]> {
  const results = new Map<string, CheckResult>();
  const stopped = whenAborted(examination.signal);
  try {
    for (const check of CHECKS) {
      const started = performance.now();
      const finding = await Promise.race([runOne(check, results, examination), stopped.promise]);
      const result = {
        id: check.id,
        title: check.title,
        ...fitToShow(finding, examination.secrets),
        durationMs: Math.round(performance.now() - started),
      };
      results.set(check.id, result);
      onResult(result);
    }
  } finally {
    stopped.release();
    const { first } = examination.known;
    if (first !== undefined && 'close' in first) first.close();
  }
  return [...results.values()];
}

export const STOPPED = 'the examination was ended before';

async function runOne(
  check: Check,
  results: ReadonlyMap<string, CheckResult>,
  examination: Examination,
): Promise<Finding> {
  if (examination.signal.aborted) return skipped(STOPPED);
  const blocking = check.needs
    .map((id) => results.get(id))
    .find((result) => result?.verdict === 'problem' || result?.verdict === 'skipped');
  if (blocking !== undefined) {
    return skipped(
      `needs "${blocking.title}", which ${blocking.verdict === 'skipped' ? 'was skipped' : 'has a problem'}`,
    );
  }
  try {
    return await check.run(examination);
  } catch (error) {
    if (examination.signal.aborted) return skipped(STOPPED);
    if (!(error instanceof NoAnswer)) {
      return problem(
        `the check itself failed: ${error}`,
        'This is a fault of the doctor: tell us.',
      );
    }
    return problem(
      error.message,
      error.isLate
        ? 'Nothing answers in time: look at the load of the service, and at what stands between.'
        : 'The connection was made before: look at the log of what stands between, and of the service.',
    );
  }
}

function whenAborted(signal: AbortSignal): { promise: Promise<Finding>; release(): void } {
  let release = () => {};
  const promise = new Promise<Finding>((resolve) => {
    const stop = () => resolve(skipped(STOPPED));
    signal.addEventListener('abort', stop, { once: true });
    release = () => signal.removeEventListener('abort', stop);
    if (signal.aborted) stop();
  });
  return { promise, release };
}
