import own from 'virtual:drawings';
import type { AnyStateMachine } from 'xstate';
import { createMachine } from 'xstate';
import type { Drawing } from '../layout.ts';
import { below, layOut } from '../layout.ts';

/** Charts with more arrows than this are drawn without labels, or nothing could be read. */
const LABELLED_ARROWS_MAX = 16;

/** What is larger would keep the page busy for longer than anybody waits, and could not be read. */
const STATES_MAX = 100;
const ARROWS_MAX = 250;

const known = new Map<string, Drawing | 'failed' | 'pending'>(own);
let engine: Promise<ElkConstructor> | undefined;

type ElkConstructor = new () => Parameters<typeof layOut>[1];

/** The layout engine is large, and only foreign charts need it. */
function loadEngine(): Promise<ElkConstructor> {
  engine ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = new URL('elk.bundled.js', document.baseURI).href;
    script.onload = () => resolve((globalThis as unknown as { ELK: ElkConstructor }).ELK);
    script.onerror = () => reject(new Error('the layout engine cannot be loaded'));
    document.head.append(script);
  });
  return engine;
}

/** The drawing of a chart by its configuration; nothing while it is being made, or where it cannot be. */
export function drawingOf(definition: string, made: () => void): Drawing | 'failed' | undefined {
  const drawing = known.get(definition);
  if (drawing === 'pending') return undefined;
  if (drawing) return drawing;
  known.set(definition, 'pending');
  void draw(definition).then(
    (drawn) => {
      known.set(definition, drawn);
      made();
    },
    () => {
      known.set(definition, 'failed');
      made();
    },
  );
  return undefined;
}

/** The id of a chart by its configuration; nothing where it has none, or is none. */
export function chartIdOf(definition: string): string | undefined {
  try {
    const { id } = (JSON.parse(definition) ?? {}) as { id?: unknown };
    return typeof id === 'string' ? id : undefined;
  } catch {
    return undefined;
  }
}

async function draw(definition: string): Promise<Drawing> {
  const config = JSON.parse(definition) as { id?: string };
  const machine: AnyStateMachine = createMachine({ ...config, id: config.id ?? 'machine' } as never);
  const states = below(machine.root);
  const arrows = states.reduce(
    (sum, { transitions, always = [] }) => sum + [...transitions.values()].flat().length + always.length,
    0,
  );
  if (states.length > STATES_MAX || arrows > ARROWS_MAX) throw new Error('It is too large to be drawn.');
  const elk = new (await loadEngine())();
  return layOut(machine, elk, { labels: arrows <= LABELLED_ARROWS_MAX });
}
