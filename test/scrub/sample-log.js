// A log as proxies write it, made from a seed: half of it nginx's combined form, half JSON. One request in ten carries a token.
import { createHash } from 'node:crypto';

const PATHS = [
  '/',
  '/index.html',
  '/assets/app.3f9c1.js',
  '/realtime/workspace/acme/events',
  '/api/orders/18273/lines',
];
const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
  'curl/8.5.0',
];

/** @type {(seed: number) => () => number} Numbers from 0 to 1 (mulberry32). */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** @type {(length: number, seed?: number) => Buffer} */
export function sampleLog(length, seed = 1) {
  const random = randomOf(seed);
  /** @type {<T>(items: readonly T[]) => T} */
  const pick = (items) => /** @type {any} */ (items[Math.floor(random() * items.length)]);
  const jwt = () => {
    const part = () => createHash('sha512').update(String(random())).digest('base64url');
    return `eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.${part()}${part()}.${part()}`;
  };
  const parts = [];
  for (let made = 0; made < length; ) {
    const hasToken = random() < 0.1;
    const query = hasToken ? `?topics=orders&access_token=${jwt()}` : '?topics=orders%2Cusers';
    const path = `${pick(PATHS)}${random() < 0.5 || hasToken ? query : ''}`;
    const address = `203.0.113.${Math.floor(random() * 256)}`;
    const bytes = Math.floor(random() * 100_000);
    const line =
      random() < 0.5
        ? `${address} - - [21/Nov/2026:18:01:34 +0000] "GET ${path} HTTP/1.1" 200 ${bytes} "https://app.example/orders?page=${bytes % 9}" "${pick(AGENTS)}"\n`
        : `${JSON.stringify({ level: 'info', ts: 1795284094 + random(), logger: 'http.log.access', request: { remote_ip: address, method: 'GET', host: 'sluice.example', uri: path, headers: { 'User-Agent': [pick(AGENTS)], Accept: ['text/event-stream'] } }, bytes_read: 0, duration: random(), size: bytes, status: 200 })}\n`;
    parts.push(line);
    made += line.length;
  }
  return Buffer.from(parts.join('')).subarray(0, length);
}
