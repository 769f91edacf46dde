// The backend of the page beside it: serves the page and the SDK, and gives tokens to whoever is signed in.
//
//   npx sluice clients add --id web --workspace acme --permissions realtime:subscribe
//   SLUICE_CLIENT_ID=web SLUICE_CLIENT_SECRET=… node examples/browser/serve.js
//
// The service must let the page's origin in: ALLOWED_ORIGINS=http://127.0.0.1:8080 npm start
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const {
  SLUICE_URL: endpoint = 'http://127.0.0.1:3000',
  SLUICE_CLIENT_ID: applicationId = 'web',
  SLUICE_CLIENT_SECRET: clientSecret = '',
  PORT: port = '8080',
} = process.env;

const FILES = new Map([
  ['/', { type: 'text/html; charset=utf-8', url: new URL('index.html', import.meta.url) }],
  [
    '/sluice.js',
    { type: 'text/javascript', url: new URL('../../sdk/dist/sluice.min.js', import.meta.url) },
  ],
]);

const server = createServer(async (request, response) => {
  try {
    if (request.method === 'POST' && request.url === '/realtime-token') {
      // Here your application would look at its session, and refuse whoever is not signed in.
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ ...(await fetchToken()), endpoint }));
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

async function fetchToken() {
  const answer = await fetch(`${endpoint}/auth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ applicationId, clientSecret, permissions: ['subscribe'] }),
  });
  if (!answer.ok) throw new Error(`the service gave no token: ${answer.status}`);
  return await answer.json();
}

server.listen(Number(port), '127.0.0.1', () => {
  const address = server.address();
  const { port: actual } = typeof address === 'object' && address !== null ? address : { port };
  console.log(`The page is at http://127.0.0.1:${actual}`);
});
