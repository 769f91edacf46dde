// Thousands of clients in a process of their own, over bare sockets: what they cost must not be the service's. Each reads one
// stream, checks the numbers of its events, and goes to the next node when it loses the one that it was at: at once, unless the
// service tells it when to come.
import { connect } from 'node:net';

/** How many are on their way for the first time at once: the storm is the second time. */
const CALM = 100;

const clients = [];
let toStart = [];

process.once('disconnect', () => process.exit());
process.on('message', (message) => {
  if (message.kind === 'start') start(message);
  else process.send?.(report());
});

function start({ ports, path, tokens, count }) {
  for (let n = 0; n < count; n++) {
    clients.push(new Client(ports, path, tokens[n % tokens.length]));
  }
  toStart = clients.slice();
  for (const client of toStart.splice(0, CALM)) client.connect();
}

/** What became of all of them. */
function report() {
  const sum = (field) => clients.reduce((total, client) => total + client[field], 0);
  return {
    open: clients.filter(({ isOpen }) => isOpen).length,
    returned: clients.filter(({ isOpen, opened }) => isOpen && opened > 1).length,
    least: Math.min(...clients.map(({ last }) => last)),
    attempts: sum('attempts'),
    refused: sum('refused'),
    lost: sum('lost'),
    doubled: sum('doubled'),
    gaps: sum('gaps'),
    odd: clients.flatMap(({ odd }) => odd).slice(0, 5),
    longestOutageMs: Math.round(Math.max(...clients.map(({ outageMs }) => outageMs))),
  };
}

class Client {
  attempts = 0;
  refused = 0;
  opened = 0;
  isOpen = false;
  /** The number of the event that came last. */
  last = 0;
  lost = 0;
  doubled = 0;
  gaps = 0;
  odd = [];
  outageMs = 0;
  #node = 0;
  #cursor = null;
  #lostAt = null;

  constructor(ports, path, token) {
    this.ports = ports;
    this.path = path;
    this.token = token;
  }

  connect() {
    this.attempts++;
    const socket = connect(this.ports[this.#node], '127.0.0.1');
    const resume = this.#cursor === null ? '' : `Last-Event-ID: ${this.#cursor}\r\n`;
    socket.write(
      `GET ${this.path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${this.token}\r\n${resume}\r\n`,
    );
    let text = '';
    let hasHead = false;
    let waitMs = null;
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
      if (!hasHead) {
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        if (!text.startsWith('HTTP/1.1 200')) {
          waitMs = /"retryAfterMs":(\d+)/.exec(text)?.[1] ?? null;
          if (waitMs === null) return;
          if (!text.startsWith('HTTP/1.1 503')) this.odd.push(text.slice(0, 12));
          this.refused++;
          socket.destroy();
          return;
        }
        hasHead = true;
        text = text.slice(end + 4);
      }
      const frames = text.split('\n\n');
      text = frames.pop();
      for (const frame of frames) this.#take(frame);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.isOpen) this.#lostAt = performance.now();
      this.isOpen = false;
      if (waitMs !== null) {
        setTimeout(() => this.connect(), Number(waitMs));
        return;
      }
      this.#node = (this.#node + 1) % this.ports.length;
      setImmediate(() => this.connect());
    });
  }

  #take(frame) {
    this.#cursor = /^id: (.*)$/m.exec(frame)?.[1] ?? this.#cursor;
    const event = /^event: (.*)$/m.exec(frame)?.[1];
    if (event === 'stream.connected') this.#onConnected(frame);
    else if (event === 'stream.gap') this.gaps++;
    else if (event !== undefined) this.odd.push(event);
    else if (/^data: /m.test(frame)) this.#count(Number(/"n":(\d+)/.exec(frame)?.[1]));
  }

  #onConnected(frame) {
    this.isOpen = true;
    this.opened++;
    if (this.opened === 1) toStart.pop()?.connect();
    if (this.opened > 1 && !frame.includes('"resumed":"complete"')) this.odd.push(frame);
    if (this.#lostAt !== null) {
      this.outageMs = Math.max(this.outageMs, performance.now() - this.#lostAt);
    }
  }

  /** Numbers go up by one; the first event of all is 1. */
  #count(number) {
    if (number <= this.last) this.doubled++;
    else {
      this.lost += number - this.last - 1;
      this.last = number;
    }
  }
}
