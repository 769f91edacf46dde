import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { eventsPath } from '@sluice/protocol';
import { loggedLines } from '../support/logged.js';
import { startPlayground, WORKSPACE } from '../support/playground.js';
import { RawStream } from '../support/raw-http.js';

/** No file of the service may grow beyond this; a write that would is refused by the kernel, as on a full disk. */
const LIMIT_KIB = 6_000;

/** A Node whose files cannot grow. Node itself ignores the signal that goes with the refusal. */
async function limitedNode(folder: string): Promise<string> {
  const path = join(folder, 'node');
  await writeFile(path, `#!/bin/bash\nulimit -f ${LIMIT_KIB}\nexec '${process.execPath}' "$@"\n`);
  await chmod(path, 0o755);
  return path;
}

const batch = (n: number) =>
  Array.from({ length: 10 }, (_, index) => ({
    topic: 'orders',
    type: 'order.created',
    data: { n: n * 10 + index, padding: 'x'.repeat(50_000) },
  }));

describe('a full disk', () => {
  it('makes publishing UNAVAILABLE, loses nothing that was acknowledged, and ends no stream', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-full-'));
    try {
      await using playground = await startPlayground({
        nodeBinary: await limitedNode(folder),
        env: { RETENTION_BYTES: '1000000000' },
      });
      const { service, token } = playground;
      const headers: [string, string][] = [['Authorization', `Bearer ${token}`]];
      const request = { port: service.port, path: eventsPath(WORKSPACE), headers };
      using live = await RawStream.open(request);
      const { id: beginning = '' } = await live.next('stream.connected');

      const acknowledged: string[] = [];
      let refusals = 0;
      for (let n = 0; n < 30 && refusals < 5; n++) {
        const response = await fetch(service.url + eventsPath(WORKSPACE), {
          method: 'POST',
          headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
          body: JSON.stringify(batch(n)),
        });
        const answer = (await response.json()) as { code?: string; events: { cursor: string }[] };
        if (response.status === 201) {
          acknowledged.push(...answer.events.map(({ cursor }) => cursor));
        } else {
          refusals++;
          expect(response.status).toBe(503);
          expect(answer.code).toBe('UNAVAILABLE');
        }
      }
      expect(refusals).toBe(5);
      // Every line is one of the log, what the store itself says of it included, and one tells why.
      const causes = loggedLines(service).map(({ cause }) => cause);
      expect(causes).toContainEqual(
        expect.objectContaining({ message: expect.stringContaining('is its disk full?') }),
      );
      expect(acknowledged.length).toBeGreaterThan(20);

      const seenLive: unknown[] = [];
      while (seenLive.length < acknowledged.length) seenLive.push((await live.next('message')).id);
      expect(seenLive).toEqual(acknowledged);
      using replay = await RawStream.open({
        ...request,
        headers: [...headers, ['Last-Event-ID', beginning]],
      });
      const seenAgain: unknown[] = [];
      while (seenAgain.length < acknowledged.length) {
        seenAgain.push((await replay.next('message')).id);
      }
      expect(seenAgain).toEqual(acknowledged);
      expect(await service.stop()).toEqual({ code: 0, signal: null });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 60_000);
});
