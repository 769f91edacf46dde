// The backend of the page beside it: bundles and serves the page, and gives tokens to whoever is signed in.
//
//   npx sluice clients add --id web --workspace acme --permissions realtime:subscribe
//   SLUICE_CLIENT_ID=web SLUICE_CLIENT_SECRET=… node examples/react/serve.js
//
// The service must let the page's origin in: ALLOWED_ORIGINS=http://127.0.0.1:8080 npm start
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const {
  SLUICE_URL: endpoint = 'http://127.0.0.1:3000',
  SLUICE_CLIENT_ID: applicationId = 'web',
  SLUICE_CLIENT_SECRET: clientSecret = '',
  PORT: port = '8080',
} = process.env;

const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL('main.tsx', import.meta.url))],
  bundle: true,
  format: 'esm',
  jsx: 'automatic',
  write: false,
  define: { SLUICE_URL: JSON.stringify(endpoint) },
});

const FILES = new Map([
  [
    '/',
    {
      type: 'text/html; charset=utf-8',
      content: await readFile(new URL('index.html', import.meta.url)),
    },
  ],
  ['/app.js', { type: 'text/javascript', content: outputFiles[0]?.contents }],
]);

const server = createServer(async (request, response) => {
  try {
    if (request.method === 'POST' && request.url === '/realtime-token') {
      // Here your application would look at its session, and answer 401 to whoever is not signed in.
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(await fetchToken()));
      return;
    }
    const file = FILES.get(request.url ?? '');
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': file.type }).end(file.content);
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
