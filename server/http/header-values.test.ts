import type { IncomingMessage } from 'node:http';
import { expect, it } from '@jest/globals';
import { headerValues } from './header-values.js';

const request = {
  rawHeaders: ['Host', 'sluice.example', 'X-Request-Id', 'one', 'x-request-ID', 'two'],
} as IncomingMessage;

it('gives each value of a header, however its name is written', () => {
  expect(headerValues(request, 'x-request-id')).toEqual(['one', 'two']);
  expect(headerValues(request, 'host')).toEqual(['sluice.example']);
});

it('gives nothing for what is not there, and takes no value for a name', () => {
  expect(headerValues(request, 'authorization')).toEqual([]);
  expect(headerValues(request, 'one')).toEqual([]);
});
