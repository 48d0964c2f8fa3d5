import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type InspectorMessage, stamped } from '../../src/inspect/messages.ts';
import { createRecorder } from '../../src/inspect/recorder.ts';
import { MessageLog, type Recording, readRecording } from '../../src/inspect/recording.ts';
import { saveRecording } from '../../src/inspect/save-recording.ts';
import { seededRandom, signedEvents } from '../../src/testing/index.ts';
import { Model } from '../../visualizations/page/model.ts';
import { world } from '../kit/world.ts';

const actor = (sessionId: string, at: number): InspectorMessage => ({
  type: '@xstate.actor',
  ...stamped(at),
  name: sessionId,
  rootId: 'x:0',
  sessionId,
  definition: '{"id":"m"}',
  snapshot: { status: 'active', value: 'a' },
});

const snapshot = (
  sessionId: string,
  value: string,
  at: number,
  status: 'active' | 'done' = 'active',
): InspectorMessage => ({
  type: '@xstate.snapshot',
  ...stamped(at),
  rootId: 'x:0',
  sessionId,
  event: { type: `to ${value}` },
  snapshot: { status, value },
});

test('whoever reads a log from its beginning sees every actor as it is, whatever was forgotten', () => {
  const random = seededRandom(3);
  const log = new MessageLog({ ageMaxMs: 1_000, messagesMax: 50 });
  const whole = new Model();
  const take = (message: InspectorMessage): void => {
    log.add(message);
    whole.apply(message);
  };
  for (let index = 0; index < 20; index += 1) take(actor(`x:${index}`, index));
  for (let at = 20; at < 5_000; at += 1) {
    const session = `x:${Math.floor(random() * 20)}`;
    take(snapshot(session, 'abcde'.charAt(Math.floor(random() * 5)), at));
    expect(log.size).toBeLessThanOrEqual(50);
    if (at % 500 !== 0) continue;
    const late = new Model();
    for (const message of log.messages()) late.apply(message);
    const states = (model: Model) => [...model.actors].map(([id, { value }]) => [id, value]).sort();
    expect(states(late)).toEqual(states(whole));
  }
});

test('a log is bounded in bytes as well, and never without its root', () => {
  const log = new MessageLog({ ageMaxMs: 1e9, messagesMax: 1e9, bytesMax: 100_000 });
  log.add(actor('x:0', 0), 1_000);
  for (let index = 1; index <= 3_000; index += 1) {
    const child = { ...actor(`x:${index}`, index), parentId: 'x:0' } as InspectorMessage;
    log.add(child, 1_000);
    expect(log.size).toBeLessThanOrEqual(100);
  }
  const kept = log.messages();
  expect(kept.length).toBeLessThanOrEqual(150);
  expect(kept.some((message) => 'sessionId' in message && message.sessionId === 'x:0')).toBe(true);
});

test('what a failing recorder is told of takes nobody down', async () => {
  const { clock, pool, relays } = world(1);
  const errors: unknown[] = [];
  const onFailure = async (): Promise<void> => {
    throw new Error('the disk is full');
  };
  createRecorder(pool, { clock, onFailure, onError: (error) => errors.push(error) });
  clock.advance(1_000);
  for (const relay of relays) relay.stop();
  clock.advance(1_000);
  await expect.poll(() => errors).toEqual([new Error('the disk is full')]);
  void pool.close();
});

test('an actor that has ended is forgotten with the last that was told of it', () => {
  const log = new MessageLog({ ageMaxMs: 100, messagesMax: 1_000 });
  log.add(actor('x:1', 0));
  log.add(actor('x:2', 0));
  log.add(snapshot('x:1', 'b', 1, 'done'));
  log.add(snapshot('x:2', 'c', 500));
  log.add(snapshot('x:2', 'd', 700));
  expect(log.messages().map((message) => 'sessionId' in message && message.sessionId)).toEqual(['x:2', 'x:2']);
});

test('a recorder keeps what happened, and hands it over when something fails for all', async () => {
  const { clock, pool, relays } = world(2);
  const failures: (readonly [Recording, string])[] = [];
  const recorder = createRecorder(pool, {
    clock,
    onFailure: (recording, { type }) => failures.push([recording, type]),
  });
  clock.advance(5_000);
  for (const relay of relays) relay.stop();
  clock.advance(120_000);
  expect(failures.map(([, type]) => type)).toEqual(['pool.stranded']);
  const [[recording] = []] = failures;
  const model = new Model();
  for (const message of recording?.messages ?? []) model.apply(message);
  expect(model.log.map(({ words }) => words)).toContain('no relay can be reached');
  expect(model.actorOf(relays[0]?.url ?? '')?.value).toBe('backoff');
  expect(model.summary?.relays).toHaveLength(2);
  recorder.stop();
  const { length } = recorder.recording().messages;
  clock.advance(60_000);
  expect(recorder.recording().messages).toHaveLength(length);
  void pool.close({ drainMs: 0 });
  clock.advance(10_000);
  await pool.close();
  expect(clock.pending).toBe(0);
});

test('a recording is written as a file, and read as it was written', async () => {
  const { clock, pool } = world(1);
  const recorder = createRecorder(pool, { clock, records: true });
  clock.advance(1_000);
  void pool.publish(signedEvents().next().value);
  clock.advance(1_000);
  const folder = await mkdtemp(join(tmpdir(), 'recloser-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = await saveRecording(recorder.recording(), join(folder, 'recordings'));
  expect(await readdir(join(folder, 'recordings'))).toHaveLength(1);
  const read = readRecording(await readFile(path, 'utf8'));
  expect('messages' in read && read.messages).toEqual(JSON.parse(JSON.stringify(recorder.recording().messages)));
  void pool.close();
});

test.each([
  ['nothing', '', 'not JSON'],
  ['something else', '{"a":1}', 'not a recording'],
  ['null', 'null', 'not a recording'],
  ['a later version', '{"format":"recloser-recording","version":2,"messages":[]}', 'version 2'],
  ['no messages', '{"format":"recloser-recording","version":1}', 'no messages'],
  [
    'a summary with gaps',
    '{"format":"recloser-recording","version":1,"messages":[{"type":"recloser.summary","_version":"1","createdAt":"1","summary":{"relays":[]}}]}',
    'message 1',
  ],
  ['a wrong message', '{"format":"recloser-recording","version":1,"messages":[{"type":"@xstate.actor"}]}', 'message 1'],
])('a file with %s is refused in words', (_name, text, problem) => {
  expect(readRecording(text)).toEqual({ problem: expect.stringContaining(problem) });
});
