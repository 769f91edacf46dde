import { type ClientRequest, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { PARAMETERS } from '@sluice/protocol';
import { Inbox } from '../../support/inbox.js';
import { listen } from '../../support/test-service.js';

/** How many streams were opened so far, and how many are open. */
export interface Tally {
  readonly opened: number;
  readonly open: number;
}

/** Stands before the service, passes on what comes, and knows the streams from all else. */
export interface StreamDoor extends AsyncDisposable {
  readonly url: string;
  /** The count of streams, anew after each change. */
  readonly tallies: Inbox<Tally>;
  /** How each stream showed its token. */
  readonly tokenPlaces: readonly string[];
  /** Resets the connection of every stream. */
  cut(): void;
  /** Resets every new connection, until `accept`. */
  refuse(): void;
  accept(): void;
}

/** @param target the port of the service, asked for anew with each request */
export async function openStreamDoor(target: () => number): Promise<StreamDoor> {
  const tallies = new Inbox<Tally>('a count of streams');
  const tokenPlaces: string[] = [];
  const open = new Set<ServerResponse>();
  const tell = () => tallies.push({ opened: tokenPlaces.length, open: open.size });
  let isRefusing = false;

  const listening = await listen((incoming, response) => {
    if (isRefusing) {
      incoming.socket.resetAndDestroy();
      return;
    }
    const { method, url: path, headers } = incoming;
    const onward = request({ host: '127.0.0.1', port: target(), method, path, headers });
    onward.on('response', (answer) => {
      if (isStream(answer)) {
        tokenPlaces.push(tokenPlaceOf(incoming));
        open.add(response);
        response.once('close', () => {
          open.delete(response);
          tell();
        });
        tell();
      }
      passBack(answer, response);
    });
    joinFates(onward, response);
    incoming.pipe(onward);
  });
  tell();
  return {
    url: `http://127.0.0.1:${listening.port}`,
    tallies,
    tokenPlaces,
    cut() {
      for (const response of open) response.socket?.resetAndDestroy();
    },
    refuse() {
      isRefusing = true;
    },
    accept() {
      isRefusing = false;
    },
    [Symbol.asyncDispose]: () => listening[Symbol.asyncDispose](),
  };
}

function isStream({ headers }: IncomingMessage): boolean {
  return headers['content-type']?.startsWith('text/event-stream') ?? false;
}

function tokenPlaceOf({ url = '', headers }: IncomingMessage): string {
  const { searchParams } = new URL(url, 'http://door');
  if (headers.authorization !== undefined) return 'header';
  return searchParams.has(PARAMETERS.streamToken) ? PARAMETERS.streamToken : PARAMETERS.accessToken;
}

function passBack(answer: IncomingMessage, response: ServerResponse): void {
  response.writeHead(answer.statusCode ?? 502, answer.headers);
  response.flushHeaders();
  answer.pipe(response);
  // The service has cut it: whoever stands before the door shall see just that.
  answer.once('error', () => response.socket?.resetAndDestroy());
}

/** Who goes on one side, goes on the other. */
function joinFates(onward: ClientRequest, response: ServerResponse): void {
  onward.on('error', () => response.socket?.resetAndDestroy());
  response.once('close', () => onward.destroy());
}
