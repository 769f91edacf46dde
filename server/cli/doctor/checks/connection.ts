import { connect, isIPv6 } from 'node:net';
import { describeFailure, seconds } from '../ask.js';
import type { Check, Examination } from '../examination.js';
import { ok, problem, warning } from '../finding.js';

const DEADLINE_MS = 5_000;
/** This machine has no such network: nothing is known of what others can reach. */
const NOT_FROM_HERE = ['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'];

interface Attempt {
  readonly address: string;
  readonly ms: number | null;
  readonly failure: string | null;
  readonly code: string | null;
}

export const connectionCheck: Check = {
  id: 'connection',
  title: 'Connection',
  needs: ['dns'],
  async run(examination) {
    const { base, known } = examination;
    const port = Number(base.port) || (base.protocol === 'https:' ? 443 : 80);
    const attempts = await Promise.all(
      (known.addresses ?? []).map(({ address }) => tryToConnect(address, port, examination)),
    );
    const reached = attempts.filter(({ ms }) => ms !== null);
    const dead = attempts.filter(
      ({ ms, code }) => ms === null && !NOT_FROM_HERE.includes(code ?? ''),
    );
    const seen = attempts.map(
      ({ address, ms, failure }) =>
        `${isIPv6(address) ? `[${address}]` : address} port ${port}: ${failure ?? `connected in ${seconds(ms ?? 0)}`}`,
    );
    const facts = {
      port,
      attempts: attempts.map(({ address, ms, code }) => ({
        address,
        connectMs: ms === null ? null : Math.round(ms),
        error: code,
      })),
    };
    if (reached.length === 0) {
      return problem(
        seen,
        'Look whether the service (or its proxy) runs and listens at this port, and whether a firewall lets you through.',
        facts,
      );
    }
    if (dead.length > 0) {
      const isV6 = dead.every(({ address }) => isIPv6(address));
      return warning(
        seen,
        `${isV6 ? 'The AAAA record' : 'An address'} leads nowhere: clients that try it first lose time or fail. Make it answer, or take it out of the DNS.`,
        facts,
      );
    }
    return ok(seen, facts);
  },
};

function tryToConnect(
  address: string,
  port: number,
  { signal, answerMs }: Examination,
): Promise<Attempt> {
  const started = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (failure: { message: string; code?: string | undefined } | null) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve({
        address,
        ms: failure === null ? performance.now() - started : null,
        failure: failure && describeFailure(failure),
        code: failure && (failure.code ?? 'ETIMEDOUT'),
      });
    };
    const stop = () => end({ message: 'stopped', code: 'ECANCELED' });
    const timer = setTimeout(
      () => end({ message: 'late', code: 'ETIMEDOUT' }),
      Math.min(DEADLINE_MS, answerMs),
    );
    signal.addEventListener('abort', stop, { once: true });
    socket.once('connect', () => end(null));
    socket.once('error', end);
    if (signal.aborted) stop();
  });
}
