import { expect, it } from '@jest/globals';
import type { Request } from 'express';
import { addressOf } from './request.js';

it.each([
  ['203.0.113.7', '203.0.113.7'],
  ['203.0.113.7:51234', '203.0.113.7'],
  ['2001:db8::1', '2001:db8::1'],
  ['[2001:db8::1]:51234', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['::ffff:203.0.113.7', '::ffff:203.0.113.7'],
  ['unknown', 'unknown'],
])('takes the port off the address of a client: %s', (ip, address) => {
  expect(addressOf({ ip, socket: {} } as Request)).toBe(address);
});
