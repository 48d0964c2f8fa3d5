import { expect, test } from 'vitest';
import type { InspectorMessage } from '../../src/inspect/messages.ts';
import { Model } from '../../visualizations/page/model.ts';

const stamped = { _version: '1', createdAt: '1000', id: null, rootId: 'x:0' } as const;
const NAME = 'relay:wss://relay.example/';

test('of a relay whose actor was replaced, the one that lives is shown', () => {
  const model = new Model();
  const apply = (message: object): unknown => model.apply({ ...stamped, ...message } as InspectorMessage);
  const actor = (sessionId: string): unknown =>
    apply({ type: '@xstate.actor', name: NAME, sessionId, snapshot: { status: 'active', value: 'idle' } });
  const end = (sessionId: string, status: string): unknown =>
    apply({ type: '@xstate.snapshot', sessionId, event: { type: 'x' }, snapshot: { status, value: 'idle' } });
  actor('x:1');
  end('x:1', 'error');
  expect(model.actorOf('wss://relay.example/')?.sessionId).toBe('x:1');
  actor('x:2');
  expect(model.actorOf('wss://relay.example/')?.sessionId).toBe('x:2');
  end('x:2', 'stopped');
  actor('x:3');
  expect(model.actorOf('wss://relay.example/')?.sessionId).toBe('x:3');
  expect(model.actorOf('wss://other.example/')).toBeUndefined();
});
