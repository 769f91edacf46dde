import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An authority of its own, and what it signed for a server on loopback. Use it with `await using`. */
export interface Certificates extends AsyncDisposable {
  /** The authority's certificate, as PEM. */
  readonly ca: string;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** @param names what the server's certificate is good for. */
export async function makeCertificates(
  names = 'IP:127.0.0.1,DNS:localhost',
): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-certificates-'));
  const at = (name: string) => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const openssl = (...args: string[]) => run('openssl', args);
  await openssl(
    ...['req', '-x509', ...key, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2'],
    ...['-subj', '/CN=tests of Sluice'],
  );
  await openssl(
    ...['req', ...key, '-keyout', at('server.key'), '-out', at('server.csr')],
    ...['-subj', '/CN=redis'],
  );
  await writeFile(at('names'), `subjectAltName=${names}\n`);
  await openssl(
    ...['x509', '-req', '-in', at('server.csr'), '-CA', at('ca.pem'), '-CAkey', at('ca.key')],
    ...['-CAcreateserial', '-extfile', at('names'), '-out', at('server.pem'), '-days', '2'],
  );
  return {
    ca: await readFile(at('ca.pem'), 'utf8'),
    caFile: at('ca.pem'),
    certFile: at('server.pem'),
    keyFile: at('server.key'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
