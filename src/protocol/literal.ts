/** A text of four to twelve characters of ASCII, as three words of four that overlap: so it is found at a place in three steps. */
export interface Literal {
  readonly length: number;
  readonly first: number;
  readonly second: number;
  readonly secondAt: number;
  readonly last: number;
  readonly lastAt: number;
}

/** Four characters as they stand in memory. */
const wordOf = (text: string, at: number): number =>
  [3, 2, 1, 0].reduce((word, index) => (word << 8) | text.charCodeAt(at + index), 0);

export function literalOf(text: string): Literal {
  const { length } = text;
  const lastAt = length - 4;
  const secondAt = Math.min(4, lastAt);
  return {
    length,
    first: wordOf(text, 0),
    second: wordOf(text, secondAt),
    secondAt,
    last: wordOf(text, lastAt),
    lastAt,
  };
}

/** Whether it stands at a place, after which there is at least as much. */
export const isAt = (view: DataView, at: number, { first, second, secondAt, last, lastAt }: Literal): boolean =>
  view.getInt32(at, true) === first &&
  view.getInt32(at + lastAt, true) === last &&
  view.getInt32(at + secondAt, true) === second;
