import { emitKeypressEvents, type Key } from 'node:readline';
import { say } from './arguments.ts';

/** Whether what is printed may be drawn over and coloured. */
export const isTerminal = (): boolean => process.stdout.isTTY === true;
export const hasColours = (): boolean => isTerminal() && !process.env.NO_COLOR;

/** Draws lines over themselves, until it is stopped, when they are drawn a last time. */
export function redraw(lines: () => readonly string[], everyMs = 100): () => void {
  let drawn = 0;
  const draw = (): void => {
    const now = lines();
    const back = drawn === 0 ? '' : `\u001b[${drawn}A`;
    process.stdout.write(back + now.map((line) => `\u001b[2K${line}\n`).join(''));
    drawn = now.length;
  };
  draw();
  const timer = setInterval(draw, everyMs);
  return () => {
    clearInterval(timer);
    draw();
  };
}

/** Prints a line every so often, until it is stopped. */
export function printEvery(line: () => string, everyMs = 1_000): () => void {
  const timer = setInterval(() => say(line()), everyMs);
  return () => clearInterval(timer);
}

/** Hears single keys of a terminal, by their names; nothing where there is no terminal. Returns what ends it. */
export function onKeys(press: (key: string) => void): () => void {
  const { stdin } = process;
  if (!stdin.isTTY) return () => {};
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
