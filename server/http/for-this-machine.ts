import type { NextFunction, Request, Response } from 'express';
import { SluiceError } from '../errors.js';

const LOOPBACK = /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/;
/**
 * What proxies add. Where one stands in between, the caller is not this machine, whatever the connection says; and what
 * these headers say in turn is the word of whoever wrote them, trusted or not.
 */
const OF_PROXIES = /^(forwarded|via|x-real-ip|x-forwarded-.+)$/;

/** To all that do not come from this machine, straight, there is nothing here. */
export function forThisMachine(request: Request, _response: Response, next: NextFunction): void {
  const isLocal = LOOPBACK.test(request.socket.remoteAddress ?? '');
  const isDirect = !Object.keys(request.headers).some((name) => OF_PROXIES.test(name));
  if (!isLocal || !isDirect) throw new SluiceError('NOT_FOUND');
  next();
}
