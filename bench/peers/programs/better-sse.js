// better-sse as its documentation has it: a session for each response, a channel that they are registered with.
import process from 'node:process';
import { createChannel, createSession } from 'better-sse';
import express from 'express';

/** @type {Map<string, import('better-sse').Channel>} */
const channels = new Map();
const app = express();

/** @param {string} name */
function channelOf(name) {
  const channel = channels.get(name) ?? createChannel();
  channels.set(name, channel);
  return channel;
}

app.get('/streams/:channel', async (request, response) => {
  const session = await createSession(request, response, { keepAlive: null });
  channelOf(request.params.channel).register(session);
});

let count = 0;
app.post('/events/:channel', express.json({ type: () => true }), (request, response) => {
  channelOf(request.params.channel).broadcast(request.body, 'message', {
    eventId: String(++count),
  });
  response.sendStatus(201);
});

const server = app.listen(0, '127.0.0.1', 16_384, () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  process.stdout.write(`listens on ${port}\n`);
});
server.keepAliveTimeout = 600_000;
