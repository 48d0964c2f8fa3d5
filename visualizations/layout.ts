import type { ELK, ElkExtendedEdge, ElkNode } from 'elkjs';
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { drawnEvent } from './events.ts';

/** A state as it is drawn: a box with a name, or a bullet for where a compound state begins. */
export interface DrawnState {
  readonly id: string;
  /** Where it is in the chart: its id, unless it was given one of its own. */
  readonly path: string;
  readonly name: string;
  readonly kind: 'root' | 'compound' | 'parallel' | 'atomic' | 'final' | 'initial' | 'decision';
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** An arrow, or several between the same two states, with a line of text for each. */
export interface DrawnArrow {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly points: readonly (readonly [number, number])[];
  readonly label: readonly string[];
  readonly x: number;
  readonly y: number;
}

export interface Drawing {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly states: readonly DrawnState[];
  readonly arrows: readonly DrawnArrow[];
  /** What the root listens to in every state, told below the picture. */
  readonly footnotes: readonly string[];
}

/** Sizes in pixels. Text is set in a monospaced face, so that its width is known without measuring. */
const LINE = 15;
const CHARACTER = 6.7;
const NAME_CHARACTER = 8.2;
const BULLET = 12;

const LAYOUT = {
  'elk.algorithm': 'layered',
  'elk.direction': 'DOWN',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.layered.cycleBreaking.strategy': 'DEPTH_FIRST',
  'elk.json.edgeCoords': 'ROOT',
  'elk.json.shapeCoords': 'ROOT',
  'elk.spacing.edgeLabel': '4',
  'elk.spacing.edgeEdge': '12',
  'elk.spacing.edgeNode': '16',
  'elk.spacing.nodeNode': '30',
  'elk.layered.spacing.edgeNodeBetweenLayers': '16',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '12',
  'elk.layered.spacing.nodeNodeBetweenLayers': '34',
  'elk.padding': '[top=16,left=16,bottom=16,right=16]',
} as const;

/** Without labels there is less to keep apart. */
const CLOSE_LAYOUT = {
  ...LAYOUT,
  'elk.spacing.edgeEdge': '8',
  'elk.spacing.edgeNode': '10',
  'elk.spacing.nodeNode': '20',
  'elk.layered.spacing.edgeNodeBetweenLayers': '9',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '7',
  'elk.layered.spacing.nodeNodeBetweenLayers': '20',
} as const;

const COMPOUND = { 'elk.padding': '[top=34,left=16,bottom=16,right=16]' } as const;
const SIZE = { width: BULLET, height: BULLET } as const;
const FIRST = { 'elk.layered.layering.layerConstraint': 'FIRST' } as const;

interface Arrow {
  readonly source: AnyStateNode;
  readonly target: AnyStateNode;
  readonly label: string;
}

type Branch = { target?: readonly AnyStateNode[]; guard?: unknown; eventType: string };

/** Whether nobody is ever in it: it only decides where to go. */
const isDecision = (node: AnyStateNode): boolean =>
  node.type === 'atomic' && (node.always ?? []).some(({ guard }) => guard === undefined);

function branchLabel({ guard, eventType }: Branch): string {
  const event = drawnEvent(eventType);
  if (guard === undefined) return event || 'otherwise';
  const { type = guard } = guard as { type?: unknown };
  return `${event}${event ? ' ' : ''}[${String(type)}]`;
}

function branchesOf(node: AnyStateNode): readonly Branch[] {
  return [...[...node.transitions.values()].flat(), ...(node.always ?? [])] as unknown as Branch[];
}

export const below = (node: AnyStateNode): AnyStateNode[] =>
  Object.values(node.states).flatMap((each) => [each, ...below(each)]);

/** The arrows that lead somewhere, those between the same two states as one. */
function arrowsOf(nodes: readonly AnyStateNode[]): Map<string, Arrow & { labels: string[] }> {
  const arrows = new Map<string, Arrow & { labels: string[] }>();
  for (const source of nodes) {
    for (const branch of branchesOf(source)) {
      for (const target of branch.target ?? []) {
        const key = `${source.id} -> ${target.id}`;
        const label = branchLabel(branch);
        const arrow = arrows.get(key) ?? { source, target, label, labels: [] };
        if (!arrow.labels.includes(label)) arrow.labels.push(label);
        arrows.set(key, arrow);
      }
    }
  }
  return arrows;
}

function footnotesOf(root: AnyStateNode): readonly string[] {
  return branchesOf(root).map((branch) => {
    const target = branch.target?.[0];
    return `${branchLabel(branch)}${target ? ` → ${target.key}` : ''}`;
  });
}

function elkNode(node: AnyStateNode): ElkNode {
  const children = Object.values(node.states) as AnyStateNode[];
  const width = Math.max(76, node.key.length * NAME_CHARACTER + 28);
  if (children.length === 0) return { id: node.id, width, height: isDecision(node) ? 30 : 34 };
  // The regions of a parallel state all begin; there is nothing to point at.
  const bullets = node.type === 'parallel' ? [] : [{ id: `${node.id}/initial`, ...SIZE, layoutOptions: FIRST }];
  return {
    id: node.id,
    layoutOptions: COMPOUND,
    children: [...bullets, ...children.map(elkNode)],
    labels: [{ text: node.key, width, height: LINE }],
  };
}

function initialEdges(nodes: readonly AnyStateNode[]): ElkExtendedEdge[] {
  return nodes.flatMap((node) => {
    const target = node.type === 'parallel' ? undefined : node.initial?.target?.[0];
    return target ? [{ id: `${node.id}/begin`, sources: [`${node.id}/initial`], targets: [target.id] }] : [];
  });
}

export interface LayoutOptions {
  /** Whether arrows have room for their labels. Without it, a large chart is a third as large. Default `true`. */
  readonly labels?: boolean;
}

/** Lays a chart out. The same chart always gives the same drawing. */
export async function layOut(machine: AnyStateMachine, elk: ELK, options: LayoutOptions = {}): Promise<Drawing> {
  const { labels: hasLabels = true } = options;
  const root = machine.root as AnyStateNode;
  const nodes = [root, ...below(root)];
  const drawn = nodes.filter((node) => node !== root);
  const arrows = arrowsOf(drawn);
  const graph: ElkNode = {
    ...elkNode(root),
    layoutOptions: hasLabels ? LAYOUT : CLOSE_LAYOUT,
    edges: [
      ...initialEdges(nodes),
      ...[...arrows].map(([id, { source, target, labels }]) => ({
        id,
        sources: [source.id],
        targets: [target.id],
        labels: hasLabels
          ? [
              {
                text: labels.join('\n'),
                width: Math.max(...labels.map((line) => line.length)) * CHARACTER + 8,
                height: labels.length * LINE,
              },
            ]
          : [],
      })),
    ],
  };
  const laid = await elk.layout(graph);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const states: DrawnState[] = [];
  const collect = (box: ElkNode): void => {
    const node = byId.get(box.id);
    states.push({
      id: box.id,
      path: node ? [machine.id, ...node.path].join('.') : box.id,
      name: node?.key ?? '',
      kind: kindOf(node, root),
      x: box.x ?? 0,
      y: box.y ?? 0,
      width: box.width ?? 0,
      height: box.height ?? 0,
    });
    for (const child of box.children ?? []) collect(child);
  };
  collect(laid);
  return {
    id: machine.id,
    width: laid.width ?? 0,
    height: laid.height ?? 0,
    states,
    arrows: (laid.edges ?? []).map((edge) => arrowOf(edge, arrows.get(edge.id))),
    footnotes: footnotesOf(root),
  };
}

function kindOf(node: AnyStateNode | undefined, root: AnyStateNode): DrawnState['kind'] {
  if (!node) return 'initial';
  if (node === root) return 'root';
  if (isDecision(node)) return 'decision';
  return node.type === 'history' ? 'atomic' : node.type;
}

function arrowOf(edge: ElkExtendedEdge, arrow: { labels: readonly string[] } | undefined): DrawnArrow {
  const points = (edge.sections ?? []).flatMap(({ startPoint, bendPoints = [], endPoint }) =>
    [startPoint, ...bendPoints, endPoint].map(({ x, y }) => [x, y] as const),
  );
  const label = edge.labels?.[0];
  return {
    id: edge.id,
    source: edge.sources[0] ?? '',
    target: edge.targets[0] ?? '',
    points,
    label: arrow?.labels ?? [],
    x: label?.x ?? 0,
    y: label?.y ?? 0,
  };
}
