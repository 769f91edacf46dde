import { createHash } from 'node:crypto';
import type { Request, Response } from 'express';
import type { PublishLimits } from '../config.js';
import { SluiceError } from '../errors.js';
import type { Gate } from '../gate/gate.js';
import { type Principal, subjectKey } from '../gate/principal.js';
import type { Idempotency } from '../log/event-log.js';
import type { Publisher } from '../log/publisher.js';
import { traced } from '../ops/tracing.js';
import { type Media, mediaOf, readEventBody } from './event-body.js';
import { headerValues } from './header-values.js';
import { createRawBodyReader } from './raw-body.js';
import { gateRequestOf, identify } from './request.js';
import { recordOf } from './request-watch.js';

/** 1 to 255 characters of visible ASCII. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

export interface PublishParts {
  readonly gate: Gate;
  readonly publisher: Publisher;
  readonly limits: PublishLimits;
}

/** `POST /realtime/workspace/:ws/events` */
export function createPublishRoute({ gate, publisher, limits }: PublishParts) {
  const readBody = createRawBodyReader(limits.maxBodyBytes);

  return async (request: Request, response: Response): Promise<void> => {
    const asked = gateRequestOf(request, response);
    const { workspace, requestId } = asked;
    const record = recordOf(response);
    const principal = await identify(gate, asked, record);
    const media = mediaOf(request);
    const key = readIdempotencyKey(request);
    const bytes = bytesOf(await readBody(request, response));
    const body = readEventBody(bytes, media);
    const events = publisher.read(workspace, body.events, body.form);

    const topics = [...new Set(events.map(({ topic }) => topic))];
    await gate.permit({
      principal,
      workspace,
      permission: 'realtime:publish',
      topics,
      mustBeFresh: false,
      requestId,
    });

    gate.checkStanding(principal, workspace);

    const idempotency = key === null ? undefined : idempotencyOf(principal, key, media, bytes);
    const published = await traced('publish', () =>
      publisher.publish(workspace, events, idempotency),
    );
    record?.published(published.events.length);
    if (published.repeated) response.setHeader('Idempotency-Replayed', 'true');
    // Express's own `json` asks for settings, types and conditions that are the same each time.
    response
      .status(201)
      .setHeader('Cache-Control', 'no-store')
      .setHeader('Content-Type', 'application/json; charset=utf-8')
      .end(JSON.stringify({ events: published.events }));
  };
}

/** What the application around this router has parsed already is taken back to text. */
function bytesOf(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(body === undefined ? '' : asJson(body));
}

function asJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    // A parser takes what is nested deeper than the stack of whoever writes it.
    throw new SluiceError('INVALID_REQUEST', 'The body is nested too deeply.', { cause });
  }
}

function readIdempotencyKey(request: Request): string | null {
  const given = headerValues(request, 'idempotency-key');
  if (given.length === 0) return null;
  const [key = ''] = given;
  if (given.length > 1 || !IDEMPOTENCY_KEY.test(key)) {
    throw new SluiceError(
      'INVALID_REQUEST',
      'Idempotency-Key is not one text of 1 to 255 visible ASCII characters.',
    );
  }
  return key;
}

/** A key is its publisher's own: another one that chose the same is not answered with this one's events. */
function idempotencyOf(
  principal: Principal,
  key: string,
  { form }: Media,
  body: Buffer,
): Idempotency {
  const fingerprint = createHash('sha256').update(`${form}\n`).update(body).digest();
  return { key: `${subjectKey(principal)}\n${key}`, fingerprint };
}
