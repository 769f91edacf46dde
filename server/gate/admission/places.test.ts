import { describe, expect, it } from '@jest/globals';
import { NO_LIMITS } from '../../../test/support/gate.js';
import { type Occupant, Places } from './places.js';

function occupant(n: number): Occupant {
  return {
    issuer: 'https://issuer.test',
    subject: `s${n}`,
    workspace: `w${n % 5}`,
    network: `192.0.2.${n % 7}`,
  };
}

describe('places', () => {
  it('keep no count of what nobody occupies, also after refusals', () => {
    const places = new Places({ ...NO_LIMITS, maxStreams: 100 });
    const occupants = Array.from({ length: 100 }, (_, n) => occupant(n));
    for (const one of occupants) places.take(one);
    expect(places.countsKept).toBe(112);
    expect(() => places.take(occupant(1_000))).toThrow('This node');
    expect(places.countsKept).toBe(112);
    for (const one of occupants) places.give(one);
    expect(places.countsKept).toBe(0);
  });

  it('count names that every object has as any others', () => {
    const places = new Places({ ...NO_LIMITS, maxStreamsPerWorkspace: 1 });
    const names = ['__proto__', 'constructor', 'toString'];
    for (const workspace of names) places.take({ ...occupant(1), workspace });
    for (const workspace of names) {
      expect(() => places.take({ ...occupant(1), workspace })).toThrow('The workspace');
    }
  });
});
