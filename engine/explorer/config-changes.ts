/** How two configs differ, field by field, in the words of an image's config. */
import type { SkiffConfigChange } from '../../api/skiff.ts';

type Json = Readonly<Record<string, unknown>>;

/** What says nothing about how an image behaves: its layers and steps are compared as files. */
const passedOver = new Set(['rootfs', 'history', 'created', 'container', 'container_config', 'docker_version', 'id']);

/** In the order of the alphabet. Variables and labels one by one. */
export function configChanges(fromText: string, toText: string): readonly SkiffConfigChange[] {
  const [from, to] = [fieldsOf(fromText), fieldsOf(toText)];
  return [...new Set([...from.keys(), ...to.keys()])].sort().flatMap((field) => {
    const change = { field, from: from.get(field) ?? null, to: to.get(field) ?? null };
    return JSON.stringify(change.from) === JSON.stringify(change.to) ? [] : [change];
  });
}

function fieldsOf(text: string): ReadonlyMap<string, unknown> {
  const fields = new Map<string, unknown>();
  const root = objectOf(JSON.parse(text));
  for (const [name, value] of Object.entries(root)) {
    if (!passedOver.has(name) && name !== 'config') put(fields, name, value);
  }
  for (const [name, value] of Object.entries(objectOf(root['config']))) {
    if (name === 'Env' && Array.isArray(value)) for (const line of value) putVariable(fields, String(line));
    else if (['Labels', 'ExposedPorts', 'Volumes'].includes(name))
      for (const [key, item] of Object.entries(objectOf(value))) put(fields, `${name}.${key}`, item);
    // What dockerd once kept of the container that a step ran in.
    else if (!['Hostname', 'Image'].includes(name)) put(fields, name, value);
  }
  return fields;
}

function putVariable(fields: Map<string, unknown>, line: string): void {
  const at = line.indexOf('=');
  fields.set(`Env.${at === -1 ? line : line.slice(0, at)}`, at === -1 ? '' : line.slice(at + 1));
}

/** Zero values mean "not there", as they do for a Go program, which writes them or not. */
function put(fields: Map<string, unknown>, name: string, value: unknown): void {
  const isZero = value === null || value === '' || value === false || (Array.isArray(value) && value.length === 0);
  if (!isZero) fields.set(name, value);
}

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}
