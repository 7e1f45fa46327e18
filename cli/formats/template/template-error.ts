import { CommandError } from '../../usage-error.ts';

/** The template itself cannot be read. */
export class TemplateSyntaxError extends CommandError {
  constructor(source: string, at: number, message: string, options: ErrorOptions = {}) {
    super(`template parsing error: template: :${lineOf(source, at)}: ${message}`, options);
  }
}

/** The template was read and does not fit what it is given. `text` is the piece of it that does not. */
export class TemplateError extends CommandError {
  constructor(place: { readonly source: string; readonly at: number; readonly text: string }, message: string) {
    const { source, at, text } = place;
    const column = at - (source.lastIndexOf('\n', at - 1) + 1);
    super(`template parsing error: template: :${lineOf(source, at)}:${column}: executing "" at <${text}>: ${message}`);
  }
}

function lineOf(source: string, at: number): number {
  return source.slice(0, at).split('\n').length;
}
