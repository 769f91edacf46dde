// What Nchan asks whether a token holds: a bare HTTP server of Node with jsonwebtoken.
import { createHash, createPublicKey } from 'node:crypto';
import { createServer } from 'node:http';
import process from 'node:process';
import jsonwebtoken from 'jsonwebtoken';

const key = createPublicKey(process.env['PUBLIC_KEY'] ?? '');
const remembers = process.env['REMEMBERS'] === 'true';
/** @type {Map<string, number>} */
const known = new Map();

/** @param {string} token */
function check(token) {
  if (!remembers) return void jsonwebtoken.verify(token, key, { algorithms: ['RS256'] });
  const hash = createHash('sha256').update(token).digest('base64');
  const expiresAt = known.get(hash);
  if (expiresAt !== undefined && expiresAt > Date.now()) return;
  const claims = jsonwebtoken.verify(token, key, { algorithms: ['RS256'] });
  known.set(hash, Number(Object(claims).exp) * 1_000);
}

const server = createServer((request, response) => {
  try {
    check((request.headers.authorization ?? '').slice('Bearer '.length));
    response.writeHead(200).end();
  } catch {
    response.writeHead(403).end();
  }
});
server.keepAliveTimeout = 600_000;
server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  process.stdout.write(`listens on ${port}\n`);
});
