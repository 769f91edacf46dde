import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createSecureServer, type Http2ServerResponse } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { problemOf } from '@sluice/protocol';

const run = promisify(execFile);

const AUTHORITY = `[ca]
default_ca = here
[here]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = names
[names]
commonName = supplied
`;

/** A certificate, and where it lies. Use it with `await using`. */
export interface SelfSigned extends AsyncDisposable {
  readonly key: string;
  readonly cert: string;
  readonly certFile: string;
}

/** A certificate for 127.0.0.1 that nobody signed but itself; one that has expired, if it is to. */
export async function makeSelfSigned({ isExpired }: { isExpired: boolean }): Promise<SelfSigned> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-self-signed-'));
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  const about = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl('req', ...about, '-keyout', 'key', '-out', 'request', '-subj', '/CN=127.0.0.1');
  await Promise.all([
    writeFile(join(folder, 'settings'), AUTHORITY),
    writeFile(join(folder, 'index'), ''),
    writeFile(join(folder, 'serial'), '01\n'),
    writeFile(join(folder, 'names'), 'subjectAltName=IP:127.0.0.1\n'),
  ]);
  const time = isExpired
    ? ['-startdate', '20200101000000Z', '-enddate', '20210101000000Z']
    : ['-days', '2'];
  await openssl(
    ...['ca', '-batch', '-selfsign', '-config', 'settings', '-keyfile', 'key', '-in', 'request'],
    ...['-extfile', 'names', '-notext', '-out', 'certificate', ...time],
  );
  return {
    key: await readFile(join(folder, 'key'), 'utf8'),
    cert: await readFile(join(folder, 'certificate'), 'utf8'),
    certFile: join(folder, 'certificate'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

export interface TlsListening extends AsyncDisposable {
  readonly port: number;
}

/** A server that speaks TLS, offers HTTP/2 if it is to, and refuses whatever has no token as the service does. */
export async function listenTls(
  pair: { key: string; cert: string },
  { offersHttp2 = false } = {},
): Promise<TlsListening> {
  const answer = (_: unknown, response: ServerResponse | Http2ServerResponse) => {
    response.writeHead(401, { 'content-type': 'application/problem+json', 'x-request-id': 'r' });
    response.end(JSON.stringify(problemOf('MISSING_TOKEN', { requestId: 'r' })));
  };
  const { key, cert } = pair;
  const server = offersHttp2
    ? createSecureServer({ key, cert, allowHTTP1: true }, answer)
    : createServer({ key, cert }, answer);
  const sockets = new Set<Socket>();
  server.on('secureConnection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
