/** Columns of `ps`, by the names that people give after `-o` (source: ps(1), procps). */
import type { ProcessFacts } from './proc.ts';

/** What a column needs beside the process itself. */
export interface PsContext {
  /** Now, in seconds since boot and as a date. */
  readonly uptimeSeconds: number;
  readonly now: Date;
  readonly memoryBytes: number;
  userName(uid: number): string;
  groupName(gid: number): string;
}

export interface Column {
  readonly title: string;
  value(facts: ProcessFacts, context: PsContext): string;
}

const text = (title: string, value: Column['value']): Column => ({ title, value });

const user = text('USER', ({ uid }, { userName }) => userName(uid));
const shownUid = text('UID', ({ uid }) => String(uid));
const group = text('GROUP', ({ gid }, { groupName }) => groupName(gid));
const gid = text('GID', (facts) => String(facts.gid));
const command = (title: string): Column => text(title, commandLine);
const name = text('COMMAND', (facts) => (facts.state === 'Z' ? `${facts.name} <defunct>` : facts.name));
const cpuShare = text('%CPU', (facts, context) => (Math.floor(share(facts, context) * 1000) / 10).toFixed(1));
const memoryShare = text('%MEM', (facts, { memoryBytes }) => ((facts.residentBytes / memoryBytes) * 100).toFixed(1));
const virtual = text('VSZ', ({ virtualBytes }) => String(Math.floor(virtualBytes / 1024)));
const resident = text('RSS', ({ residentBytes }) => String(Math.floor(residentBytes / 1024)));
const time = text('TIME', ({ cpuSeconds }) => clock(cpuSeconds));
const started = (title: string): Column => text(title, startOfDay);
const terminal = (title: string): Column => text(title, (facts) => facts.terminal);
const nice = text('NI', (facts) => String(facts.nice));
const stat = text('STAT', statLetters);
const state = text('S', (facts) => facts.state);
const threads = text('NLWP', (facts) => String(facts.threads));
const processGroup = text('PGID', (facts) => String(facts.group));
const session = text('SID', (facts) => String(facts.session));

/** By the name after `-o`. */
export const columns: Readonly<Record<string, Column>> = {
  pid: text('PID', (facts) => String(facts.pid)),
  ppid: text('PPID', ({ parent }) => String(parent)),
  pgid: processGroup,
  pgrp: processGroup,
  sid: session,
  sess: { ...session, title: 'SESS' },
  user,
  euser: { ...user, title: 'EUSER' },
  uname: user,
  ruser: text('RUSER', ({ realUid }, { userName }) => userName(realUid)),
  uid: shownUid,
  euid: { ...shownUid, title: 'EUID' },
  ruid: text('RUID', ({ realUid }) => String(realUid)),
  group,
  egroup: { ...group, title: 'EGROUP' },
  gid,
  egid: { ...gid, title: 'EGID' },
  comm: name,
  ucmd: { ...name, title: 'CMD' },
  ucomm: name,
  args: command('COMMAND'),
  command: command('COMMAND'),
  cmd: command('CMD'),
  c: text('C', (facts, context) => String(Math.min(99, Math.floor(share(facts, context) * 100)))),
  pcpu: cpuShare,
  '%cpu': cpuShare,
  pmem: memoryShare,
  '%mem': memoryShare,
  vsz: virtual,
  vsize: virtual,
  rss: resident,
  rssize: resident,
  rsz: { ...resident, title: 'RSZ' },
  tty: terminal('TT'),
  tt: terminal('TT'),
  tname: terminal('TTY'),
  time,
  cputime: time,
  bsdtime: text('TIME', ({ cpuSeconds }) => minutes(cpuSeconds)),
  etime: text('ELAPSED', (facts, { uptimeSeconds }) => elapsed(uptimeSeconds - facts.startedAt)),
  etimes: text('ELAPSED', (facts, { uptimeSeconds }) => String(Math.floor(uptimeSeconds - facts.startedAt))),
  stime: started('STIME'),
  start_time: started('START'),
  lstart: text('STARTED', (facts, context) => startDate(facts, context).toString().slice(0, 24)),
  stat,
  state,
  s: state,
  ni: nice,
  nice,
  pri: text('PRI', ({ priority }) => String(39 - (priority + 20))),
  psr: text('PSR', ({ processor }) => String(processor)),
  nlwp: threads,
  thcount: { ...threads, title: 'THCNT' },
};

/** `-f`, `u`, `l` and what there is without any of them. */
export const columnSets = {
  full: [
    text('UID', ({ uid }, { userName }) => userName(uid)),
    ...pick('pid', 'ppid', 'c', 'stime', 'tname', 'time', 'cmd'),
  ],
  user: pick('user', 'pid', '%cpu', '%mem', 'vsz', 'rss', 'tname', 'stat', 'start_time', 'bsdtime', 'args'),
  plain: pick('pid', 'tname', 'time', 'ucmd'),
  plainBsd: pick('pid', 'tname', 'stat', 'bsdtime', 'args'),
} as const;

function pick(...names: readonly string[]): readonly Column[] {
  return names.flatMap((wanted) => columns[wanted] ?? []);
}

function commandLine({ args, name, state }: ProcessFacts): string {
  if (args.length > 0) return args.join(' ').replace(/[\n\r]/g, ' ');
  return state === 'Z' ? `[${name}] <defunct>` : `[${name}]`;
}

/** Of one processor, over the whole life of the process. */
function share({ cpuSeconds, startedAt }: ProcessFacts, { uptimeSeconds }: PsContext): number {
  return cpuSeconds / Math.max(uptimeSeconds - startedAt, 0.01);
}

function two(number: number): string {
  return String(Math.floor(number)).padStart(2, '0');
}

/** `[days-]hours:minutes:seconds` */
function clock(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const rest = `${two((seconds / 3600) % 24)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
  return days === 0 ? rest : `${days}-${rest}`;
}

function minutes(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
}

function elapsed(seconds: number): string {
  return seconds < 3600 ? `${two(seconds / 60)}:${two(seconds % 60)}` : clock(seconds);
}

function startDate({ startedAt }: ProcessFacts, { now, uptimeSeconds }: PsContext): Date {
  return new Date(now.getTime() - (uptimeSeconds - startedAt) * 1000);
}

/** The time of day, or the day when that was another one. */
function startOfDay(facts: ProcessFacts, context: PsContext): string {
  const date = startDate(facts, context);
  if (date.toDateString() === context.now.toDateString()) return `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (date.getFullYear() !== context.now.getFullYear()) return String(date.getFullYear());
  return `${date.toDateString().slice(4, 7)}${two(date.getDate())}`;
}

function statLetters(facts: ProcessFacts): string {
  const { state, nice: niceness, lockedKilobytes, session: leader, pid, threads: count, group: own } = facts;
  return [
    state,
    niceness < 0 ? '<' : niceness > 0 ? 'N' : '',
    lockedKilobytes > 0 ? 'L' : '',
    leader === pid ? 's' : '',
    count > 1 ? 'l' : '',
    own === facts.terminalGroup ? '+' : '',
  ].join('');
}
