/** Replaced by the release's version and commit when the engine is bundled; the sources call themselves a development build. */
declare const SKIFF_VERSION: string | undefined;
declare const SKIFF_COMMIT: string | undefined;

export const engineVersion: string = typeof SKIFF_VERSION === 'string' ? SKIFF_VERSION : '0.1.0-dev';
export const engineCommit: string = typeof SKIFF_COMMIT === 'string' ? SKIFF_COMMIT : 'source';
