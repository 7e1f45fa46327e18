/**
 * Columns as Go's tabwriter lays them out for docker: each as wide as its widest cell plus three spaces, at least `minWidth`, the last
 * one as it is. Width counts characters, not bytes.
 */
export function tableLines(rows: readonly (readonly string[])[], minWidth = 10): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, index) =>
    Math.max(minWidth, ...rows.map((row) => (index < row.length - 1 ? [...(row[index] ?? '')].length + 3 : 0))),
  );
  return rows.map((row) =>
    row
      .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(padded(cell, widths[index] ?? 0))))
      .join(''),
  );
}

/** padEnd counts UTF-16 units; characters outside the basic plane have two. */
function padded(cell: string, width: number): number {
  return width + cell.length - [...cell].length;
}
