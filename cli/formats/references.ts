/** `registry:5000/team/app:1.2` in two parts; `tag` is undefined where there is none. */
export function parseReference(text: string): { readonly repository: string; readonly tag: string | undefined } {
  const colon = text.lastIndexOf(':');
  const hasTag = colon > text.lastIndexOf('/');
  return hasTag
    ? { repository: text.slice(0, colon), tag: text.slice(colon + 1) }
    : { repository: text, tag: undefined };
}
