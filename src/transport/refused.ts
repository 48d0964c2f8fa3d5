import { type Connection, shortReason, type TransportHandlers } from './transport.ts';

/** A connection that the platform refused to begin. */
export function refusedConnection(error: unknown, handlers: TransportHandlers): Connection {
  let terminated = false;
  queueMicrotask(() => {
    const reason = shortReason(error instanceof Error ? error.message : error);
    if (!terminated) handlers.onClose({ code: 1006, reason, impossible: true });
  });
  return {
    bufferedBytes: 0,
    send: () => false,
    close: () => {},
    terminate: () => {
      terminated = true;
    },
  };
}
