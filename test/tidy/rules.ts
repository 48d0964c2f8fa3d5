import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** A source file as the rules see it: where it stands, and what it says. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Every source file below the given folders of a project. */
export function sourceFiles(root: string, folders: readonly string[]): readonly SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|tsx)$/.test(name))
      .map((name) => join(folder, name))
      .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') })),
  );
}

const IMPORT =
  /^\s*(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;

/** What a file imports: paths within the project, and packages by name. */
function importsOf(file: SourceFile): readonly string[] {
  return [...file.text.matchAll(IMPORT)].map((match) => {
    const target = match[1] ?? match[2] ?? match[3] ?? '';
    return target.startsWith('.') ? relative('.', resolve(dirname(file.path), target)) : target;
  });
}

/** Who may import what, the first row that fits a file. A name without a slash is a package. */
const MAY_IMPORT: readonly (readonly [who: RegExp, whom: readonly RegExp[]])[] = [
  [/^machines\/policy\//, [/^machines\/policy\//]],
  [/^machines\/placeholder\.ts$/, [/^xstate$/]],
  [/^machines\/table\.ts$/, [/^xstate$/]],
  [/^machines\/socket\.ts$/, [/^machines\/policy\//, /^xstate$/]],
  [/^machines\/index\.ts$/, [/^machines\//]],
  [/^machines\/pool\//, [/^machines\//, /^xstate$/, /^immer$/]],
  [/^machines\/(\w+)\//, [/^machines\/policy\//, /^machines\/(placeholder|table|socket)\.ts$/, /^xstate$/, /^immer$/]],
  [/^src\/(abort-signals|clock|frame|steps)\.ts$/, [/^machines\/policy\//]],
  [/^src\/transport\//, [/^machines\/policy\//, /^src\/(clock|frame)\.ts$/, /^src\/transport\//, /^ws$/, /^node:/]],
  // What is of no use to most pools has a door of its own.
  [/^src\/protocol\/nostr\/negentropy/, [/^src\/protocol\//, /^nostr-tools$/]],
  [/^src\/protocol\//, [/^machines\/policy\//, /^src\/(frame\.ts|protocol\/)/, /^nostr-tools\/pure$/]],
  [/^src\/health\//, [/^machines\/(policy|circuit)\//, /^src\/(clock\.ts|steps\.ts|health\/)/]],
  [/^src\/delivery\/outbox\/level-outbox\.ts$/, [/^src\/delivery\/outbox\//, /^classic-level$/]],
  [
    /^src\/delivery\//,
    [/^machines\//, /^src\/((abort-signals|clock|frame|steps)\.ts|delivery\/|protocol\/|health\/|transport\/)/],
  ],
  [
    /^src\/verify\//,
    [
      /^machines\/policy\//,
      /^src\/(verify\/|protocol\/)/,
      /^(tiny-secp256k1|nostr-wasm|koffi)$/,
      /^#worker$/,
      /^node:/,
    ],
  ],
  [/^src\/auth\//, [/^machines\//, /^src\/(clock\.ts|steps\.ts|auth\/|protocol\/)/]],
  [
    /^src\/intake\//,
    [/^machines\//, /^src\/((abort-signals|clock|frame|steps)\.ts|intake\/|protocol\/|health\/|transport\/)/],
  ],
  [
    /^src\/pool\//,
    [
      /^machines\//,
      /^src\/((abort-signals|clock|frame|steps)\.ts|pool\/|auth\/|delivery\/|intake\/|protocol\/|health\/|transport\/)/,
      /^xstate$/,
      /^#platform$/,
    ],
  ],
  [
    /^src\/testing\//,
    [
      /^src\/(testing\/|clock\.ts|protocol\/nostr\/|transport\/transport\.ts)/,
      /^machines\/policy\//,
      /^ws$/,
      /^nostr-tools\//,
      /^node:/,
    ],
  ],
  [
    /^src\/inspect\//,
    [/^machines\/(index|policy\/alert)\.ts$/, /^src\/(index\.ts|inspect\/)/, /^xstate$/, /^ws$/, /^node:/],
  ],
  [/^src\/looks\.ts$/, []],
  [/^src\/react\//, [/^machines\/policy\//, /^src\/(index|looks)\.ts$/, /^src\/react\//, /^react$/, /^immer$/]],
  [/^src\/cli\//, [/^machines\/policy\//, /^src\//, /^ws$/, /^nostr-tools\//, /^node:/]],
  [/^src\/index\.ts$/, [/^machines\//, /^src\/(?!testing|cli|inspect|react)/, /^#platform$/]],
  [
    /^visualizations\/(page\/|vite\.config\.ts)/,
    [
      /^machines\/index\.ts$/,
      /^src\/(inspect\/|looks\.ts)/,
      /^visualizations\//,
      /^(xstate|preact|preact\/hooks|virtual:drawings)$/,
      /^vite/,
      /^node:/,
    ],
  ],
  [/^visualizations\//, [/^machines\//, /^visualizations\//, /^xstate$/, /^elkjs/, /^node:/]],
];

/** Imports within `machines/` also have to stay in their own chart's folder, or go to a chart whose actors it starts. */
const chartOf = (path: string): string | undefined =>
  /^machines\/(relay|pool|scaling|connection|delivery|publication|subscription|auth|circuit)\//.exec(path)?.[1];
const STARTS: Readonly<Record<string, readonly string[]>> = {
  pool: ['relay', 'publication', 'subscription'],
  relay: ['scaling'],
  scaling: ['connection'],
};

export function importProblems(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    const row = MAY_IMPORT.find(([who]) => who.test(file.path));
    if (!row) return [`${file.path} has no place in the architecture`];
    const own = chartOf(file.path);
    return importsOf(file).flatMap((target) => {
      const other = chartOf(target);
      const isNear = other === own || (other !== undefined && STARTS[own ?? '']?.includes(other));
      const isForeign = own !== undefined && other !== undefined && !isNear;
      const allowed =
        (own !== undefined && isNear && other !== undefined) ||
        (!isForeign && row[1].some((whom) => whom.test(target)));
      return allowed ? [] : [`${file.path} imports ${target}`];
    });
  });
}

/** Circles of imports, each named by the file that closes it. Types count too. */
export function circles(files: readonly SourceFile[]): readonly string[] {
  const graph = new Map(files.map((file) => [file.path, importsOf(file)]));
  const state = new Map<string, 'open' | 'done'>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'done') return;
    if (state.get(path) === 'open') {
      found.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      return;
    }
    state.set(path, 'open');
    for (const target of graph.get(path) ?? []) if (graph.has(target)) visit(target, [...trail, path]);
    state.set(path, 'done');
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

const WORLD =
  /\b(Date\.now|new Date\(|Math\.random|setTimeout\(|setInterval\(|queueMicrotask\(|performance\.|process\.|crypto\.)/;
const COMMENT = /^\s*(\/\/|\*|\/\*)/;

/** Time or chance taken from the world. */
export function worldProblems(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .map((line, index) => [line, index + 1] as const)
      .filter(([line]) => !COMMENT.test(line) && WORLD.test(line))
      .map(([line, number]) => `${path}:${number}: ${line.trim()}`),
  );
}

const EVENT_TYPE = /\btype:\s*'([^']+)'/g;
const COMMAND = /^[A-Z]+(_[A-Z]+)*$/;
const FACT = /^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$/;

/** Names in files of events that are neither a command nor a fact. */
export function eventNameProblems(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap(({ path, text }) =>
    [...text.matchAll(EVENT_TYPE)]
      .map((match) => match[1] ?? '')
      .filter((name) => !COMMAND.test(name) && !FACT.test(name))
      .map((name) => `${path}: ${name}`),
  );
}
