import own from 'virtual:drawings';
import type { AnyStateMachine } from 'xstate';
import { createMachine } from 'xstate';
import type { Drawing } from '../layout.ts';
import { layOut } from '../layout.ts';

/** Charts with more arrows than this are drawn without labels, or nothing could be read. */
const LABELLED_ARROWS_MAX = 16;

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

async function draw(definition: string): Promise<Drawing> {
  const config = JSON.parse(definition) as { id?: string };
  const machine: AnyStateMachine = createMachine({ ...config, id: config.id ?? 'machine' } as never);
  const elk = new (await loadEngine())();
  const arrows = JSON.stringify(config).split('"target"').length;
  return layOut(machine, elk, { labels: arrows <= LABELLED_ARROWS_MAX });
}
