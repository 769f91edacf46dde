import { describe, expect, it } from '@jest/globals';
import { type Needs, type Obstacle, obstaclesOf, type Phase } from './vitals.js';

const HEALTHY: Needs = {
  eventLog: { isAvailable: true },
  redis: { isAvailable: true },
  areKeysKnown: () => true,
};

describe('whether a node is ready', () => {
  it.each<{ what: string; needs?: Partial<Needs>; phase?: Phase; missing: Obstacle[] }>([
    { what: 'where nothing is missing', missing: [] },
    { what: 'on the only node', needs: { redis: null }, missing: [] },
    { what: 'before it listens', phase: 'starting', missing: ['starting'] },
    { what: 'once it goes down', phase: 'draining', missing: ['draining'] },
    {
      what: 'without its log',
      needs: { eventLog: { isAvailable: false } },
      missing: ['log'],
    },
    { what: 'without Redis', needs: { redis: { isAvailable: false } }, missing: ['redis'] },
    { what: 'without any keys', needs: { areKeysKnown: () => false }, missing: ['keys'] },
    {
      what: 'without anything',
      phase: 'starting',
      needs: {
        eventLog: { isAvailable: false },
        redis: { isAvailable: false },
        areKeysKnown: () => false,
      },
      missing: ['starting', 'log', 'redis', 'keys'],
    },
  ])('is said by what is missing: $what', ({ needs = {}, phase = 'serving', missing }) => {
    expect(obstaclesOf({ ...HEALTHY, ...needs }, phase)).toEqual(missing);
  });
});
