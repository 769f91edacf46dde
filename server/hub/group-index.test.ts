import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { LogEntry } from '../log/event-log.js';
import { Deliveries } from './deliveries.js';
import { createFilter, type Filter, type Patterns, passes } from './filter.js';
import { Group } from './group.js';
import { GroupIndex } from './group-index.js';
import type { PatternMap } from './pattern-map.js';

const groupFor = (filter: Filter) => new Group(filter, 0, () => {}, new Deliveries());
const forTopics = (...topics: string[]) =>
  groupFor(createFilter({ topics, types: null, permitted: null }));

function entry(topic: string, type = 'changed'): LogEntry {
  return { offset: 1, previous: 0, topic, type, frame: Buffer.from('frame') };
}

const name = fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: 1, maxLength: 4 });
const pattern = fc.string({
  unit: fc.constantFrom('a', 'b', '-', '*'),
  minLength: 1,
  maxLength: 4,
});
const patterns: fc.Arbitrary<Patterns> = fc.array(pattern, { maxLength: 3 });
const rarely = (list: fc.Arbitrary<Patterns>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: list });
// Most filters are by topic alone, so that most of what could be found is.
const filter = fc
  .record({ topics: patterns, types: rarely(patterns), permitted: rarely(patterns) })
  .chain((asked) =>
    fc.boolean().map((all) => createFilter(all ? { ...asked, topics: null } : asked)),
  );
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('add' as const), filter }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat() }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('find' as const), topic: name, type: name }),
  },
);

describe('the group index', () => {
  it('finds those groups, and no others, that a look at each of them finds', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 80 }), (steps) => {
        const index = new GroupIndex();
        const groups: Group[] = [];
        for (const action of steps) {
          if (action.do === 'add') {
            const group = groupFor(action.filter);
            groups.push(group);
            index.add(group);
          } else if (action.do === 'remove' && groups.length > 0) {
            const [group] = groups.splice(action.which % groups.length, 1);
            index.remove(group as Group);
          } else if (action.do === 'find') {
            const event = entry(action.topic, action.type);
            const wanted = groups.filter((group) => passes(group.filter, event));
            const found = index.find(event);
            expect(found.size).toBe(wanted.length);
            expect(wanted.every((group) => found.has(group))).toBe(true);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('finds a group once, by however many of its patterns', () => {
    const index = new GroupIndex();
    const group = forTopics('orders', 'order*', 'o*', '*s');
    index.add(group);
    expect([...index.find(entry('orders'))]).toEqual([group]);
  });

  it('finds those that stay when one of as long a beginning has gone', () => {
    const index = new GroupIndex();
    const [going, staying] = [forTopics('ab*'), forTopics('cd*')];
    index.add(going);
    index.add(staying);
    index.remove(going);
    expect([...index.find(entry('cde'))]).toEqual([staying]);
    expect(index.find(entry('abc')).size).toBe(0);
  });

  it('finds nothing when all have gone, and keeps nothing of them', () => {
    const index = new GroupIndex();
    const ofTypes = groupFor(createFilter({ topics: ['a'], types: ['x', 'y*'], permitted: null }));
    const groups = [forTopics('a', 'b*', 'bc*'), forTopics('b*', '*'), forTopics('a'), ofTypes];
    for (const group of groups) index.add(group);
    for (const group of groups) index.remove(group);
    expect(index.find(entry('a')).size).toBe(0);
    expect(index.size).toBe(0);
  });

  it.each<[string, (n: number) => Partial<Filter>, { topic: string; type?: string }]>([
    ['topics', (n) => ({ topics: [`topic-${n}`] }), { topic: 'topic-77' }],
    ['beginnings', (n) => ({ topics: [`room-${n}-*`] }), { topic: 'room-77-chat' }],
    ['ends', (n) => ({ topics: [`*.order-${n}`] }), { topic: 'shop.order-77' }],
    ['ends behind one beginning', (n) => ({ topics: [`a.*.${n}`] }), { topic: 'a.b.77' }],
    ['types', (n) => ({ types: [`type-${n}`] }), { topic: 'any', type: 'type-77' }],
    ['ends of types', (n) => ({ types: [`*.${n}`] }), { topic: 'any', type: 'type.77' }],
    [
      'types of one topic',
      (n) => ({ topics: ['orders'], types: [`user-${n}`] }),
      { topic: 'orders', type: 'user-77' },
    ],
    [
      'permitted topics where all ask for the same',
      (n) => ({ topics: ['room-*'], permitted: [`room-${n}`] }),
      { topic: 'room-77' },
    ],
  ])(
    'looks at the group that an event concerns, and not at 10,000 others: %s',
    (_, make, event) => {
      const index = new GroupIndex();
      let looks = 0;
      for (let number = 0; number < 10_000; number++) {
        const group = groupFor(
          createFilter({ topics: null, types: null, permitted: null, ...make(number) }),
        );
        const { filter: own } = group;
        Object.defineProperty(group, 'filter', {
          get: () => {
            looks++;
            return own;
          },
        });
        index.add(group);
      }
      looks = 0;
      expect(index.find(entry(event.topic, event.type)).size).toBe(1);
      expect(index.find(entry('elsewhere', 'other')).size).toBe(0);
      expect(looks).toBe(1);
    },
  );

  it('takes no more places than there may be patterns, for topics and types together', () => {
    const names = (count: number) => Array.from({ length: count }, (_, number) => `n${number}`);
    const group = groupFor(createFilter({ topics: names(20), types: names(20), permitted: null }));
    const index = new GroupIndex();
    index.add(group);
    const { byTopic } = index as unknown as { byTopic: PatternMap<{ byType: unknown }> };
    expect(byTopic.get('n7')?.byType).toBeNull();
    expect(index.find(entry('n7', 'n8')).size).toBe(1);
    expect(index.find(entry('n7', 'other')).size).toBe(0);
  });
});
