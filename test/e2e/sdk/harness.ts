import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PARAMETERS, type ServiceErrorCode } from '@sluice/protocol';
import {
  FAULTS,
  type Fault,
  frames,
  parametersOf,
  refusal,
  stream,
  streamTokenAnswer,
} from '../../support/fault-server.js';
import { freePort } from '../../support/free-port.js';
import { type Playground, startPlayground } from '../../support/playground.js';
import type { Service } from '../../support/service.js';
import { addServiceAccount } from '../../support/service-account.js';
import { type Listening, listen } from '../../support/test-service.js';
import { bundleSuite } from './bundle.js';
import type { Setting, TransportName } from './scenario.js';
import { STREAMS_PER_SUBJECT } from './scenarios/refusals.js';
import { StageControl } from './stage-control.js';
import { openStreamDoor } from './stream-door.js';

/** What one environment needs to play the scenarios: the service, and a site with a page. Use it with `await using`. */
export interface Harness extends AsyncDisposable {
  /** The origin of the page, from which the service takes requests. */
  readonly origin: string;
  readonly playground: Playground;
  openStage(transport: TransportName): Promise<OpenStage>;
}

/** A scenario's own workspace, door and control. Use it with `await using`. */
export interface OpenStage extends AsyncDisposable {
  readonly setting: Setting;
  readonly control: StageControl;
}

export async function startHarness(nodeBinary = process.execPath): Promise<Harness> {
  const site = await startSite();
  const origin = `http://127.0.0.1:${site.port}`;
  const playground = await startPlayground({
    nodeBinary,
    env: {
      ALLOWED_ORIGINS: origin,
      ISSUER_ENABLED: 'true',
      MAX_STREAMS_PER_SUBJECT: String(STREAMS_PER_SUBJECT),
      DRAIN_MS: '100',
    },
  });
  const closedEndpoint = `http://127.0.0.1:${await freePort()}`;
  let stages = 0;
  return {
    origin,
    playground,
    openStage: async (transport) => {
      const workspace = `stage-${++stages}`;
      const door = await openStreamDoor(() => playground.service.port);
      const control = new StageControl(playground, door, workspace, () =>
        accountOf(playground.service, workspace),
      );
      const faultEndpoint = `${origin}/faults`;
      return {
        setting: { transport, endpoint: door.url, workspace, closedEndpoint, faultEndpoint },
        control,
        [Symbol.asyncDispose]: async () => {
          await control.stopFlow();
          await door[Symbol.asyncDispose]();
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      await playground[Symbol.asyncDispose]();
      await site[Symbol.asyncDispose]();
    },
  };
}

const PAGE = '<!doctype html><title>suite</title><script type="module" src="/suite.js"></script>';
const OTHER_PAGE = '<!doctype html><title>elsewhere</title>';

/** Serves the page with the scenarios, another page, and the faults. */
async function startSite(): Promise<Listening> {
  const script = bundleSuite('page');
  return await listen((incoming, response) => {
    const { url = '' } = incoming;
    if (url.startsWith('/faults/')) playFault(url.split('/')[2] ?? '', incoming, response);
    else if (url === '/suite.js') send(response, 'text/javascript', script);
    else send(response, 'text/html', url === '/' ? PAGE : OTHER_PAGE);
  });
}

function playFault(name: string, incoming: IncomingMessage, response: ServerResponse): void {
  const named = Object.entries<Fault>({ ...FAULTS, draining }).find(
    ([known]) => known === name,
  )?.[1];
  const fault = named ?? refusal(name as ServiceErrorCode, 503);
  fault(response, incoming);
}

/** Goes down and keeps its stream, like one of several nodes; whoever comes back with a cursor has reached another one. */
const draining: Fault = (response, request) => {
  if (request.method === 'POST') return streamTokenAnswer(randomUUID())(response, request);
  const lastEventId =
    request.headers['last-event-id'] ?? parametersOf(request).get(PARAMETERS.lastEventId);
  const [first = '', ...others] = [1, 2, 3].map((n) => frames.event(n, { n }));
  const drain = frames.control('stream.draining', { reconnectInMs: 100 });
  const text =
    lastEventId === null
      ? [frames.connected(0), drain, first]
      : [frames.connected(1, 'complete'), first, ...others];
  stream(...text)(response, request);
};

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` }).end(body);
}

async function accountOf(service: Service, workspace: string) {
  const clientId = `account-${randomUUID()}`;
  return { clientId, clientSecret: await addServiceAccount(clientId, service, workspace) };
}
