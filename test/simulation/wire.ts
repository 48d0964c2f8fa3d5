import type { CloseReport } from '../../machines/policy/close.ts';
import { textOf } from '../../src/frame.ts';
import { type Connection, type Message, nostrCodec, type Transport } from '../../src/index.ts';
import { inBytes } from '../kit/frames.ts';
import type { Wire } from './scene.ts';

/** What is seen between a pool and its transport, before either has reacted. */
export interface WireTap {
  dialled(wire: Wire): void;
  /** A name was looked up, in vain or for too long; those that are known are not looked up. */
  unresolved(url: string): void;
  opened(wire: Wire): void;
  sent(wire: Wire, frame: string, eventId: string | undefined): void;
  received(wire: Wire, data: string | Uint8Array, message: Message): void;
  /** A ping was sent, and answered. */
  pinged(wire: Wire): void;
  heard(wire: Wire): void;
  ended(wire: Wire, report: CloseReport | undefined): void;
  /** The pool has let go of a connection; with what its handlers would hear if the transport went on talking. */
  terminated(wire: Wire, talk: TalkingOn): void;
}

/** A connection that goes on after it was terminated, against the contract. */
export interface TalkingOn {
  open(): void;
  frame(data: string): void;
  close(report: CloseReport): void;
}

const EVENT_FRAME = /^\["EVENT",\{"id":"([0-9a-f]{64})"/;
const PROBE_FRAME = /^\["(REQ|CLOSE)","(probe-[^"]*)"/;

/** A transport whose every connection is tapped; without pings, where the platform has none. */
export function tapped(transport: Transport, now: () => number, tap: WireTap, hasPings: boolean): Transport {
  let count = 0;
  const live = new Set<Wire>();
  return {
    name: transport.name,
    resolve(url, options) {
      const lookup = transport.resolve?.(url, options);
      return (
        lookup &&
        ((done) => {
          let isOver = false;
          const over = (): void => {
            if (!isOver) tap.unresolved(url);
            isOver = true;
          };
          const cancel = lookup((result) => {
            over();
            done(result);
          });
          return () => {
            over();
            cancel();
          };
        })
      );
    },
    open(url, options, handlers) {
      count += 1;
      const wire: Wire = {
        url,
        number: count,
        isFurther: false,
        live: true,
        opened: false,
        heardAt: now(),
        unanswered: new Map(),
        probesOpen: new Set(),
        probesAnswered: 0,
        probesLost: 0,
        signs: 0,
      };
      const end = (report: CloseReport | undefined): void => {
        if (!wire.live) return;
        wire.live = false;
        live.delete(wire);
        tap.ended(wire, report);
      };
      live.add(wire);
      tap.dialled(wire);
      // Some platforms hand frames over as texts, some as bytes.
      const isInBytes = wire.number % 2 === 0;
      const inner = transport.open(url, options, {
        onOpen() {
          wire.opened = true;
          wire.heardAt = now();
          tap.opened(wire);
          handlers.onOpen();
        },
        onFrame(frame) {
          const data = textOf(frame) ?? '';
          const message = nostrCodec.decode(data);
          wire.heardAt = now();
          wire.signs += 1;
          tap.received(wire, data, message);
          // A relay may answer on another of its connections than it was asked on.
          if (message.type === 'answer')
            for (const each of live) if (each.url === url) each.unanswered.delete(message.id);
          // Some relays refuse in no other way; what was sent last may be meant.
          const last = [...wire.unanswered.keys()].at(-1);
          if (message.type === 'notice' && last !== undefined) wire.unanswered.delete(last);
          // What is said a second time answers nothing.
          const isAnswer = message.type === 'end-of-stored' || message.type === 'closed';
          if (isAnswer && wire.probesOpen.delete(message.subscription)) wire.probesAnswered += 1;
          handlers.onFrame(isInBytes ? inBytes(data) : data);
        },
        onBinary(data) {
          wire.heardAt = now();
          wire.signs += 1;
          tap.received(wire, data, { type: 'malformed', problem: 'binary' });
          handlers.onBinary(data);
        },
        onPong() {
          wire.heardAt = now();
          wire.signs += 1;
          tap.heard(wire);
          handlers.onPong();
        },
        onClosing(report) {
          // It is out of use from now on; what comes of its socket is nobody's business.
          end(report);
          handlers.onClosing?.(report);
        },
        onClose(report) {
          end(report);
          handlers.onClose(report);
        },
      });
      const connection: Connection = {
        get bufferedBytes() {
          return inner.bufferedBytes;
        },
        send(frame) {
          if (!inner.send(frame)) return false;
          const eventId = EVENT_FRAME.exec(frame)?.[1];
          if (eventId !== undefined) {
            // Set anew, so that the order is that of the last sends.
            wire.unanswered.delete(eventId);
            wire.unanswered.set(eventId, now());
          }
          const [, verb, probe = ''] = PROBE_FRAME.exec(frame) ?? [];
          if (verb === 'REQ') wire.probesOpen.add(probe);
          if (verb === 'CLOSE' && wire.probesOpen.delete(probe)) wire.probesLost += 1;
          tap.sent(wire, frame, eventId);
          return true;
        },
        ping: () => {
          if (!hasPings) return false;
          tap.pinged(wire);
          return inner.ping?.() ?? false;
        },
        close: () => inner.close(),
        terminate() {
          end(undefined);
          inner.terminate();
          tap.terminated(wire, {
            open: () => handlers.onOpen(),
            frame: (data) => handlers.onFrame(data),
            close: (report) => handlers.onClose(report),
          });
        },
      };
      return connection;
    },
  };
}
