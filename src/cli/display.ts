import { emitKeypressEvents, type Key } from 'node:readline';
import { say } from './arguments.ts';

/** Whether what is printed may be drawn over and coloured. */
export const isTerminal = (): boolean => process.stdout.isTTY === true;
export const hasColours = (): boolean => isTerminal() && !process.env.NO_COLOR;

/** Of a terminal that does not say how many it has. */
const ROWS = 50;

/** Draws lines over themselves, until it is stopped, when they are drawn a last time. */
export function redraw(lines: () => readonly string[], everyMs = 100): () => void {
  let drawn = 0;
  // A line that is wider than the terminal would take two, and lines that are above it cannot be gone back to.
  const wrap = (): void => void process.stdout.write('\u001b[?7h');
  process.stdout.write('\u001b[?7l');
  // However it ends, the terminal is left as it was.
  process.once('exit', wrap);
  const draw = (): void => {
    const now = lines().slice(0, Math.max(1, (process.stdout.rows || ROWS) - 1));
    const back = drawn === 0 ? '' : `\u001b[${drawn}A`;
    process.stdout.write(back + now.map((line) => `\u001b[2K${line}\n`).join(''));
    drawn = now.length;
  };
  draw();
  const timer = setInterval(draw, everyMs);
  return () => {
    clearInterval(timer);
    draw();
    process.off('exit', wrap);
    wrap();
  };
}

/** Prints a line every so often, until it is stopped. */
export function printEvery(line: () => string, print = say, everyMs = 1_000): () => void {
  const timer = setInterval(() => print(line()), everyMs);
  return () => clearInterval(timer);
}

/** Hears single keys of a terminal, by their names; nothing where there is no terminal. Returns what ends it. */
export function onKeys(press: (key: string) => void): () => void {
  const { stdin } = process;
  // In the background, with its output in a file, a process that asks for keys is stopped.
  if (!stdin.isTTY || !isTerminal()) return () => {};
  const hear = (character: string | undefined, { name, ctrl }: Key): void => {
    const isEnd = ctrl && (name === 'c' || name === 'd');
    press(isEnd ? 'q' : (name ?? character ?? ''));
  };
  emitKeypressEvents(stdin);
  stdin.setRawMode(true);
  stdin.resume();
  stdin.on('keypress', hear);
  return () => {
    stdin.off('keypress', hear);
    stdin.setRawMode(false);
    stdin.pause();
  };
}
