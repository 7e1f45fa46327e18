import type { IncomingLayer } from '../../layers/layer-store.ts';
import type { ImageId } from '../../model/ids.ts';
import type { ImageConfig } from '../image.ts';
import type { Reference } from '../reference.ts';

/** One image of an archive: read and checked, its layers still to be unpacked. */
export interface IncomingImage {
  readonly id: ImageId;
  /** Byte for byte: its digest is the id. */
  readonly configText: string;
  readonly config: ImageConfig;
  /** Bottom first, one for each diff id of the config. */
  readonly layers: readonly IncomingLayer[];
  /** All of them with a tag. */
  readonly names: readonly Reference[];
  /** The image of the same archive that it was made from, as the archive has it; null: it says nothing. */
  readonly parent: ImageId | null;
}
