import { connect, type Socket } from 'node:net';
import { ADDRESS_DELAY_MS } from '../../machines/policy/limits.ts';
import type { Address } from './transport.ts';

/**
 * Connects to the first of several addresses that answers (RFC 8305, section 5). An attempt begins when the one before it
 * has failed, or after a quarter of a second; none ends because the next begins. Returns the function that cancels all.
 */
export function connectToFirst(
  addresses: readonly Address[],
  port: number,
  done: (error: Error | undefined, socket?: Socket) => void,
): () => void {
  const attempts = new Set<Socket>();
  const errors: Error[] = [];
  const waiting = [...addresses];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;

  const end = (): void => {
    isOver = true;
    clearTimeout(timer);
    for (const socket of attempts) socket.destroy();
    attempts.clear();
  };
  const next = (): void => {
    clearTimeout(timer);
    if (isOver) return;
    const address = waiting.shift();
    if (address) begin(address);
    else if (attempts.size === 0) {
      end();
      done(errors.length === 1 ? errors[0] : new AggregateError(errors));
    }
  };
  const begin = ({ address, family }: Address): void => {
    const socket = connect({ host: address, port, family, autoSelectFamily: false });
    attempts.add(socket);
    socket.once('connect', () => {
      if (isOver) return;
      attempts.delete(socket);
      socket.removeAllListeners('error');
      end();
      done(undefined, socket);
    });
    socket.on('error', (error) => {
      errors.push(error);
      if (attempts.delete(socket)) next();
    });
    if (waiting.length > 0) timer = setTimeout(next, ADDRESS_DELAY_MS);
  };
  next();
  return end;
}
