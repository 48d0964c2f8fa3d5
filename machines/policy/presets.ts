/**
 * Options that go together. `production` is what a pool has by default. `development` retries soon and trusts local
 * relays. `mobile` asks less often for signs of life and is slower to give a connection up: radios sleep, and what looks
 * dead is often only late. `low-latency` finds out sooner, and pays for it with more traffic and false alarms.
 */
export const PRESETS = {
  production: {},
  development: {
    connectTimeoutMs: 2_000,
    heartbeatMs: 5_000,
    reconnect: { initialDelayMs: 200, maxDelayMs: 2_000, relaxation: 1 },
    breaker: { openMs: 1_000, openMaxMs: 10_000 },
    trust: { allowPrivate: true, allowInsecure: true },
  },
  mobile: {
    connectTimeoutMs: 10_000,
    heartbeatMs: 30_000,
    deadAfterMs: 10_000,
    breaker: { halfOpenTimeoutMs: 10_000 },
    publish: { timeoutMs: 60_000, ackTimeoutMs: 10_000 },
  },
  'low-latency': {
    connectTimeoutMs: 2_000,
    heartbeatMs: 5_000,
    deadAfterMs: 2_000,
    reconnect: { initialDelayMs: 250, maxDelayMs: 30_000, relaxation: 2 },
    publish: { ackTimeoutMs: 2_000, resendDelayMs: 250 },
  },
} as const;

export type Preset = keyof typeof PRESETS;
