import { NoAnswer, seconds } from '../ask.js';
import type { Check } from '../examination.js';
import { ok, problem, skipped, warning } from '../finding.js';
import { bearer, isConnected, type OpenedStream, openStream } from '../open-stream.js';

const ADVICE =
  'Exempt text/event-stream from compression at the proxy: it holds frames back until a block is full, and no-transform asks for none.';

/** Browsers always offer compression; the other checks of the doctor do not. */
export const compressionCheck: Check = {
  id: 'compression',
  title: 'Compression',
  needs: ['permission'],
  async run(examination) {
    const { token, answerMs } = examination;
    if (token === null) return skipped('there is no token');
    let opened: OpenedStream;
    try {
      opened = await openStream(examination, {
        headers: { ...bearer(token), 'Accept-Encoding': 'gzip, deflate, br' },
      });
    } catch (error) {
      if (!(error instanceof NoAnswer && error.isLate)) throw error;
      return problem(
        `offered compression, no stream came within ${seconds(answerMs)}, though one came without`,
        ADVICE,
        { contentEncoding: null },
      );
    }
    try {
      const encoding = opened.answer.headers['content-encoding'] ?? null;
      const facts = { contentEncoding: encoding };
      if (encoding === null) return ok('none, though it was offered', facts);
      const connected = await opened.next(isConnected, answerMs);
      const seen = `something between compresses the stream (Content-Encoding: ${encoding})`;
      return connected === null
        ? problem(
            [seen, `and stream.connected did not come in ${seconds(answerMs)}`],
            ADVICE,
            facts,
          )
        : warning([seen, 'the first frame came through all the same'], ADVICE, facts);
    } finally {
      opened.close();
    }
  },
};
