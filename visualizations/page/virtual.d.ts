declare module '*.css';

declare module 'virtual:drawings' {
  import type { Drawing } from '../layout.ts';

  /** The pool's own charts, laid out when the page was built: by their configuration as it is told. */
  const drawings: readonly (readonly [definition: string, drawing: Drawing])[];
  export default drawings;
}
