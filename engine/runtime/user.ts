/** Who a container's process runs as, resolved within the image's own passwd and group files. */
import { invalid } from '../model/errors.ts';

export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
  /** Also the group itself: a program that changes its own must not lose what that one was denied (CVE-2022-36109). */
  readonly additionalGids: readonly number[];
  /** The home folder of its passwd entry, `/` without one. */
  readonly home: string;
}

/**
 * Reads a file of the image: `/etc/passwd` or `/etc/group`. Null when there is none. The caller sees to it that no link leads
 * out of the root and that the size is bounded: the image chooses what lies there.
 */
export type ImageFile = (path: '/etc/passwd' | '/etc/group') => string | Buffer | null;

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const maxId = 2 ** 31 - 1;

/**
 * `user`: `name`, `uid`, `name:group`, `uid:gid`, or empty for root. A number need not be in passwd. Without a group named,
 * the groups that list the user are its additional ones. Throws `invalid` in docker's words for a name that is not there.
 */
export function resolveUser(user: string, read: ImageFile, extraGroups: readonly string[] = []): ProcessUser {
  const [named = '', wantedGroup] = split(user);
  // `:group` is root with another group.
  const wanted = named === '' ? '0' : named;
  const users = parsePasswd(textOf(read('/etc/passwd')));
  const groups = parseGroup(textOf(read('/etc/group')));
  const number = idOf(wanted);
  const entry = users.find(({ name, uid }) => name === wanted || uid === number);
  if (entry === undefined && number === null)
    throw invalid(`unable to find user ${wanted}: no matching entries in passwd file`);
  const uid = entry?.uid ?? number ?? 0;
  const extra = extraGroups.map((name) => gidOf(name, groups));
  const home = entry?.home === undefined || entry.home === '' ? '/' : entry.home;
  if (wantedGroup !== undefined && wantedGroup !== '') {
    const gid = gidOf(wantedGroup, groups);
    return { uid, gid, additionalGids: unique([gid, ...extra]), home };
  }
  const gid = entry?.gid ?? 0;
  const listed = groups.filter(({ members }) => entry !== undefined && members.includes(entry.name));
  return { uid, gid, additionalGids: unique([gid, ...listed.map((group) => group.gid), ...extra]), home };
}

function split(user: string): readonly string[] {
  const at = user.indexOf(':');
  return at === -1 ? [user] : [user.slice(0, at), user.slice(at + 1)];
}

function gidOf(name: string, groups: readonly GroupEntry[]): number {
  const number = idOf(name);
  const gid = groups.find((group) => group.name === name)?.gid ?? number;
  if (gid === null) throw invalid(`unable to find group ${name}: no matching entries in group file`);
  return gid;
}

/** Null when the text is no number at all; throws for one that is no id. */
function idOf(text: string): number | null {
  if (!/^\d+$/.test(text)) return null;
  const id = Number(text);
  if (id > maxId) throw invalid(`uids and gids must be in range 0-${maxId}`);
  return id;
}

function unique(gids: readonly number[]): readonly number[] {
  return [...new Set(gids)];
}

function textOf(content: string | Buffer | null): string {
  return content === null ? '' : content.toString();
}

/** Lines that are not as they should be are passed over: it is the image's file. */
function parsePasswd(text: string): readonly PasswdEntry[] {
  return rows(text).flatMap(([name = '', , uid, gid, , home = '']) =>
    isId(uid) && isId(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home }] : [],
  );
}

function parseGroup(text: string): readonly GroupEntry[] {
  return rows(text).flatMap(([name = '', , gid, members = '']) =>
    isId(gid) ? [{ name, gid: Number(gid), members: members.split(',').map((member) => member.trim()) }] : [],
  );
}

function rows(text: string): readonly (readonly (string | undefined)[])[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function isId(text: string | undefined): boolean {
  return text !== undefined && /^\d+$/.test(text) && Number(text) <= maxId;
}
