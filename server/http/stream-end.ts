import type { Log } from '../ops/log.js';
import { traceEnd } from '../ops/tracing.js';
import type { Stream, StreamEnd } from '../stream/stream.js';

/** Writes the line of a stream that has ended, and links the end to the trace of its opening. */
export function tellStreamEnd(log: Log, stream: Stream, end: StreamEnd, cursor: string | null) {
  const { trace } = stream;
  const { code, reason, bytes, events } = end;
  const durationMs = Date.now() - end.openedAt;
  if (log.isLevelEnabled?.('info') ?? true) {
    const { workspace, subject, issuer, tokenHash, requestId } = stream;
    log.info(
      {
        requestId,
        workspace,
        subject,
        issuer,
        ...(tokenHash !== null && { tokenHash }),
        code,
        reason,
        durationMs,
        bytes,
        events,
        cursor,
        ...(trace !== null && { traceId: trace.traceId }),
      },
      'stream ended',
    );
  }
  if (trace !== null) {
    traceEnd('stream end', trace, {
      'sluice.code': code ?? 'none',
      'sluice.request_id': stream.requestId,
      'sluice.duration_ms': durationMs,
      'sluice.bytes': bytes,
      'sluice.events': events,
    });
  }
}
