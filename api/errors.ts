/** Body of every answer with a status of 400 or more. */
export interface ErrorBody {
  readonly message: string;
}

export function isErrorBody(value: unknown): value is ErrorBody {
  return typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string';
}
