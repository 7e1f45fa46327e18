/**
 * A step of an image's history as people wrote it: without the shell that a builder puts before it, and without its marks
 * (`/bin/sh -c #(nop)  CMD ["x"]`, `RUN /bin/sh -c make # buildkit`).
 */
export function instructionText(createdBy: string): string {
  const text = createdBy
    .replace(/^\/bin\/sh -c #\(nop\)\s*/, '')
    .replace(/^(?:RUN )?(?:\|\d+ .*?)?\/bin\/sh -c /, 'RUN ')
    .replace(/\s*# buildkit$/, '')
    .replace(/\s+/g, ' ')
    .trim();
  return text === '' ? createdBy : text;
}
