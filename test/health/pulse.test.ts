import { describe, expect, test } from 'vitest';
import { SILENCE } from '../../machines/policy/limits.ts';
import { Pulse } from '../../src/health/pulse.ts';
import { VirtualClock } from '../../src/testing/index.ts';

const TIMEOUT_MS = 100;
const HEARTBEAT_MS = 15_000;

/** A pulse, what it said and asked, and what the connection owes. */
function listen() {
  const clock = new VirtualClock(1_000_000);
  /** Time that passed while we were asleep. */
  const skipped = { ms: 0 };
  const now = () => clock.now() + skipped.ms;
  const beganAt = clock.now();
  const said: string[] = [];
  const owed = { at: undefined as number | undefined, bytes: 0, isDeaf: false };
  const times = { answerMs: TIMEOUT_MS };
  const owedSince = (afterMs: number) => (owed.at !== undefined && owed.at >= afterMs ? owed.at : undefined);
  const say = (what: string) => said.push(`${now() - beganAt} ${what}`);
  const pulse = new Pulse({
    clock: { ...clock, now },
    heartbeatMs: () => HEARTBEAT_MS,
    deadAfterMs: () => 5_000,
    answerTimeoutMs: () => times.answerMs,
    owedSince,
    messageOwedSince: owedSince,
    receivedBytes: () => owed.bytes,
    isDeaf: () => owed.isDeaf,
    ask: (urgently) => say(urgently ? 'asks urgently' : 'asks'),
    silent: () => say('silent'),
    heard: () => say('heard'),
    dead: () => say('dead'),
  });
  const send = () => {
    owed.at = clock.now();
    pulse.sent();
  };
  return { clock, pulse, said, owed, send, skipped, times };
}

describe('while an answer is owed', () => {
  test('silence is told after one timeout and a second look, asked about less and less often, and death after five seconds', () => {
    const { clock, said, send } = listen();
    clock.advance(10);
    send();
    clock.advance(5_010);
    const asked = [100, 200, 400, 800, 1_600, 3_200].map((ms) => `${10 + ms + SILENCE.secondLookMs} asks urgently`);
    const [first = '', ...later] = asked;
    expect(said).toEqual([first, `${10 + 100 + SILENCE.secondLookMs} silent`, ...later, '5011 dead']);
  });

  test('whoever says anything lives; where the answer is missing, it is asked once more whether it does', () => {
    const { clock, pulse, said, send } = listen();
    send();
    clock.advance(99);
    pulse.heard(clock.now());
    clock.advance(10_000);
    expect(said).toEqual([`${99 + TIMEOUT_MS} asks`]);
  });

  test('whoever goes on talking is not asked, whatever is missing', () => {
    const { clock, pulse, said, send } = listen();
    for (let times = 0; times < 100; times += 1) {
      send();
      clock.advance(TIMEOUT_MS - 1);
      pulse.heard(clock.now());
    }
    expect(said).toEqual([]);
  });

  test('bytes of a message that is not whole yet are a sign of life', () => {
    const { clock, said, owed, send } = listen();
    send();
    clock.advance(99);
    owed.bytes += 1;
    clock.advance(10_000);
    expect(said).toEqual([`${2 * TIMEOUT_MS} asks`]);
  });

  test('silence that begins while the relay is still thought to be slow is told by what is known since', () => {
    const { clock, pulse, said, send, times } = listen();
    times.answerMs = 1_000;
    send();
    clock.advance(8);
    times.answerMs = 25;
    pulse.heard(clock.now());
    clock.advance(2);
    send();
    clock.advance(50);
    expect(said).toContain(`${10 + 25 + SILENCE.secondLookMs} silent`);
  });

  test('silence ends with the next sign of life, and is told again when it begins again', () => {
    const { clock, pulse, said, send } = listen();
    send();
    clock.advance(150);
    pulse.heard(clock.now());
    clock.advance(50);
    send();
    clock.advance(110);
    const told = said.filter((each) => !each.endsWith('asks urgently'));
    expect(told).toEqual(['101 silent', '150 heard', '301 silent']);
  });

  test('the second look is taken each time', () => {
    const { clock, pulse, said, owed, send } = listen();
    send();
    clock.advance(TIMEOUT_MS);
    // It was answered between the two looks, and the next message was sent.
    pulse.heard(clock.now());
    owed.at = undefined;
    clock.advance(1_000);
    send();
    clock.advance(TIMEOUT_MS);
    expect(said).toEqual([]);
    clock.advance(SILENCE.secondLookMs);
    expect(said).toContain('1201 silent');
  });

  test('who slept concludes nothing, and asks', () => {
    const { clock, said, send, skipped } = listen();
    send();
    skipped.ms = 60_000;
    clock.advance(2 * TIMEOUT_MS - 1);
    expect(said).toEqual(['60100 asks urgently']);
    clock.advance(TIMEOUT_MS);
    expect(said).toContain('60201 silent');
  });
});

test('a connection that owes nothing is asked after a heartbeat, counted from its last word', () => {
  const { clock, pulse, said } = listen();
  clock.advance(10_000);
  pulse.heard(clock.now());
  clock.advance(14_999);
  expect(said).toEqual([]);
  clock.advance(1);
  expect(said).toEqual([`${10_000 + HEARTBEAT_MS} asks`]);
});

test('after its end it says nothing', () => {
  const { clock, pulse, said, send } = listen();
  send();
  pulse.end();
  clock.advance(60_000);
  expect(said).toEqual([]);
});
