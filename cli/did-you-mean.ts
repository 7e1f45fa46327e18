/** The name that was probably meant: one or two letters off, or begun and not finished. Null when none is near. */
export function nearest(wrong: string, names: Iterable<string>): string | null {
  const text = wrong.toLowerCase();
  let best: { readonly name: string; readonly distance: number } | null = null;
  for (const name of names) {
    const candidate = name.toLowerCase();
    const distance = text.length >= 3 && candidate.startsWith(text) ? 1 : editDistance(text, candidate);
    const allowed = Math.min(2, Math.floor(text.length / 3));
    if (distance <= allowed && (best === null || distance < best.distance)) best = { name, distance };
  }
  return best?.name ?? null;
}

/** Letters to insert, drop, replace or swap with their neighbour. */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(
        Math.min(
          at(rows, i - 1, j) + 1,
          (row[j - 1] ?? 0) + 1,
          at(rows, i - 1, j - 1) + (isSame ? 0 : 1),
          isSwap ? at(rows, i - 2, j - 2) + 1 : Infinity,
        ),
      );
    }
    rows.push(row);
  }
  return at(rows, a.length, b.length);
}

function at(rows: readonly (readonly number[])[], i: number, j: number): number {
  return rows[i]?.[j] ?? Infinity;
}
