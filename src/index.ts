export { platformInformation as relayInformation } from '#platform';
export type { Candidate, Request as SelectionRequest, Strategy } from '../machines/policy/balance/candidate.ts';
export type { StrategyName } from '../machines/policy/balance/strategies.ts';
export type { CloseReport } from '../machines/policy/close.ts';
export { RecloserError, type RecloserErrorCode } from '../machines/policy/error.ts';
export type { ConnectionRecord, RelayHistory } from '../machines/policy/history.ts';
export type { Preset } from '../machines/policy/presets.ts';
export type { Priority } from '../machines/policy/priority.ts';
export type { Refusal, RefusalClass } from '../machines/policy/refusal.ts';
export type { BackoffStrategy, BalanceSettings, PoolOptions, RelayOptions } from '../machines/policy/settings.ts';
export type { StatedLimits } from '../machines/policy/stated-limits.ts';
export type { NetworkState, RelayStatus } from '../machines/policy/status.ts';
export type { KeptPool, PoolInput, RelayEntry } from '../machines/pool/pool.context.ts';
export type { MovedEvent, PoolCommand, PoolFact, RelayTarget } from '../machines/pool/pool.events.ts';
export type {
  FailureCause,
  Outcome,
  PublicationFact,
  PublicationStatus,
  RefusalCause,
} from '../machines/publication/publication.events.ts';
export type { RelayFact } from '../machines/relay/relay.events.ts';
export type {
  ReceivedEvent,
  SubscriptionEnd,
  SubscriptionFact,
  SubscriptionStanding,
  SubscriptionState,
} from '../machines/subscription/subscription.events.ts';
export type { Signer, UnsignedAuthEvent } from './auth/signer.ts';
export { type Clock, systemClock } from './clock.ts';
export type { Failover, FailoverCause, FailoverStatistics } from './delivery/failovers.ts';
export type { LocalOutboxOptions } from './delivery/outbox/local-outbox.ts';
export { createMemoryOutbox } from './delivery/outbox/memory-outbox.ts';
export type {
  DeadLetter,
  Durability,
  Lease,
  Outbox,
  OutboxItem,
  OutboxStats,
} from './delivery/outbox/outbox.ts';
export type { StateStore } from './delivery/outbox/state-store.ts';
export type { Moment, Receipt } from './delivery/receipt.ts';
export { areFrameBytes, type Frame, type FrameBytes, textOf } from './frame.ts';
export type { CountResult, QueryResult } from './intake/query.ts';
export type { WhenFull } from './intake/reader.ts';
export type { Received, Subscription, SubscriptionHandlers } from './intake/subscription.ts';
export {
  type CreatePoolOptions,
  createPool,
  type Pool,
  type PoolActor,
  type PublishOptions,
  poolMachine,
} from './pool/create-pool.ts';
export type { Fact, FactOf, FrameFact, StepFact } from './pool/facts.ts';
export type { CircuitState, PoolMetrics, RelayMetrics } from './pool/metrics.ts';
export type { PoolParts } from './pool/parts.ts';
export { providePoolMachine } from './pool/pool-machine.ts';
export { type KeptRelay, type KeptState, openState, type PoolState } from './pool/pool-state.ts';
export type { QueryOptions, SubscribeOptions } from './pool/subscriber.ts';
export type { Codec, Glimpse, Message, PreparedEvent, PreparedFilters, Probe } from './protocol/codec.ts';
export { nostrCodec } from './protocol/nostr/codec.ts';
export type { NostrEvent } from './protocol/nostr/event.ts';
export type { NostrFilter } from './protocol/nostr/filter.ts';
export { nostrVerifier } from './protocol/nostr/verifier.ts';
export type { KnownEvent, Reconciler, Reconciliation } from './protocol/reconciler.ts';
export type { Verifier } from './protocol/verifier.ts';
export type { InformationOptions, InformationReader } from './transport/information.ts';
export { browserNetwork, type NetworkEvents, type NetworkStatus } from './transport/network-status.ts';
export type { Connection, Transport, TransportHandlers, TransportOptions } from './transport/transport.ts';
export { webSocketTransport } from './transport/web-socket.ts';
