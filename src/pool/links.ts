import type { CloseReport } from '../../machines/policy/close.ts';
import type { RelayHistory } from '../../machines/policy/history.ts';
import { DIAL_BOUNDS, RESOLVE_BOUNDS } from '../../machines/policy/limits.ts';
import type { HealthFact, SocketFact, SocketInput } from '../../machines/socket.ts';
import type { Authenticator } from '../auth/authenticator.ts';
import type { Ledger } from '../delivery/ledger.ts';
import type { Intake } from '../intake/intake.ts';
import type { Message } from '../protocol/codec.ts';
import { DialLimiter } from './dial-limiter.ts';
import type { PoolParts } from './parts.ts';
import { RelayLink } from './relay-link.ts';
import { Session } from './session.ts';

export interface LinksNeeds {
  readonly parts: PoolParts;
  readonly allowPrivate: boolean;
  /** Milliseconds that an answer is waited for, as they are now. */
  ackTimeoutMs(): number;
  /** True if a caller waits for this relay. */
  isNeeded(url: string): boolean;
  readonly ledger: () => Ledger;
  readonly intake: () => Intake;
  readonly authenticator: () => Authenticator;
  /** True if someone listens to every message as it came, before anything else is done with it. */
  isOverheard(): boolean;
  overheard(url: string, content: string | Uint8Array): void;
  /** A connection is open by which the relay is judged. */
  opened(url: string): void;
  /** A message that is not the answer to a probe, and when it came. */
  receive(link: RelayLink, message: Message, now: number): void;
}

/** What is measured of each relay, and the sessions that its charts have opened. */
export class Links {
  /** Admit name resolutions, and dials. */
  readonly names: DialLimiter;
  readonly dials: DialLimiter;
  readonly #needs: LinksNeeds;
  readonly #links = new Map<string, RelayLink>();

  constructor(needs: LinksNeeds) {
    this.#needs = needs;
    const { clock } = needs.parts;
    const rank = (url: string) => ({ isNeeded: needs.isNeeded(url), success: this.of(url).dialSuccess });
    this.names = new DialLimiter(RESOLVE_BOUNDS, { clock, rank });
    this.dials = new DialLimiter(DIAL_BOUNDS, { clock, rank });
  }

  /** While our own network is in doubt, fewer relays are dialled at one time. */
  set isInDoubt(isInDoubt: boolean) {
    this.names.isInDoubt = isInDoubt;
    this.dials.isInDoubt = isInDoubt;
  }

  /** Other relays are needed than before, and may be dialled at once. */
  reviewDials(): void {
    this.names.review();
    this.dials.review();
  }

  /** Connections that are open, of all relays together. */
  get openCount(): number {
    return this.#needs.ledger().lanes.reduce((sum, { ways }) => sum + ways.length, 0);
  }

  /** Connections of all relays that are beside their first ones. */
  get furtherCount(): number {
    return [...this.#links.values()].reduce((sum, link) => sum + link.further.size, 0);
  }

  of(url: string, history?: RelayHistory): RelayLink {
    let link = this.#links.get(url);
    if (!link) {
      link = new RelayLink(url, this.#needs.ackTimeoutMs, history);
      this.#links.set(url, link);
    }
    return link;
  }

  /** What is measured of a relay is kept while it is in the pool, or has a connection. */
  forget(url: string): void {
    const link = this.#links.get(url);
    const isInPool = this.#needs.ledger().laneOf(url) !== undefined;
    if (link && !link.session && link.further.size === 0 && !isInPool) this.#links.delete(url);
  }

  open(input: SocketInput, tell: (fact: SocketFact | HealthFact) => void): Session {
    const { parts, allowPrivate, isOverheard, overheard, receive } = this.#needs;
    const { url, connection } = input;
    const isFurther = connection > 1;
    const ledger = this.#needs.ledger();
    const intake = this.#needs.intake();
    const authenticator = this.#needs.authenticator();
    const link = this.of(url);
    if (!isFurther) link.session?.end();
    const lane = ledger.laneOf(url);
    const session: Session = new Session(input, {
      clock: parts.clock,
      transport: parts.transport,
      codec: parts.codec,
      allowPrivate,
      link,
      names: this.names,
      dials: this.dials,
      tell,
      owedSince: (afterMs) => {
        const answers = ledger.laneOf(url)?.owedSince(session, afterMs);
        const requests = isFurther ? undefined : intake.feedOf(url)?.owedSince(afterMs);
        return answers === undefined || requests === undefined ? (answers ?? requests) : Math.min(answers, requests);
      },
      proved: () => ledger.laneOf(url)?.pump(),
      attach: (opened) => {
        // Before anything is sent that may be refused for want of it.
        if (!isFurther) authenticator.attach(url, opened);
        ledger.attach(url, opened, isFurther);
        if (isFurther) return;
        intake.attach(url, opened);
        this.#needs.opened(url);
      },
      // Only the first connection is known by who we are.
      serve: (opened) => {
        if (!authenticator.isRequired(url)) ledger.serve(url, opened);
      },
      rest: (opened) => ledger.rest(url, opened),
      drain: (opened, drained) => ledger.laneOf(url)?.drain(opened, drained),
      detach: (ended, report: CloseReport | undefined) => {
        authenticator.detach(url, ended);
        intake.detach(url, ended);
        // A relay that was removed and added again has another lane by now.
        if (lane && ledger.laneOf(url) === lane) ledger.detach(url, ended, report);
      },
      ended: (ended) => {
        if (link.session === ended) link.session = undefined;
        if (link.further.get(connection) === ended) link.further.delete(connection);
        if (ledger.laneOf(url) !== lane) this.forget(url);
      },
      mayQuestion: () => isFurther || (intake.feedOf(url)?.mayQuestion ?? true),
      questioned: () => {
        if (!isFurther) intake.questioned(url);
      },
      isOverheard,
      overheard: (content) => overheard(url, content),
      handles: (glimpse) => !isFurther && intake.inbox.handles(url, glimpse),
      receive: (message, now) => {
        if (!isFurther || message.type !== 'challenge') receive(link, message, now);
      },
    });
    if (isFurther) link.further.set(connection, session);
    else link.session = session;
    return session;
  }

  /** Lets go of the sockets of a relay whose actor has crashed and cannot do so itself. */
  drop(url: string): void {
    const link = this.#links.get(url);
    for (const session of [...(link?.further.values() ?? [])]) session.end();
    link?.session?.end();
  }

  /** The same for one further connection. */
  dropFurther(url: string, connection: number): void {
    this.#links.get(url)?.further.get(connection)?.end();
  }

  dispose(): void {
    for (const url of [...this.#links.keys()]) this.drop(url);
    this.names.dispose();
    this.dials.dispose();
    this.#links.clear();
  }
}
