/** A login cannot be read or kept; the message says why and what to do. */
export class LoginError extends Error {
  override readonly name = 'LoginError';
}
