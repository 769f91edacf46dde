import { describe, expect, it } from '@jest/globals';
import type { Request, Response } from 'express';
import { type Handler, inOrder } from './in-order.js';

/** What the handlers did, and what came out behind them. */
function run(...handlers: readonly Handler[]): unknown[] {
  const steps: unknown[] = [];
  const named = handlers.map(
    (handler, index): Handler =>
      (request, response, next) => {
        steps.push(index);
        handler(request, response, next);
      },
  );
  inOrder(...named)({} as Request, {} as Response, (error?: unknown) => steps.push(['out', error]));
  return steps;
}

describe('handlers in order', () => {
  it('are run one after the other, and what follows them behind the last', () => {
    const go: Handler = (_request, _response, next) => next();
    expect(run(go, go, go)).toEqual([0, 1, 2, ['out', undefined]]);
    expect(run()).toEqual([['out', undefined]]);
  });

  it('end with the one that answers', () => {
    expect(
      run(
        (_request, _response, next) => next(),
        () => {},
        () => {},
      ),
    ).toEqual([0, 1]);
  });

  it('hand an error out at once', () => {
    const error = new Error('no');
    expect(
      run(
        (_request, _response, next) => next(error),
        () => {},
      ),
    ).toEqual([0, ['out', error]]);
    expect(() =>
      run(
        (_request, _response, next) => next(),
        () => {
          throw error;
        },
      ),
    ).toThrow(error);
  });
});
