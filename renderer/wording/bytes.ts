const steps = ['B', 'KB', 'MB', 'GB', 'TB'] as const;

/** A size in binary steps with at most one decimal: `0 B`, `512 MB`, `1.5 GB`. Memory and disks are given in powers of two. */
export function bytes(size: number): string {
  let value = Math.max(0, size);
  let step = 0;
  while (value >= 1024 && step < steps.length - 1) {
    value /= 1024;
    step += 1;
  }
  const shown = step === 0 ? String(Math.round(value)) : String(Math.round(value * 10) / 10);
  return `${shown} ${steps[step] ?? 'B'}`;
}
