import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { eventsPath, JWKS_PATH } from '@sluice/protocol';
import { numbered, publish, WORKSPACE } from '../support/playground.js';
import { RawStream } from '../support/raw-http.js';
import { Service } from '../support/service.js';

const run = promisify(execFile);
const CLI = join(import.meta.dirname, '../../server/bin/sluice.js');
const EXIT_WITHIN_MS = 5_000;
const STREAMS = 20;

/** A token of the embedded issuer, as the README has a reader make it. */
async function mintWithCli(dataDir: string): Promise<string> {
  const permissions = 'realtime:subscribe,realtime:publish';
  const args = ['token', '--workspace', WORKSPACE, '--subject', 'alice'];
  const { stdout } = await run(process.execPath, [CLI, ...args, '--permissions', permissions], {
    env: { PATH: process.env['PATH'] ?? '', DATA_DIR: dataDir },
  });
  expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  return stdout.trim();
}

async function openStream(
  { port }: Service,
  token: string,
  lastEventId?: string,
): Promise<RawStream> {
  return await RawStream.open({
    port,
    path: eventsPath(WORKSPACE),
    headers: [
      ['Authorization', `Bearer ${token}`],
      ...(lastEventId === undefined ? [] : [['Last-Event-ID', lastEventId] as const]),
    ],
  });
}

const readKeys = async ({ url }: Service): Promise<unknown> =>
  await (await fetch(url + JWKS_PATH)).json();

describe('the service', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'ends cleanly on %s, and goes on where it stopped when it is started again',
    async (signal) => {
      await using service = await Service.start();
      const token = await mintWithCli(service.dataDir);
      const keys = await readKeys(service);
      const streams = await Promise.all(
        Array.from({ length: STREAMS }, () => openStream(service, token)),
      );
      const [first] = streams;
      if (first === undefined) throw new Error('no stream');
      const start = (await first.next('stream.connected')).id ?? '';
      const published = await publish(service.url, token, numbered(1, 5));
      for (const stream of streams) {
        await stream.received.find(
          (item) => item.kind === 'event' && item.id === published[4]?.cursor,
        );
      }

      const from = performance.now();
      const exit = await service.stop(signal);
      expect(exit).toEqual({ code: 0, signal: null });
      expect(performance.now() - from).toBeLessThan(EXIT_WITHIN_MS);
      for (const stream of streams) {
        const { data } = await stream.next('stream.draining');
        expect(data).toEqual({ reconnectInMs: expect.any(Number) });
        expect(await stream.ended).toBe('end');
      }

      await service.start();
      expect(await readKeys(service)).toEqual(keys);
      using again = await openStream(service, token, start);
      expect(await again.next()).toMatchObject({
        event: 'stream.connected',
        data: { resumed: 'complete' },
      });
      for (const { id, cursor } of published) {
        expect(await again.next('message')).toMatchObject({ id: cursor, data: { id } });
      }
      const [next] = await publish(service.url, token, numbered(6, 6));
      expect(next?.cursor).toBe(published[4]?.cursor.replace(/-5$/, '-6'));
      expect(await again.next('message')).toMatchObject({ id: next?.cursor });
    },
    30_000,
  );

  it('tells whoever starts it where it listens, where its keys are, and how to subscribe', async () => {
    await using service = await Service.start();
    await service.stdout.find((line) => line.includes(`${service.url}${JWKS_PATH}`));
    await service.stdout.find((line) => /curl -N .+\/realtime\/workspace\//.test(line));
    await service.stdout.find((line) => line.includes('one machine'));
  });
});
