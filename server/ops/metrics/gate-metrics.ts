import { PERMISSIONS, SERVICE_ERRORS } from '@sluice/protocol';
import type { DecisionCounts } from '../../gate/permission/permissions.js';
import type { KeyFetches } from '../../gate/token/key-set.js';
import type { GateVitals, Vitals } from '../vitals.js';
import { countsBy } from './counts-by.js';
import type { Labelled, MetricSet } from './metric-set.js';
import type { Now } from './snapshot.js';

const NO_DECISIONS: DecisionCounts = { allowed: 0, denied: 0, failed: 0 };

export function addGateMetrics(add: MetricSet, { gate, refusals }: Vitals, now: Now): void {
  add.counters(
    { name: 'requests_refused_total', help: 'Requests that were refused, by their code.' },
    ['code'],
    () => countsBy('code', Object.keys(SERVICE_ERRORS), refusals),
  );
  add.histograms(
    { name: 'gate_step_seconds', help: 'What the steps of the gate take, by what came of them.' },
    () => gate.steps.read().map(({ step, outcome, times }) => [{ step, outcome }, times] as const),
  );
  add.gauge('revocations', 'Revocations that stand.', () => gate.revocations.count);
  addKeys(add, gate);
  addDecisions(add, gate);
  if (gate.authzen !== null) addAuthzen(add, now);
}

function addKeys(add: MetricSet, { issuers }: GateVitals): void {
  const each = (read: (fetches: KeyFetches) => number | null): Labelled<number>[] =>
    issuers.flatMap(({ issuer, keys: { fetches } }) => {
      const value = fetches === undefined ? null : read(fetches);
      return value === null ? [] : [[{ issuer }, value] as const];
    });
  const outcome = (name: string) => (labelled: Labelled<number>) =>
    [{ ...labelled[0], outcome: name }, labelled[1]] as const;
  add.counters(
    { name: 'jwks_fetches_total', help: 'Readings of the keys of an issuer.' },
    ['issuer', 'outcome'],
    () => [
      ...each(({ ok }) => ok).map(outcome('ok')),
      ...each(({ failed }) => failed).map(outcome('failed')),
    ],
  );
  add.gauges(
    { name: 'jwks_age_seconds', help: 'Since the keys of an issuer were read last.' },
    ['issuer'],
    () => each(({ ageMs }) => (ageMs === null ? null : ageMs / 1_000)),
  );
  add.gauges({ name: 'jwks_keys', help: 'Keys of an issuer that verify.' }, ['issuer'], () =>
    each(({ keys }) => keys),
  );
}

function addDecisions(add: MetricSet, { permissions }: GateVitals): void {
  add.counters(
    {
      name: 'permission_decisions_total',
      help: 'Decisions on permissions, those on open streams among them.',
    },
    ['permission', 'outcome'],
    () =>
      PERMISSIONS.flatMap((permission) =>
        Object.entries(permissions.decisions.get(permission) ?? NO_DECISIONS).map(
          ([outcome, count]) => [{ permission, outcome }, count] as const,
        ),
      ),
  );
}

function addAuthzen(add: MetricSet, now: Now): void {
  add.counters(
    { name: 'permission_calls_total', help: 'Calls of the decision point.' },
    ['outcome'],
    () => {
      const { ok = 0, failed = 0 } = now().authzen ?? {};
      return [
        [{ outcome: 'ok' }, ok],
        [{ outcome: 'failed' }, failed],
      ];
    },
  );
  add.counter(
    'permission_cache_hits_total',
    'Questions that needed no call of their own.',
    () => now().authzen?.cacheHits ?? 0,
  );
  add.gauge(
    'permission_calls_waiting',
    'Questions that wait for their turn to be asked; one that was given up counts until then.',
    () => now().authzen?.waiting ?? null,
  );
  add.gauge(
    'permission_breaker_open',
    'Whether the decision point is left alone, since calls have failed.',
    () => Number(now().authzen?.isBreakerOpen ?? false),
  );
}
