// The backend of the page beside it: serves the page and the SDK, and gives tokens to whoever is signed in.
//
//   ALLOWED_ORIGINS=http://127.0.0.1:8080 npm start       the service lets this page in
//   PORT=8080 node examples/browser/serve.js              in a second terminal, in the same folder
//
// It signs with the keys of the service, which it finds in DATA_DIR. On another machine, give both one JWT_SECRET.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createTokenIssuer } from '@sluice/server';

const { SLUICE_URL: endpoint = 'http://127.0.0.1:3000', PORT: port = '8080' } = process.env;

const FILES = new Map([
  ['/', { type: 'text/html; charset=utf-8', url: new URL('index.html', import.meta.url) }],
  [
    '/sluice.js',
    { type: 'text/javascript', url: new URL('../../sdk/dist/sluice.min.js', import.meta.url) },
  ],
]);

const issuer = createTokenIssuer({ settings: process.env });

const server = createServer(async (request, response) => {
  try {
    if (request.method === 'POST' && request.url === '/realtime-token') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ ...(await tokenFor(userOf(request))), endpoint }));
      return;
    }
    const file = FILES.get(request.url ?? '');
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-type', file.type);
    response.end(await readFile(file.url));
  } catch (error) {
    console.error(error);
    response.writeHead(503).end();
  }
});

/** @param {import('node:http').IncomingMessage} _request Your application finds the session in it, and refuses who has none. */
function userOf(_request) {
  return 'alice';
}

/** @param {string} subject */
function tokenFor(subject) {
  const permissions = ['subscribe'];
  return issuer.generateTokenResponse({ clientId: 'web', subject, workspace: 'acme', permissions });
}

server.listen(Number(port), '127.0.0.1', () => {
  const address = server.address();
  const { port: actual } = typeof address === 'object' && address !== null ? address : { port };
  console.log(`The page is at http://127.0.0.1:${actual}`);
});
