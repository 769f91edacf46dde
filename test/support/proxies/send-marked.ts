import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { MarkedHttp2Request, MarkedRequest } from './marked-requests.js';
import type { RunningProxy } from './proxy.js';

/** A proxy may leave a request that cannot be read without an answer. */
const ANY_ANSWER_DEADLINE_MS = 1_500;
/** For an answer that must come. */
const ANSWER_DEADLINE_MS = 15_000;

/** What came back: the status of the first line, or `null` where there was none. */
export interface MarkedAnswer {
  readonly what: string;
  readonly status: number | null;
  readonly text: string;
}

/** Sends a request as it is, and reads until the answer has ended, or a stream has begun. */
export function sendMarked(
  { what, way, bytes, statuses, isAborted }: MarkedRequest,
  { tlsPort, plainPort }: Pick<RunningProxy, 'tlsPort' | 'plainPort'>,
  ca: string,
): Promise<MarkedAnswer> {
  const port = way === 'plain' ? (plainPort ?? tlsPort) : tlsPort;
  const socket = way === 'tls' ? overTls(port, ca) : connect(port, '127.0.0.1');
  let text = '';
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      const status = /^HTTP\/\d\.\d (\d{3})/.exec(text)?.[1];
      resolve({ what, text, status: status === undefined ? null : Number(status) });
    };
    const deadlineMs = statuses === undefined ? ANY_ANSWER_DEADLINE_MS : ANSWER_DEADLINE_MS;
    const timer = setTimeout(finish, deadlineMs);
    socket.on('error', finish).on('close', finish);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.includes('event: stream.connected')) finish();
    });
    socket.write(bytes, () => {
      if (isAborted) finish();
    });
  });
}

function overTls(port: number, ca: string): Socket {
  return connectTls({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca,
    ALPNProtocols: ['http/1.1'],
  });
}

/** Opens a connection of HTTP/2 by ALPN. */
export function openHttp2(
  { tlsPort }: Pick<RunningProxy, 'tlsPort'>,
  ca: string,
): ClientHttp2Session {
  const session = connectHttp2(`https://localhost:${tlsPort}`, { ca });
  session.on('error', () => {});
  return session;
}

/** The same over HTTP/2, each on a connection of its own: a proxy may end one over a malformed request. */
export function sendMarkedHttp2(
  { what, headers, body }: MarkedHttp2Request,
  proxy: Pick<RunningProxy, 'tlsPort'>,
  ca: string,
): Promise<MarkedAnswer> {
  const session = openHttp2(proxy, ca);
  return new Promise((resolve) => {
    let status: number | null = null;
    let text = '';
    const finish = () => {
      clearTimeout(timer);
      session.destroy();
      resolve({ what, status, text });
    };
    const timer = setTimeout(finish, ANSWER_DEADLINE_MS);
    session.on('error', finish).on('close', finish);
    const stream = session.request({ ...headers });
    stream.on('response', (answer) => {
      status = Number(answer[':status']);
    });
    stream.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('event: stream.connected')) finish();
    });
    stream.on('error', finish).on('close', finish);
    stream.end(body);
  });
}
