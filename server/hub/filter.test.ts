import { describe, expect, it } from '@jest/globals';
import { createFilter, type Patterns, passes } from './filter.js';

const filter = (topics: Patterns = null, types: Patterns = null, permitted: Patterns = null) =>
  createFilter({ topics, types, permitted });
const EVENT = { topic: 'document-12', type: 'changed' };

describe('a filter', () => {
  it.each<[string, Patterns, Patterns, Patterns]>([
    ['everything', null, null, null],
    ['the topic', ['document-12'], null, null],
    ['a pattern of the topic', ['orders', 'document-*'], null, null],
    ['the type', null, ['removed', 'changed'], null],
    ['a permitted topic', null, null, ['*-12']],
    ['all three', ['doc*'], ['ch*'], ['*12']],
  ])('for %s lets an event through', (_, topics, types, permitted) => {
    expect(passes(filter(topics, types, permitted), EVENT)).toBe(true);
  });

  it.each<[string, Patterns, Patterns, Patterns]>([
    ['no topic', [], null, null],
    ['another topic', ['document-1', 'Document-12'], null, null],
    ['another type', ['document-12'], ['removed'], null],
    ['a topic that is not permitted', ['document-12'], null, ['orders']],
    ['nothing that is permitted', null, null, []],
    ['the type where the topic is meant', ['changed'], ['document-12'], null],
  ])('for %s holds an event back', (_, topics, types, permitted) => {
    expect(passes(filter(topics, types, permitted), EVENT)).toBe(false);
  });

  it('has the same key whatever the order and repetition of its patterns', () => {
    expect(filter(['b', 'a', 'b']).key).toBe(filter(['a', 'b']).key);
    expect(filter(['a', '*'], ['*'], ['*']).key).toBe(filter().key);
  });

  it('has another key than one that lets other events through', () => {
    const keys = [
      filter(),
      filter([]),
      filter(['a', 'b']),
      filter(['a"', 'b']),
      filter(['ab']),
      filter(null, ['a', 'b']),
      filter(null, null, ['a', 'b']),
      filter(null, null, []),
      filter(['a'], ['b']),
      filter(['null']),
    ].map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('keeps its patterns when the list that it was made of changes', () => {
    const asked = ['a'];
    const made = filter(asked);
    asked.push('document-12');
    expect(passes(made, EVENT)).toBe(false);
  });
});
