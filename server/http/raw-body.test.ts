import { once } from 'node:events';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import express, { type NextFunction, type Request, type Response } from 'express';
import { Inbox } from '../../test/support/inbox.js';
import { createRawBodyReader } from './raw-body.js';

const MAX_BYTES = 1_000;

const arrivals = new Inbox<string>('a request');
const ends = new Inbox<string>('the end of a request');
const connections = new Set<unknown>();
const app = express();
const readBody = createRawBodyReader(MAX_BYTES);
app.use('/parsed', express.json({ limit: 2 * MAX_BYTES }));
app.post(['/', '/parsed'], async (asked: Request, response: Response) => {
  arrivals.push(asked.url);
  connections.add(asked.socket);
  asked.once('end', () => ends.push(asked.url));
  // The gate has its say before.
  await Promise.resolve();
  const body = await readBody(asked, response);
  response.json(Buffer.isBuffer(body) ? { bytes: body.toString() } : { value: body });
});
app.use((error: { status: number }, _: Request, response: Response, __: NextFunction) => {
  response.status(error.status).json(error);
});

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const server = app.listen(0, '127.0.0.1');
beforeAll(async () => {
  if (!server.listening) await once(server, 'listening');
});
afterAll(async () => {
  agent.destroy();
  server.close();
  await once(server, 'close');
});

interface Sending {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly write: (request: ClientRequest) => unknown;
}

async function send({ path = '/', headers = {}, write }: Sending) {
  const { port } = server.address() as AddressInfo;
  const asked = request({ host: '127.0.0.1', port, path, agent, method: 'POST', headers });
  const answered = once(asked, 'response');
  await write(asked);
  const [response] = (await answered) as [IncomingMessage];
  return { status: response.statusCode, body: JSON.parse(await text(response)) as unknown };
}

const atOnce = (body: string | Buffer, rest: Partial<Sending> = {}) =>
  send({ ...rest, write: (asked) => asked.end(body) });

const BODY = '{"topic":"orders","data":"ä"}';
const length = { 'Content-Length': Buffer.byteLength(BODY) };

describe('a body', () => {
  it.each<[string, () => ReturnType<typeof send>]>([
    ['with its head', () => atOnce(BODY)],
    ['after its head', () => send({ headers: length, write: inTwoSteps })],
    ['in two pieces', () => send({ headers: length, write: inPieces })],
    ['in chunks', () => send({ write: inPieces })],
    ['compressed', () => atOnce(gzipSync(BODY), { headers: { 'Content-Encoding': 'gzip' } })],
    ['as itself', () => atOnce(BODY, { headers: { 'Content-Encoding': 'identity' } })],
  ])(
    'is the same whether it comes otherwise or %s, and leaves its connection as it was',
    async (_, sent) => {
      for (let turn = 0; turn < 3; turn++) {
        expect(await sent()).toEqual({ status: 200, body: { bytes: BODY } });
      }
      expect(connections.size).toBe(1);
      await ends.atLeast(arrivals.items.length);
    },
  );

  it('is nothing where nothing comes', async () => {
    expect(await atOnce('')).toEqual({ status: 200, body: { bytes: '' } });
  });

  it('is a value where it has been parsed', async () => {
    const headers = { 'Content-Type': 'application/json' };
    const parsed = await atOnce(BODY, { path: '/parsed', headers });
    expect(parsed).toEqual({ status: 200, body: { value: JSON.parse(BODY) } });
  });

  it('may have the greatest length, and no byte more', async () => {
    const most = 'a'.repeat(MAX_BYTES);
    expect(await atOnce(most)).toEqual({ status: 200, body: { bytes: most } });
    expect(await atOnce(`${most}a`)).toMatchObject({
      status: 413,
      body: { type: 'entity.too.large' },
    });
  });
});

async function inTwoSteps(asked: ClientRequest): Promise<void> {
  const seen = arrivals.items.length;
  asked.flushHeaders();
  await arrivals.atLeast(seen + 1);
  asked.end(BODY);
}

function inPieces(asked: ClientRequest): void {
  asked.write(BODY.slice(0, 10));
  asked.end(BODY.slice(10));
}
