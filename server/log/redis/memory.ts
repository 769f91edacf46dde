import type { LogStats } from '../event-log.js';

/** The memory of servers, from what each answers to `INFO memory`. */
export function readMemory(replies: readonly unknown[]): Pick<LogStats, 'bytes' | 'capacity'> {
  const infos = replies.map(String);
  const capacities = infos.map((info) => numberOf(info, 'maxmemory'));
  return {
    bytes: sum(infos.map((info) => numberOf(info, 'used_memory'))),
    // `maxmemory 0` is no bound.
    capacity: capacities.includes(0) ? null : sum(capacities),
  };
}

function numberOf(info: string, name: string): number {
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
