/**
 * Fields of one line of comma-separated values, as the long forms of `--mount`, `--network` and `--gpus` are written: a field in double
 * quotes may have commas, and two double quotes in it are one. Throws RangeError.
 */
export function csvFields(text: string): string[] {
  const fields: string[] = [];
  let rest = text;
  for (;;) {
    const [whole, quoted, plain] = /^(?:"((?:[^"]|"")*)"|([^",]*))(?=,|$)/.exec(rest) ?? [];
    if (whole === undefined) throw new RangeError(`parse error on line 1: bare " in non-quoted field: ${text}`);
    fields.push(quoted?.replaceAll('""', '"') ?? plain ?? '');
    if (whole.length === rest.length) return fields;
    rest = rest.slice(whole.length + 1);
  }
}

/** `key=value` in two; `value` is undefined where there is no `=`. */
export function pairOf(field: string): { readonly key: string; readonly value: string | undefined } {
  const at = field.indexOf('=');
  return at < 0
    ? { key: field.trim().toLowerCase(), value: undefined }
    : { key: field.slice(0, at).trim().toLowerCase(), value: field.slice(at + 1).trim() };
}
