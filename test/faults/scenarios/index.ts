import type { Scenario } from '../scenario.ts';
import { BLACK_HOLE_SCENARIOS } from './black-holes.ts';
import { CONNECTION_SCENARIOS } from './connections.ts';
import { HOSTILE_SCENARIOS } from './hostile.ts';
import { PUBLISHING_SCENARIOS } from './publishing.ts';
import { RECEIVING_SCENARIOS } from './receiving.ts';
import { SUBSCRIBING_SCENARIOS } from './subscribing.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...PUBLISHING_SCENARIOS,
  ...CONNECTION_SCENARIOS,
  ...SUBSCRIBING_SCENARIOS,
  ...RECEIVING_SCENARIOS,
  ...HOSTILE_SCENARIOS,
  ...BLACK_HOLE_SCENARIOS,
];
