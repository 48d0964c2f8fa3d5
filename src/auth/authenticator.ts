import type { AuthEvent } from '../../machines/auth/auth.events.ts';
import type { AuthEffect } from '../../machines/auth/auth.setup.ts';
import { type AuthRecord, authTable } from '../../machines/auth/auth.table.ts';
import { AUTH } from '../../machines/policy/limits.ts';
import { isClearText } from '../../machines/policy/relay-url.ts';
import type { AuthPolicy } from '../../machines/policy/settings.ts';
import { type Clock, wallTime } from '../clock.ts';
import type { Codec, Message } from '../protocol/codec.ts';
import type { Steps } from '../steps.ts';
import type { Signer, UnsignedAuthEvent } from './signer.ts';

/** A live connection, as far as authenticating is concerned. */
export interface AuthSession {
  readonly generation: number;
  send(frame: string): boolean;
}

export interface AuthenticatorNeeds {
  readonly clock: Clock;
  readonly codec: Codec;
  readonly signers: readonly Signer[];
  readonly steps: Steps;
  /** What the application allows at a relay. */
  policyOf(url: string): AuthPolicy;
  /** What was refused on this connection for want of it may be done again, or never will be accepted. */
  settled(url: string, isGranted: boolean): void;
  /** A relay wants to know who we are, and nobody tells it; it knows; it could not be told. */
  requested(url: string): void;
  authenticated(url: string, pubkey: string): void;
  failed(url: string, problem: string): void;
  /** A relay sends challenge after challenge. */
  exceeded(url: string): void;
}

/** One key on one connection. */
interface Attempt {
  readonly signer: Signer;
  readonly record: AuthRecord;
  /** What was signed last, by its id and its key. */
  signed: { readonly id: string; readonly pubkey: string; readonly frame: string } | undefined;
  timer: unknown;
}

interface Round {
  readonly url: string;
  readonly session: AuthSession;
  readonly attempts: readonly Attempt[];
  /** The relay has asked, and nobody may tell it. */
  isRequestTold: boolean;
  /** Something was refused for want of it. */
  isRequired: boolean;
  /** The last challenge, whether or not it may be answered. */
  challenge: string | undefined;
  challenges: number;
  /** One key is known, and others are waited for; or have been for long enough. */
  timer: unknown;
  hasWaited: boolean;
}

/** Authenticates at relays, each connection anew, by its chart. It signs nothing but what answers a challenge. */
export class Authenticator {
  readonly #needs: AuthenticatorNeeds;
  readonly #rounds = new Map<string, Round>();

  constructor(needs: AuthenticatorNeeds) {
    this.#needs = needs;
  }

  /** A connection is open. */
  attach(url: string, session: AuthSession): void {
    const attempts = this.#needs.signers.map((signer) => ({
      signer,
      record: authTable.create(undefined),
      signed: undefined,
      timer: undefined,
    }));
    this.#rounds.set(url, {
      url,
      session,
      attempts,
      isRequestTold: false,
      isRequired: false,
      challenge: undefined,
      challenges: 0,
      timer: undefined,
      hasWaited: false,
    });
  }

  /** It is gone, and with it whatever was known there. */
  detach(url: string, session: AuthSession): void {
    const round = this.#rounds.get(url);
    if (round?.session !== session) return;
    this.#rounds.delete(url);
    for (const { timer } of [round, ...round.attempts]) this.#needs.clock.clearTimeout(timer);
  }

  /** Whether something that was refused for want of it may succeed after authenticating. */
  mayAuthenticate(url: string): boolean {
    return this.#rounds.has(url) && this.#isAllowed(url);
  }

  /** Something was refused for want of it. `settled` says how it ends. */
  authenticate(url: string): void {
    const round = this.#rounds.get(url);
    if (!round) return;
    round.isRequired = true;
    for (const attempt of round.attempts) {
      // What came while nobody was allowed to answer it.
      if (attempt.record.state === 'idle' && round.challenge !== undefined) this.#challenge(round, attempt);
      this.#step(round, attempt, { type: 'auth.required' });
    }
  }

  /** Whether the connection has asked who we are before it took something: others of the same relay would ask as well. */
  isRequired(url: string): boolean {
    return this.#rounds.get(url)?.isRequired ?? false;
  }

  challenged(url: string, challenge: string): void {
    const round = this.#rounds.get(url);
    if (!round) return;
    // Many send it with every refusal.
    if (challenge !== round.challenge) round.challenges += 1;
    round.challenge = challenge;
    if (!this.#isAllowed(url)) {
      if (round.challenges > AUTH.challengesMax) this.#needs.exceeded(url);
      if (!round.isRequestTold) this.#needs.requested(url);
      round.isRequestTold = true;
      return;
    }
    for (const attempt of round.attempts) this.#challenge(round, attempt);
  }

  /** Takes the answer to what was sent; false where it answers something else. */
  answered(url: string, message: Extract<Message, { type: 'answer' }>): boolean {
    const round = this.#rounds.get(url);
    const attempt = round?.attempts.find(({ signed }) => signed?.id === message.id);
    if (!round || !attempt) return false;
    const event: AuthEvent = message.accepted
      ? { type: 'answer.accepted' }
      : { type: 'answer.refused', refusal: message.refusal };
    this.#step(round, attempt, event);
    return true;
  }

  #challenge(round: Round, attempt: Attempt): void {
    const { url, challenge = '' } = round;
    const isEager = this.#needs.policyOf(url) === 'always';
    this.#step(round, attempt, { type: 'relay.challenged', challenge, isEager });
  }

  // Whoever listens to a line in clear could be the relay.
  #isAllowed(url: string): boolean {
    return this.#needs.signers.length > 0 && this.#needs.policyOf(url) !== 'never' && !isClearText(url);
  }

  #step(round: Round, attempt: Attempt, event: AuthEvent): void {
    const effects = authTable.step(attempt.record, event);
    if (effects) {
      const id = String(round.attempts.indexOf(attempt));
      this.#needs.steps.listener?.({ chart: 'auth', id, relay: round.url, event, ...attempt.record });
    }
    for (const effect of effects ?? []) this.#carryOut(round, attempt, effect);
  }

  #carryOut(round: Round, attempt: Attempt, effect: AuthEffect): void {
    switch (effect) {
      case 'awaitChallenge':
        return this.#wait(round, attempt, AUTH.challengeMs, { type: 'challenge.overdue' });
      case 'sign':
        return this.#sign(round, attempt);
      case 'send':
        if (attempt.signed) round.session.send(attempt.signed.frame);
        return this.#wait(round, attempt, AUTH.answerMs, { type: 'answer.overdue' });
      case 'reportGranted':
        this.#stopWaiting(attempt);
        if (attempt.signed) this.#needs.authenticated(round.url, attempt.signed.pubkey);
        return;
      case 'reportDenied':
        this.#stopWaiting(attempt);
        return this.#needs.failed(round.url, attempt.record.context.problem ?? 'it was refused');
      case 'settle':
        return this.#settle(round);
      case 'reportExcess':
        return this.#needs.exceeded(round.url);
    }
  }

  /** Once every key has had its answer; those that take long hold up what another one may do for a while only. */
  #settle(round: Round): void {
    const { clock, settled } = this.#needs;
    const states = round.attempts.map(({ record }) => record.state);
    const isGranted = states.includes('authenticated');
    const isOver = !states.some((state) => state === 'awaited' || state === 'signing' || state === 'sent');
    if (isOver || (isGranted && round.hasWaited)) {
      clock.clearTimeout(round.timer);
      round.timer = undefined;
      return settled(round.url, isGranted);
    }
    if (!isGranted) return;
    round.timer ??= clock.setTimeout(() => {
      round.hasWaited = true;
      this.#settle(round);
    }, AUTH.furtherKeysMs);
  }

  #sign(round: Round, attempt: Attempt): void {
    const { clock, codec } = this.#needs;
    const { url } = round;
    const { challenge, challenges } = attempt.record.context;
    // A signer that comes back after its time has signed for nothing.
    const isAwaited = (): boolean => this.#rounds.get(url) === round && attempt.record.state === 'signing';
    const fail = (problem: string): void => this.#step(round, attempt, { type: 'signer.failed', problem });
    attempt.signed = undefined;
    this.#wait(round, attempt, AUTH.signMs, { type: 'signer.failed', problem: 'the signer took too long' });
    const template = codec.authTemplate(url, challenge, wallTime(clock)) as UnsignedAuthEvent;
    const take = (event: unknown): void => {
      if (!isAwaited()) return;
      if (!this.#isAllowed(url)) return fail('it is not allowed any more');
      // Nor is it of use where another challenge has come meanwhile.
      if (attempt.record.context.challenges !== challenges) return this.#sign(round, attempt);
      try {
        attempt.signed = codec.authenticate(template, event);
      } catch (error) {
        return fail(wordsOf(error));
      }
      this.#step(round, attempt, { type: 'signer.signed' });
    };
    // In a turn of its own: what it does must not come between what is being done.
    void Promise.resolve()
      .then(() => (this.#isAllowed(url) ? attempt.signer(structuredClone(template), url) : undefined))
      .then(take, (error: unknown) => {
        if (isAwaited()) fail(wordsOf(error));
      });
  }

  #wait(round: Round, attempt: Attempt, forMs: number, event: AuthEvent): void {
    this.#stopWaiting(attempt);
    attempt.timer = this.#needs.clock.setTimeout(() => this.#step(round, attempt, event), forMs);
  }

  #stopWaiting(attempt: Attempt): void {
    this.#needs.clock.clearTimeout(attempt.timer);
    attempt.timer = undefined;
  }
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 200);
