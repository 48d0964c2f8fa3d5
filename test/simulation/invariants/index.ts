import type { Invariant } from '../scene.ts';
import { AUTHENTICATION_INVARIANTS } from './authentication.ts';
import { FAILURE_INVARIANTS } from './failures.ts';
import { LIVENESS_INVARIANTS } from './liveness.ts';
import { PUBLICATION_INVARIANTS } from './publications.ts';
import { RESOURCE_INVARIANTS } from './resources.ts';
import { SESSION_INVARIANTS } from './sessions.ts';
import { SUBSCRIPTION_INVARIANTS } from './subscriptions.ts';

/** Everything that is watched in every simulation. */
export const INVARIANTS: readonly Invariant[] = [
  ...SESSION_INVARIANTS,
  ...FAILURE_INVARIANTS,
  ...PUBLICATION_INVARIANTS,
  ...SUBSCRIPTION_INVARIANTS,
  ...AUTHENTICATION_INVARIANTS,
  ...RESOURCE_INVARIANTS,
  ...LIVENESS_INVARIANTS,
];
