/** Names that differ by more than this share of their length are not taken for slips. */
const DISTANCE_SHARE_MAX = 0.5;

/** Returns the edits (insert, delete, replace, or swap of neighbours) that turn one name into the other. */
function distance(one: string, other: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row += 1) {
    const next = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const isSame = one[row - 1] === other[column - 1];
      const isSwapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      const edits = Math.min(
        (last[column] ?? 0) + 1,
        (next[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (isSame ? 0 : 1),
      );
      next.push(isSwapped ? Math.min(edits, (beforeLast[column - 2] ?? 0) + 1) : edits);
    }
    beforeLast = last;
    last = next;
  }
  return last[other.length] ?? 0;
}

/** Returns the known name that a misspelt one most likely stands for; nothing if none is near. Capitals do not count. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  const wanted = name.slice(0, 64).toLowerCase();
  let nearest: string | undefined;
  let least = Math.floor(DISTANCE_SHARE_MAX * wanted.length);
  for (const each of known) {
    const edits = distance(wanted, each.toLowerCase());
    if (edits > least || (edits === least && nearest !== undefined)) continue;
    nearest = each;
    least = edits;
  }
  return nearest;
}
