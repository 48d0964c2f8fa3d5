import { assign, type EventObject } from 'xstate';
import { deliveryTable } from '../../machines/delivery/delivery.table.ts';
import type { CloseReport } from '../../machines/policy/close.ts';
import type { Priority } from '../../machines/policy/priority.ts';
import { poolMachine } from '../../machines/pool/pool.machine.ts';
import { publicationTable } from '../../machines/publication/publication.table.ts';
import {
  isTripped,
  type RelayContext,
  recordLoss,
  scheduleRetry,
  scheduleTrial,
} from '../../machines/relay/relay.context.ts';
import { relayMachine } from '../../machines/relay/relay.machine.ts';
import type { SocketInput } from '../../machines/socket.ts';
import { AnswerWindow } from '../../src/delivery/answer-window.ts';
import { Capacity } from '../../src/delivery/capacity.ts';
import { Deadlines } from '../../src/delivery/deadlines.ts';
import { Dispatcher } from '../../src/delivery/dispatcher.ts';
import { Lane } from '../../src/delivery/lane.ts';
import { LaneQueue } from '../../src/delivery/lane-queue.ts';
import { Ledger } from '../../src/delivery/ledger.ts';
import { Mover } from '../../src/delivery/mover.ts';
import { GroupWriter } from '../../src/delivery/outbox/group-writer.ts';
import type { Lease } from '../../src/delivery/outbox/outbox.ts';
import type { Change } from '../../src/delivery/outbox/record-store.ts';
import { Delivery, type DeliveryLane, Publication } from '../../src/delivery/publication.ts';
import { Publications } from '../../src/delivery/publications.ts';
import { Waiters } from '../../src/delivery/waiters.ts';
import { Calls } from '../../src/health/calls.ts';
import { DialLimiter } from '../../src/pool/dial-limiter.ts';
import { Links } from '../../src/pool/links.ts';
import { Session } from '../../src/pool/session.ts';
import { all, edit, of, type ProductFault, part, replace, step } from './planting.ts';
import { READING_FAULTS } from './reading-faults.ts';

/** A wait that is so many times as long as it should be. */
const stretched = (schedule: typeof scheduleRetry, times: number) =>
  assign(({ context }: { context: RelayContext }) => {
    const wait = schedule(context);
    const delayMs = times * (wait.delayMs ?? 0);
    return { ...wait, delayMs, retryAtMs: context.reading.nowMs + delayMs };
  });

/** Negative controls: what the simulator must find, or its silence would mean nothing. */
export const PRODUCT_FAULTS: readonly ProductFault[] = [
  {
    says: 'a failed trial is followed by a backoff, like any other failure',
    breaks: ['S1'],
    plant: () => part(relayMachine, 'guards', 'opensCircuit', () => false),
  },
  {
    says: 'leaving a session does not end its socket',
    breaks: ['S2', 'S3', 'S24'],
    plant: () => replace(of(Session), 'end', () => () => {}),
  },
  {
    says: 'a connection of an older generation is still listened to',
    breaks: ['S3', 'S24'],
    plant: () => replace(of(Session), 'isOver', () => () => false),
  },
  {
    says: 'retries come after half of the delay that was announced',
    breaks: ['S4'],
    plant: () =>
      part(relayMachine, 'delays', 'retryDelay', ({ context }: { context: RelayContext }) => context.delayMs / 2),
  },
  {
    says: 'a request to connect cuts a backoff short',
    breaks: ['S4'],
    plant: () =>
      all(
        part(relayMachine, 'guards', 'owesRetry', () => false),
        part(relayMachine, 'guards', 'owesTrial', () => false),
      ),
  },
  {
    says: 'further connections outlive the first',
    breaks: ['S2', 'S4', 'S14'],
    plant: () => part(relayMachine, 'actions', 'stopScaling', () => {}),
  },
  {
    says: 'users’ events go to half-open relays',
    breaks: ['S14'],
    plant: () =>
      replace(
        of(Lane),
        'isConnected',
        (connected: () => boolean) =>
          function isConnected(this: Lane<never>) {
            return connected.call(this) || this.status === 'half-open';
          },
      ),
  },
  {
    says: 'a trial asks everything at once',
    breaks: ['S5'],
    plant: () =>
      replace(
        of(Session),
        'probe',
        (probe: () => void) =>
          function asks(this: Session) {
            probe.call(this);
            this.send('["REQ","probe-more",{"limit":1}]');
            this.send('["REQ","probe-most",{"limit":1}]');
          },
      ),
  },
  {
    says: 'rate-limited counts as a failure',
    breaks: ['S7', 'S6', 'S3'],
    plant: () =>
      replace(
        of(Ledger),
        'answer',
        (answer: (lane: object, message: object, at: number) => boolean) =>
          function take(this: Ledger, lane: object, message: { refusal?: { class: string } }, at: number) {
            const isPaced = message.refusal?.class === 'paced';
            const turned = isPaced ? { ...message, refusal: { ...message.refusal, class: 'passing' } } : message;
            return answer.call(this, lane, turned, at);
          },
      ),
  },
  {
    says: 'the circuit opens after half as many failures',
    breaks: ['S6'],
    plant: () =>
      part(
        relayMachine,
        'actions',
        'recordLoss',
        assign(({ context, event }: { context: RelayContext; event: EventObject }) => {
          const { report } = event as EventObject & { report: CloseReport };
          return recordLoss({ ...context, ...recordLoss(context, report, []) }, report, []);
        }),
      ),
  },
  {
    says: 'one probe closes a circuit',
    breaks: ['S9'],
    plant: () => part(relayMachine, 'guards', 'isLastProbe', () => true),
  },
  {
    says: 'an open circuit is left without a trial',
    breaks: ['S9', 'S6', 'S14'],
    plant: () => part(relayMachine, 'actions', 'beginTrial', () => {}),
  },
  {
    says: 'delays have no jitter',
    breaks: ['S12'],
    plant: () =>
      part(
        relayMachine,
        'actions',
        'scheduleRetry',
        assign(({ context }: { context: RelayContext }) => ({
          rest: 'backoff' as const,
          delayMs: 2_000,
          retryAtMs: context.reading.nowMs + 2_000,
        })),
      ),
  },
  {
    says: 'an open circuit is left alone for four times as long',
    breaks: ['S12'],
    plant: () => part(relayMachine, 'actions', 'scheduleTrial', stretched(scheduleTrial, 4)),
  },
  {
    says: 'backoffs are eight times as long',
    breaks: ['S12'],
    plant: () => part(relayMachine, 'actions', 'scheduleRetry', stretched(scheduleRetry, 8)),
  },
  {
    says: 'attempts are forgotten as soon as a socket opens',
    breaks: ['S13'],
    plant: () => part(relayMachine, 'actions', 'markServed', assign({ served: true, attempts: 0 })),
  },
  {
    says: 'a half-open circuit has no deadline',
    breaks: ['L2'],
    plant: () =>
      all(
        part(relayMachine, 'delays', 'halfOpenTimeout', 10_000_000),
        replace(
          of(Links),
          'open',
          (open: (input: SocketInput, tell: unknown) => unknown) =>
            function openSession(this: Links, input: SocketInput, tell: unknown) {
              const breaker = { ...input.settings.breaker, halfOpenTimeoutMs: 10_000_000 };
              return open.call(this, { ...input, settings: { ...input.settings, breaker } }, tell);
            },
        ),
      ),
  },
  {
    says: 'connecting has no deadline',
    breaks: ['L2', 'L1'],
    plant: () => part(relayMachine, 'delays', 'connectTimeout', 10_000_000),
  },
  {
    says: 'one retry is all that a relay gets',
    breaks: ['L2'],
    plant: () =>
      part(
        relayMachine,
        'guards',
        'isOutOfAttempts',
        ({ context }: { context: RelayContext }) => context.attempts >= 2,
      ),
  },
  {
    says: 'a degraded relay counts as healthy after one answer',
    breaks: ['S30'],
    plant: () =>
      edit(relayMachine, ['session', 'degraded', 'unwell', 'watched'], 'after', {
        recoveryCheckDelay: { target: '#relay.session.connected', actions: ['reportRecovered'] },
      }),
  },
  {
    says: 'a connection is given up as soon as it is suspect',
    breaks: ['S26'],
    plant: () =>
      edit(relayMachine, ['session', 'connected'], 'on', {
        'link.silent': {
          target: '#relay.assessing',
          actions: ['takeReading', 'recordSilence', 'reportSuspected', 'reportDisconnected'],
        },
      }),
  },
  {
    says: 'every relay is dialled at once',
    breaks: ['S11'],
    plant: () =>
      replace(of(DialLimiter), 'enter', () => (url: string, begin: () => void) => {
        begin();
        return { url, order: 0, begin, beganAt: 0 };
      }),
  },
  {
    says: 'every relay that trips is put aside, however many are already',
    breaks: ['S10'],
    plant: () =>
      part(relayMachine, 'guards', 'isEjected', ({ context }: { context: RelayContext }) => isTripped(context)),
  },
  {
    says: 'nobody notices that few relays serve',
    breaks: ['S34'],
    plant: () => part(poolMachine, 'guards', 'isStrained', () => false),
  },
  {
    says: 'everything that is late is copied, however much it is',
    breaks: ['S15', 'S16'],
    plant: () =>
      all(
        replace(of(Mover), 'mayCopy', () => () => true),
        replace(of(Mover), 'mayRetry', () => () => true),
      ),
  },
  {
    says: 'acknowledgements that come late are dropped',
    breaks: ['S19', 'P5'],
    plant: () =>
      step(
        deliveryTable,
        (original) => (record, event) =>
          event.type === 'answer.accepted' && record.state !== 'sent' ? undefined : original(record, event),
      ),
  },
  {
    says: 'what was sent is forgotten when its socket is lost',
    breaks: ['L3', 'S19'],
    plant: () =>
      step(deliveryTable, (original) => (record, event) => {
        const effects = original(record, event);
        return event.type === 'socket.lost' ? effects?.filter((effect) => effect !== 'requeue') : effects;
      }),
  },
  {
    says: 'what a relay does not answer is not sent again',
    breaks: ['L3'],
    plant: () =>
      step(deliveryTable, (original) => (record, event) => {
        const effects = original(record, event);
        // Nobody else is asked either, or that would make up for it.
        return event.type === 'answer.overdue' ? [] : effects;
      }),
  },
  {
    says: 'a relay that answers twice is two voices',
    breaks: ['P2'],
    plant: () =>
      replace(
        of(Publication),
        'hosts',
        (hosts: () => readonly string[]) =>
          function twice(this: Publication) {
            return [...hosts.call(this), ...hosts.call(this)];
          },
      ),
  },
  {
    says: 'any acknowledgement is believed, also of what was never sent',
    breaks: ['P4', 'P2'],
    plant: () =>
      replace(
        of(Ledger),
        'answer',
        (answer: (lane: object, message: object, at: number) => boolean) =>
          function take(
            this: Ledger,
            lane: { items: Map<string, { record: { state: string; context: object } }> },
            message: { id: string },
            at: number,
          ) {
            const record = lane.items.get(message.id)?.record;
            if (record?.state === 'queued' || record?.state === 'skipped') Object.assign(record.context, { tries: 1 });
            return answer.call(this, lane, message, at);
          },
      ),
  },
  {
    says: 'nothing is ever given up, whatever was promised',
    breaks: ['S18', 'S19', 'P5'],
    plant: () =>
      step(
        publicationTable,
        (original) => (record, event) =>
          event.type === 'deadline.passed' && record.state !== 'confirmed' ? [] : original(record, event),
      ),
  },
  {
    says: 'a publication is reported again when it is confirmed again',
    breaks: ['S18', 'S19', 'P5', 'P2'],
    plant: () =>
      step(publicationTable as object, (original) => (record, event) => {
        const effects = original(record, event);
        return event.type === 'deadline.passed' && record.state === 'confirmed'
          ? ['reportFailed', ...(effects ?? [])]
          : effects;
      }),
  },
  {
    says: 'the books have no bound',
    breaks: ['S18'],
    plant: () => replace(of(Publications), 'makeRoomFor', () => () => true),
  },
  {
    says: 'the window is not looked at',
    breaks: ['S17'],
    plant: () => replace(of(AnswerWindow), 'size', () => () => 10_000),
  },
  {
    says: 'what is critical waits for its turn like everything else',
    breaks: ['S31'],
    plant: () =>
      replace(
        of(LaneQueue),
        'next',
        (next: (isHeld: (delivery: Delivery) => boolean) => Delivery | undefined) =>
          function last(this: LaneQueue<Delivery>, isHeld: (delivery: Delivery) => boolean) {
            const isLater = (each: Delivery): boolean => each.priority === 'critical' || isHeld(each);
            return next.call(this, isLater) ?? next.call(this, isHeld);
          },
      ),
  },
  {
    says: 'what matters as much is given up as well',
    breaks: ['S18'],
    plant: () =>
      replace(
        of(Capacity),
        'victimFor',
        (victimFor: (priority: Priority, bytes: number) => Publication | undefined) =>
          function victim(this: Capacity, _priority: Priority, bytes: number) {
            return victimFor.call(this, 'critical', bytes);
          },
      ),
  },
  {
    says: 'an older version is sent again after a newer one',
    breaks: ['S23'],
    plant: () => replace(of(Publication), 'isSupersededOn', () => () => false),
  },
  {
    says: 'versions overtake each other on their way',
    breaks: ['S23'],
    plant: () => replace(of(Delivery), 'order', () => () => undefined),
  },
  {
    says: 'giving up frees a place in the window that the relay still owes an answer for',
    breaks: ['S17', 'S23'],
    plant: () =>
      step(deliveryTable, (original) => (record, event) => {
        const wasSent = record.state === 'sent';
        const effects = original(record, event);
        return event.type === 'CLOSE' && wasSent ? ['reportUnknown'] : effects;
      }),
  },
  {
    says: 'a relay that asks for rest gets none',
    breaks: ['S17'],
    plant: () => replace(of(Lane), 'slowDown', () => () => {}),
  },
  {
    says: 'a caller who withdraws waits for ever',
    breaks: ['S21'],
    plant: () => replace(of(Waiters), 'withdraw', () => () => {}),
  },
  {
    says: 'a removed relay keeps what was on its way there',
    breaks: ['S23', 'L3', 'L12', 'S18', 'S19', 'P5'],
    plant: () => replace(of(Publication), 'dropCandidate', () => () => false),
  },
  {
    says: 'what waits for a relay that went away is brought nowhere else',
    breaks: ['L12', 'L3'],
    plant: () =>
      replace(
        of(Dispatcher),
        'topUp',
        (topUp: (publication: Publication) => readonly DeliveryLane[]) =>
          function once(this: Dispatcher, publication: Publication) {
            return publication.deliveries.size === 0 ? topUp.call(this, publication) : [];
          },
      ),
  },
  {
    says: 'the outbox forgets what it hands out',
    breaks: ['S20'],
    plant: () =>
      replace(
        of(Publications),
        'release',
        (release: (lease: Lease) => boolean) =>
          function forget(this: Publications, lease: Lease) {
            void lease.settle();
            return release.call(this, lease);
          },
      ),
  },
  {
    says: 'what was settled is still there after a restart',
    breaks: ['S20'],
    plant: () =>
      replace(
        of(GroupWriter),
        'write',
        (write: (changes: readonly Change[], durable: boolean) => Promise<void>) =>
          function durableOnly(this: GroupWriter, changes: readonly Change[], durable: boolean) {
            return durable ? write.call(this, changes, durable) : Promise.resolve();
          },
      ),
  },
  {
    says: 'closing leaves timers behind',
    breaks: ['S24'],
    plant: () =>
      all(
        replace(of(Lane), 'dispose', () => () => {}),
        replace(of(Deadlines), 'clear', () => () => {}),
      ),
  },
  {
    says: 'a measurement divides by nothing',
    breaks: ['S25'],
    plant: () => replace(of(Calls), 'successRate', () => () => 0 / 0),
  },
  {
    says: 'a relay that is lost stays in the pool’s list of those that serve',
    breaks: ['S14', 'L3', 'L1', 'S4'],
    plant: () => part(poolMachine, 'actions', 'trackStatus', () => {}),
  },
  ...READING_FAULTS,
];
