const barWidth = 50;

/** The bar that older clients print as it is: `[====>    ]  1.2MB/4MB`; without a total when there is none, or when more has come than was told. */
export function progressBar(current: number, total: number): string {
  const isOver = total <= 0 || current > total;
  const numbers = isOver ? size(current).padStart(8) : `${size(current).padStart(8)}/${size(total)}`;
  const filled = total <= 0 || isOver ? barWidth : Math.min(barWidth, Math.floor((current / total) * barWidth));
  return `[${'='.repeat(filled)}>${' '.repeat(Math.max(0, barWidth - filled))}] ${numbers}`;
}

/** Four digits, decimal units, right-aligned: docker's. */
function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}
