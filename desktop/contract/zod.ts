/**
 * zod, set up for a page under a strict Content-Security-Policy. zod compiles object schemas with `new Function` when it may,
 * and finds out by trying; the browser reports that try as a violation even though zod catches it. The setting is read
 * when a schema is made, so it must stand before any of them: hence here, at import, and only where there is a document.
 */
import { config, z } from 'zod';

if ('document' in globalThis) config({ jitless: true });

export { z };
