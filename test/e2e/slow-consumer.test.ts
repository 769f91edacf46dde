import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { eventsPath } from '@sluice/protocol';
import { loggedLines } from '../support/logged.js';
import { startPlayground, WORKSPACE } from '../support/playground.js';
import { RawStream } from '../support/raw-http.js';
import { until } from '../support/until.js';

const BATCHES = 80;
const BATCH_BYTES = 900_000;
const STUCK_CLIENTS = 20;

/** A batch of ten events that together weigh about `BATCH_BYTES` bytes, each below the limit of one. */
function heavyBatch(): object[] {
  const padding = 'x'.repeat(60_000);
  return Array.from({ length: Math.floor(BATCH_BYTES / 60_000) }, (_, n) => ({
    topic: 'orders',
    type: 'order.created',
    data: { n, padding },
  }));
}

/** Memory that is the process's own, in bytes: not the pages of the log's file, which belong to the kernel. */
async function ownMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

describe('51. clients that stop reading', () => {
  it('are told SLOW_CONSUMER and cut; memory stays bounded, and the others get everything', async () => {
    await using playground = await startPlayground({
      env: { LOG_LEVEL: 'info', AUDIT_LOG: 'off' },
    });
    const { service, token } = playground;
    const open = () =>
      RawStream.open({
        port: service.port,
        path: eventsPath(WORKSPACE),
        headers: [['Authorization', `Bearer ${token}`]],
      });
    const stuck = await Promise.all(Array.from({ length: STUCK_CLIENTS }, open));
    using swift = await open();
    try {
      for (const stream of stuck) {
        await stream.next('stream.connected');
        stream.pause();
      }
      const before = await ownMemory(service.pid);
      let sent = 0;
      for (let batch = 0; batch < BATCHES; batch++) {
        sent += (await playground.publish(heavyBatch())).length;
        // At its pace, so that it is never the one that is slow.
        await swift.received.atLeast(sent + 1, 30_000);
      }
      const endsOf = () => loggedLines(service).filter(({ msg }) => msg === 'stream ended');
      await until('they are cut', () => endsOf().length >= STUCK_CLIENTS, 30_000);
      const after = await ownMemory(service.pid);

      const codes = endsOf().map(({ code }) => code);
      expect(codes).toEqual(Array(STUCK_CLIENTS).fill('SLOW_CONSUMER'));
      // Held back for each of them, it would be more than a gigabyte.
      expect(after - before).toBeLessThan(150_000_000);

      const events = await swift.received.atLeast(sent + 1, 30_000);
      expect(
        events.filter((item) => item.kind === 'event' && item.event === 'message'),
      ).toHaveLength(sent);
    } finally {
      for (const stream of stuck) stream[Symbol.dispose]();
    }
  }, 60_000);

  it('read the reason when they read on in time, and resume where they were', async () => {
    await using playground = await startPlayground({
      env: { MAX_BACKLOG_BYTES: '65536', RETENTION_BYTES: '400000000', HEARTBEAT_MS: '1000' },
    });
    const { service, token } = playground;
    const request = {
      port: service.port,
      path: eventsPath(WORKSPACE),
      headers: [['Authorization', `Bearer ${token}`]] as [string, string][],
    };
    using stream = await RawStream.open(request);
    await stream.next('stream.connected');
    stream.pause();
    const published: string[] = [];
    // More than the kernel takes off the service's hands, whatever its buffers grow to.
    for (let batch = 0; batch < 20; batch++) {
      published.push(...(await playground.publish(heavyBatch())).map(({ cursor }) => cursor));
    }
    // Three heartbeats of another stream are long enough for the cut, and too short for the end of its grace.
    using witness = await RawStream.open(request);
    for (let beat = 0; beat < 3; beat++) await witness.nextComment();
    stream.resume();
    const error = await stream.next('stream.error', 20_000);
    expect(error.data).toMatchObject({ code: 'SLOW_CONSUMER', recoverable: true });

    const seen = stream.received.items.flatMap((item) =>
      item.kind === 'event' && item.event === 'message' ? [item.id] : [],
    );
    using resumed = await RawStream.open({
      ...request,
      headers: [...request.headers, ['Last-Event-ID', seen.at(-1) ?? '']],
    });
    while (seen.length < published.length) seen.push((await resumed.next('message')).id);
    expect(seen).toEqual(published);
  }, 60_000);
});
