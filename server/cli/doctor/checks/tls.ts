import { isIP } from 'node:net';
import { connect, type PeerCertificate, rootCertificates, type TLSSocket } from 'node:tls';
import { describeFailure } from '../ask.js';
import type { Check, Examination } from '../examination.js';
import { type Finding, ok, problem, warning } from '../finding.js';
import { plainHost } from '../loopback.js';

const EXPIRES_SOON_DAYS = 14;
const DAY_MS = 86_400_000;

export const tlsCheck: Check = {
  id: 'tls',
  title: 'TLS',
  needs: ['connection'],
  async run(examination) {
    if (examination.base.protocol === 'http:') {
      examination.known.alpn = null;
      return ok('not used: the address is http', { used: false });
    }
    let socket: TLSSocket;
    try {
      socket = await shakeHands(examination);
    } catch (error) {
      return problem(`no TLS: ${describeHandshake(error)}`, handshakeAdvice(error), { used: true });
    }
    try {
      examination.known.alpn = socket.alpnProtocol || null;
      return judge(socket, plainHost(examination.base.hostname));
    } finally {
      socket.destroy();
    }
  },
};

/** Without a verdict on the certificate, which is given afterwards: nothing secret is sent over this connection. */
function shakeHands({ base, ca, answerMs, signal, lookup }: Examination): Promise<TLSSocket> {
  const host = plainHost(base.hostname);
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: Number(base.port) || 443,
      ALPNProtocols: ['h2', 'http/1.1'],
      rejectUnauthorized: false,
      ...(isIP(host) === 0 && { servername: host }),
      ...(ca !== null && { ca: [...rootCertificates, ca] }),
      ...(lookup !== null && { lookup }),
    });
    const stop = () => socket.destroy(new Error(`no answer to the handshake`));
    const timer = setTimeout(stop, answerMs);
    signal.addEventListener('abort', stop, { once: true });
    const settle = (how: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      how();
    };
    socket.once('secureConnect', () => settle(() => resolve(socket)));
    socket.on('error', (error) => settle(() => reject(error)));
    socket.once('close', () => settle(() => reject(new Error('the connection was closed'))));
    if (signal.aborted) stop();
  });
}

function judge(socket: TLSSocket, host: string): Finding {
  const certificate = socket.getPeerCertificate(true);
  const code = socket.authorized ? null : String(socket.authorizationError);
  const days = Math.floor((Date.parse(certificate.valid_to) - Date.now()) / DAY_MS);
  const facts = {
    used: true,
    protocol: socket.getProtocol(),
    alpn: socket.alpnProtocol || null,
    error: code,
    names: certificate.subjectaltname ?? null,
    issuer: nameOf(certificate.issuer),
    validTo: timeOf(certificate.valid_to),
  };
  const seen = [
    `${socket.getProtocol()}, certificate for ${certificate.subjectaltname ?? nameOf(certificate.subject)}`,
    `from ${nameOf(certificate.issuer)}, until ${timeOf(certificate.valid_to)} (${days} days)`,
  ];
  if (code !== null) {
    const { what, advice } = explain(code, certificate, host);
    return problem([what, ...seen], advice, facts);
  }
  if (days < EXPIRES_SOON_DAYS) {
    return warning(
      seen,
      'The certificate ends soon: look whether its renewal runs, and whether the proxy loads the new one.',
      facts,
    );
  }
  return ok(seen, facts);
}

function explain(code: string, { valid_to, valid_from }: PeerCertificate, host: string) {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return {
        what: `the certificate has expired on ${timeOf(valid_to)}`,
        advice: 'Renew the certificate, and have the proxy load it.',
      };
    case 'CERT_NOT_YET_VALID':
      return {
        what: `the certificate is not valid before ${timeOf(valid_from)}`,
        advice: 'Compare the clock of this machine with the right time.',
      };
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return {
        what: `the certificate is not for ${host}`,
        advice:
          'Get a certificate whose subjectAltName lists this name; or the proxy answers with that of another site: look at its server names.',
      };
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return {
        what: 'the certificate is signed by nobody but itself',
        advice:
          'Browsers refuse it. Use one of an authority; for one of your own, --ca-file <file> tells the doctor to trust it.',
      };
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return {
        what: `the certificate cannot be traced to an authority that is trusted here (${code})`,
        advice:
          'Have the proxy send the whole chain (the intermediate certificates too); for an authority of your own, give its certificate by --ca-file.',
      };
    default:
      return {
        what: `the certificate is not accepted (${code})`,
        advice: 'Replace the certificate.',
      };
  }
}

function describeHandshake(error: unknown): string {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (code.includes('WRONG_VERSION_NUMBER') || code.includes('PACKET_LENGTH_TOO_LONG')) {
    return 'what answers at this port does not speak TLS';
  }
  if (code.includes('PROTOCOL_VERSION') || code.includes('UNSUPPORTED_PROTOCOL')) {
    return 'it offers no version from TLS 1.2 on';
  }
  return describeFailure(error);
}

function handshakeAdvice(error: unknown): string {
  const { code = '' } = error as NodeJS.ErrnoException;
  return code.includes('WRONG_VERSION_NUMBER') || code.includes('PACKET_LENGTH_TOO_LONG')
    ? 'The port may be the one for plain http: use the port of the proxy that speaks TLS.'
    : 'Look at the TLS settings of the proxy, and into its error log.';
}

function nameOf(holder: PeerCertificate['issuer'] | undefined): string {
  return [holder?.O ?? holder?.CN ?? 'nobody'].flat().join(', ');
}

function timeOf(text: string): string {
  const time = Date.parse(text);
  return Number.isNaN(time) ? text : new Date(time).toISOString();
}
