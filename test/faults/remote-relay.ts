import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { NostrEvent } from '../../src/index.ts';
import type { RelayFaults } from '../../src/testing/index.ts';
import { FaultProxy } from '../../src/testing/index.ts';
import type { RelayCommands, RelayReport } from './relay-process.ts';

const PROGRAM = fileURLToPath(new URL('./relay-process.ts', import.meta.url));

/** A relay in a process of its own, behind a fault proxy; it can be stopped, frozen and killed for real. */
export class RemoteRelay {
  readonly proxy: FaultProxy;
  #process: ChildProcess;
  readonly #port: number;
  #calls = 0;

  private constructor(process: ChildProcess, port: number, proxy: FaultProxy) {
    this.#process = process;
    this.#port = port;
    this.proxy = proxy;
  }

  static async start(): Promise<RemoteRelay> {
    const process = spawn();
    const relay = new RemoteRelay(process, 0, undefined as never);
    const url = await relay.#ask('listen');
    const proxy = await FaultProxy.start(url);
    return new RemoteRelay(process, Number(new URL(url).port), proxy);
  }

  /** Where it is reached through the proxy, and without. */
  get url(): string {
    return this.proxy.url;
  }

  get directUrl(): string {
    return `ws://127.0.0.1:${this.#port}/`;
  }

  /** Nothing is wrong with it, and nothing has happened yet. */
  async reset(): Promise<void> {
    this.proxy.heal();
    this.proxy.reset();
    await this.listen();
    await this.#ask('reset');
    this.proxy.dials = 0;
  }

  async listen(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) this.#process = spawn();
    await this.#ask('listen', this.#port);
  }

  set(faults: Partial<RelayFaults>): Promise<void> {
    return this.#ask('set', faults);
  }

  heal(): Promise<void> {
    return this.#ask('heal');
  }

  stop(): Promise<void> {
    return this.#ask('stop');
  }

  cut(): Promise<void> {
    return this.#ask('cut');
  }

  close(code: number): Promise<void> {
    return this.#ask('close', code);
  }

  send(frame: string): Promise<void> {
    return this.#ask('send', frame);
  }

  sendLarge(bytes: number): Promise<void> {
    return this.#ask('sendLarge', bytes);
  }

  sendMany(frame: string, times: number): Promise<void> {
    return this.#ask('sendMany', frame, times);
  }

  sendAll(frames: readonly string[]): Promise<void> {
    return this.#ask('sendAll', frames);
  }

  put(event: NostrEvent): Promise<void> {
    return this.#ask('put', event);
  }

  closeSubscriptions(text: string): Promise<void> {
    return this.#ask('closeSubscriptions', text);
  }

  report(): Promise<RelayReport> {
    return this.#ask('report');
  }

  /** Stops the whole process where it stands; its sockets stay open. */
  freeze(): void {
    this.#process.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }

  async end(): Promise<void> {
    await this.proxy.stop();
    await this.kill();
  }

  #ask<Name extends keyof RelayCommands>(
    name: Name,
    ...given: Parameters<RelayCommands[Name]>
  ): Promise<ReturnType<RelayCommands[Name]>> {
    this.#calls += 1;
    const id = this.#calls;
    const process = this.#process;
    return new Promise((resolve, reject) => {
      const hear = (answer: { id: number; result: ReturnType<RelayCommands[Name]> }): void => {
        if (answer.id !== id) return;
        process.off('message', hear);
        process.off('exit', gone);
        resolve(answer.result);
      };
      const gone = (): void => reject(new Error(`The relay ended before it answered ${name}.`));
      process.on('message', hear);
      process.once('exit', gone);
      process.send({ id, name, given });
    });
  }
}

function spawn(): ChildProcess {
  const child = fork(PROGRAM, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  child.setMaxListeners(0);
  return child;
}
