import type { NextFunction, Request, RequestHandler, Response } from 'express';

export type Handler = (request: Request, response: Response, next: NextFunction) => void;

/** Several handlers as one: a layer of Express costs more than what most handlers do. */
export function inOrder(...handlers: readonly Handler[]): RequestHandler {
  return (request, response, next) => {
    let index = 0;
    const step: NextFunction = (error?: unknown) => {
      const handler = handlers[index++];
      if (error !== undefined || handler === undefined) next(error);
      else handler(request, response, step);
    };
    step();
  };
}
