/** What native/load.c overwrites with the number of the event and the time of its publishing. */
const MARK = `~${'0'.repeat(24)}`;
const EVENT_BYTES = 200;

/** The JSON of an event, of 200 bytes: the same for every server, which sends it on as it is. */
export function eventJson(topic = 'ticks'): string {
  const write = (padding: string) =>
    JSON.stringify({
      specversion: '1.0',
      id: 'bench-000001',
      source: '/bench',
      type: 'tick',
      time: '2026-01-01T00:00:00Z',
      topic,
      data: MARK + padding,
    });
  return write('x'.repeat(EVENT_BYTES - write('').length));
}

/** A request as it goes over the wire. */
export function httpRequest(
  line: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
): string {
  const all = { Host: '127.0.0.1', ...headers };
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  const lines = Object.entries({ ...all, ...length }).map(([name, value]) => `${name}: ${value}`);
  return `${line} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body ?? ''}`;
}
