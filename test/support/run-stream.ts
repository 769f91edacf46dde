import type { Frame } from '@sluice/protocol';
import { parseJsonObject } from '../../sdk/http/response-body.js';
import { errorOfProblem } from '../../sdk/transport/refusal.js';
import type { StreamRequest, Transport } from '../../sdk/transport/transport.js';

export const TOKEN = 'secret-token.with.parts';

/** What one run of a transport came to. */
export interface Ran {
  readonly frames: readonly Frame[];
  readonly activities: number;
  readonly serverTimes: readonly number[];
  /** `null` where it resolved. */
  readonly error: unknown;
}

export interface RunOptions {
  readonly transport: Transport;
  readonly endpoint: string;
  readonly signal: AbortSignal;
  readonly request?: Partial<StreamRequest>;
  onFrame?(frame: Frame): void;
}

/** Runs one stream to its end. Throws into the transport what a `stream.error` tells, as a connection does. */
export async function runStream(options: RunOptions): Promise<Ran> {
  const { transport, endpoint, signal, request = {}, onFrame = () => {} } = options;
  const seen: Frame[] = [];
  const serverTimes: number[] = [];
  let activities = 0;
  let error: unknown = null;
  const running = transport.run(
    {
      endpoint,
      workspace: 'acme',
      token: TOKEN,
      topics: [],
      types: [],
      lastEventId: null,
      ...request,
    },
    {
      onServerTime: (serverTimeMs) => serverTimes.push(serverTimeMs),
      onActivity: () => activities++,
      onFrame: (frame) => {
        seen.push(frame);
        onFrame(frame);
        if (frame.event !== 'stream.error') return;
        throw errorOfProblem(parseJsonObject(frame.data ?? '') ?? {}, [TOKEN]);
      },
    },
    signal,
  );
  await running.catch((reason: unknown) => {
    error = reason;
  });
  return { frames: seen, activities, serverTimes, error };
}
