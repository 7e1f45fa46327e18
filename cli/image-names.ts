import { parseImageName, withDefaultTag } from '../api/image-names.ts';
import type { ImageName } from '../api/image-names.ts';
import type { Platform } from '../client/images.ts';
import { CommandError } from './usage-error.ts';

/** A name of the command line. Throws CommandError in docker's words. */
export function imageNameOf(text: string): ImageName {
  try {
    return parseImageName(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CommandError(error.message, { cause: error });
  }
}

/** One that is to be given to an image: `Error parsing reference`, as docker says of these. */
export function newImageName(text: string): ImageName {
  try {
    return withDefaultTag(parseImageName(text));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = `Error parsing reference: ${JSON.stringify(text)} is not a valid repository/tag: ${error.message}`;
    throw new CommandError(message, { cause: error });
  }
}

/** `linux/arm64/v8`. Undefined stays undefined. Throws CommandError. */
export function platformOf(text: string | undefined): Platform | undefined {
  if (text === undefined || text === '') return undefined;
  const [os = '', architecture, variant, more] = text.toLowerCase().split('/');
  const isWellFormed = [os, architecture, variant].every((part) => part === undefined || /^[a-z0-9_.-]+$/.test(part));
  if (!isWellFormed || more !== undefined) {
    throw new CommandError(
      `invalid platform: ${JSON.stringify(text)}: cannot parse platform specifier: invalid argument`,
    );
  }
  return {
    os,
    ...(architecture === undefined ? {} : { architecture }),
    ...(variant === undefined ? {} : { variant }),
  };
}
