// Reads a file and writes it to the socket: what replay could cost if it were nothing else.
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import process from 'node:process';

const path = process.argv[2] ?? '';

const server = createServer((request, response) => {
  if (request.method === 'POST') {
    request.resume();
    response.writeHead(201).end();
    return;
  }
  response.writeHead(200, { 'Content-Type': 'text/event-stream', Connection: 'close' });
  response.flushHeaders();
  // It stays open behind the file, as a stream does.
  createReadStream(path).pipe(/** @type {import('node:net').Socket} */ (response.socket), {
    end: false,
  });
});
server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  process.stdout.write(`listens on ${port}\n`);
});
