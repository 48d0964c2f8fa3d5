import type { Scenario } from '../scenario.ts';
import { BLACK_HOLE_SCENARIOS } from './black-holes.ts';
import { CONNECTION_SCENARIOS } from './connections.ts';
import { HOSTILE_SCENARIOS } from './hostile.ts';
import { PUBLISHING_SCENARIOS } from './publishing.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...PUBLISHING_SCENARIOS,
  ...CONNECTION_SCENARIOS,
  ...HOSTILE_SCENARIOS,
  ...BLACK_HOLE_SCENARIOS,
];
