import { describe, expect, it } from '@jest/globals';
import { type Obstacle, obstaclesOf, type Phase, type Vitals } from './vitals.js';

const HEALTHY: Vitals = {
  hub: {
    stats: {
      streams: 0,
      opened: 0,
      ended: new Map(),
      workspaces: 0,
      tailBytes: 0,
      historyBytes: 0,
      maxHistoryBytes: 0,
    },
  },
  eventLog: {
    isAvailable: true,
    stats: async () => ({ workspaces: 0, events: 0, bytes: 0, capacity: null }),
  },
  publisher: { published: { events: 0, bytes: 0 } },
  redis: { isAvailable: true },
  refusals: new Map(),
  areKeysKnown: () => true,
};
const { eventLog } = HEALTHY;

describe('whether a node is ready', () => {
  it.each<{ what: string; vitals?: Partial<Vitals>; phase?: Phase; missing: Obstacle[] }>([
    { what: 'where nothing is missing', missing: [] },
    { what: 'on the only node', vitals: { redis: null }, missing: [] },
    { what: 'before it listens', phase: 'starting', missing: ['starting'] },
    { what: 'once it goes down', phase: 'draining', missing: ['draining'] },
    {
      what: 'without its log',
      vitals: { eventLog: { ...eventLog, isAvailable: false } },
      missing: ['log'],
    },
    { what: 'without Redis', vitals: { redis: { isAvailable: false } }, missing: ['redis'] },
    { what: 'without any keys', vitals: { areKeysKnown: () => false }, missing: ['keys'] },
    {
      what: 'without anything',
      phase: 'starting',
      vitals: {
        eventLog: { ...eventLog, isAvailable: false },
        redis: { isAvailable: false },
        areKeysKnown: () => false,
      },
      missing: ['starting', 'log', 'redis', 'keys'],
    },
  ])('is said by what is missing: $what', ({ vitals = {}, phase = 'serving', missing }) => {
    expect(obstaclesOf({ ...HEALTHY, ...vitals }, phase)).toEqual(missing);
  });
});
