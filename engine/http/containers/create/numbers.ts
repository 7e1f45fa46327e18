import { invalid } from '../../../model/errors.ts';

export function positive(name: string, value: number | null): number | null {
  if (value !== null && value < 0) throw invalid(`invalid ${name}: ${value} is negative`);
  return value;
}
