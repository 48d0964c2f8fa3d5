/** An event in the reader's words: a word for a delay, and one for what XState calls its own. */
export function drawnEvent(event: string): string {
  const delay = /^xstate\.after\.([^.]+)\./.exec(event)?.[1];
  if (delay !== undefined) return `after ${delay}`;
  return event.replace(/^xstate\.error\.actor\.(.+)$/, '$1 crashed').replace(/^xstate\.done\.actor\.(.+)$/, '$1 ended');
}
