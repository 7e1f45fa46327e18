import koffi from 'koffi';

/**
 * The firewall, through libnftables: the same language as `nft -f`, without starting `nft` and without the 15 ms that the
 * end of each such process costs the kernel.
 */
export interface Nft extends Disposable {
  /** Runs all commands or none. Throws NftError with the library's own words. */
  run(script: string): void;
  /** The same for commands that print: `list table inet skiff-1a2b3c4d`. Returns the text. */
  list(command: string): string;
  /** The `nftables` array of the JSON form (source: libnftables-json(5)). Shapes are for the caller to check. */
  listJson(command: string): readonly unknown[];
}

export class NftError extends Error {
  override readonly name = 'NftError';
}

const jsonOutput = 1 << 4;

interface Library {
  open(flags: number): unknown;
  free(context: unknown): void;
  run(context: unknown, commands: string): number;
  output(context: unknown): string | null;
  error(context: unknown): string | null;
  bufferOutput(context: unknown): number;
  bufferError(context: unknown): number;
  setFlags(context: unknown, flags: number): void;
}

/** In the network namespace of the caller, for good. Throws NftError when the library is missing. */
export function openNft(): Nft {
  const library = loadLibrary();
  const context = library.open(0);
  if (context === null) throw new NftError('libnftables could not open a connection to the kernel');
  library.bufferOutput(context);
  library.bufferError(context);
  return new LibraryNft(library, context);
}

/** The same, loaded when it is first used; that throws then. Not for a namespace that the caller leaves again. */
export function lateNft(): Nft {
  let opened: Nft | null = null;
  const nft = (): Nft => (opened ??= openNft());
  return {
    run: (script) => nft().run(script),
    list: (command) => nft().list(command),
    listJson: (command) => nft().listJson(command),
    [Symbol.dispose]: () => opened?.[Symbol.dispose](),
  };
}

class LibraryNft implements Nft {
  readonly #library: Library;
  #context: unknown;

  constructor(library: Library, context: unknown) {
    this.#library = library;
    this.#context = context;
  }

  run(script: string): void {
    this.#run(script);
  }

  list(command: string): string {
    return this.#run(command);
  }

  listJson(command: string): readonly unknown[] {
    this.#library.setFlags(this.#context, jsonOutput);
    try {
      const answer: unknown = JSON.parse(this.#run(command));
      if (typeof answer === 'object' && answer !== null && 'nftables' in answer && Array.isArray(answer.nftables))
        return answer.nftables;
      throw new NftError(`nft ${command}: the answer has no "nftables" list`);
    } finally {
      this.#library.setFlags(this.#context, 0);
    }
  }

  #run(commands: string): string {
    if (this.#context === null) throw new NftError('the connection to nftables is closed');
    const status = this.#library.run(this.#context, commands);
    // Both buffers are read at each run, else the next one finds the text of this.
    const output = this.#library.output(this.#context) ?? '';
    const error = this.#library.error(this.#context) ?? '';
    if (status !== 0) throw new NftError(`nft: ${error.trim() === '' ? `refused, status ${status}` : error.trim()}`);
    return output;
  }

  [Symbol.dispose](): void {
    if (this.#context === null) return;
    this.#library.free(this.#context);
    this.#context = null;
  }
}

function loadLibrary(): Library {
  let library;
  try {
    library = koffi.load('libnftables.so.1');
  } catch (error) {
    throw new NftError('libnftables.so.1 cannot be loaded; install the package libnftables1', { cause: error });
  }
  return {
    open: library.func('void *nft_ctx_new(uint32_t flags)') as Library['open'],
    free: library.func('void nft_ctx_free(void *context)') as Library['free'],
    run: library.func('int nft_run_cmd_from_buffer(void *context, const char *commands)') as Library['run'],
    output: library.func('const char *nft_ctx_get_output_buffer(void *context)') as Library['output'],
    error: library.func('const char *nft_ctx_get_error_buffer(void *context)') as Library['error'],
    bufferOutput: library.func('int nft_ctx_buffer_output(void *context)') as Library['bufferOutput'],
    bufferError: library.func('int nft_ctx_buffer_error(void *context)') as Library['bufferError'],
    setFlags: library.func('void nft_ctx_output_set_flags(void *context, unsigned int flags)') as Library['setFlags'],
  };
}
