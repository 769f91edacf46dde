// The loop that most services begin with: Express, a set of responses for each channel, `write` for each of them.
import process from 'node:process';
import express from 'express';

/** @type {Map<string, Set<import('express').Response>>} */
const channels = new Map();
const app = express();

app.get('/streams/:channel', (request, response) => {
  const { channel } = request.params;
  const members = channels.get(channel) ?? new Set();
  channels.set(channel, members.add(response));
  response.on('close', () => members.delete(response));
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
  response.flushHeaders();
});

let count = 0;
app.post('/events/:channel', express.text({ type: () => true }), (request, response) => {
  const frame = Buffer.from(`id: ${++count}\ndata: ${request.body}\n\n`);
  for (const member of channels.get(request.params.channel) ?? []) member.write(frame);
  response.sendStatus(201);
});

const server = app.listen(0, '127.0.0.1', 16_384, () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  process.stdout.write(`listens on ${port}\n`);
});
server.keepAliveTimeout = 600_000;
