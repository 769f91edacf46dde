import type { Scenario } from './scenario.js';
import { DELIVERY } from './scenarios/delivery.js';
import { PAGE_LIFE } from './scenarios/page-life.js';
import { REFUSALS } from './scenarios/refusals.js';
import { SUBSCRIPTIONS } from './scenarios/subscriptions.js';
import { TOKENS } from './scenarios/tokens.js';

/** What holds wherever the SDK runs, and over either transport. */
export const SCENARIOS: readonly Scenario[] = [
  ...DELIVERY,
  ...SUBSCRIPTIONS,
  ...TOKENS,
  ...REFUSALS,
  ...PAGE_LIFE,
];
