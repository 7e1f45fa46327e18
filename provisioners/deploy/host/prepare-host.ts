import type { DriverRun } from '../../drivers/driver.ts';
import type { Line } from '../../line/line.ts';
import { shellQuote } from '../../line/line.ts';
import { MachineError } from '../../machines.ts';
import type { HostFacts } from './host-facts.ts';
import { factsScript, missingPrograms, parseFacts, refuseWhatCannotWork } from './host-facts.ts';
import { installAdvice, installCommand } from './host-packages.ts';
import type { HostPlace } from './host-place.ts';
import { serviceFiles } from './host-service.ts';

/**
 * Makes a host that is not ours fit for the engine: looks what it is, installs what is missing with its own package
 * manager, writes the service. Done again, it changes nothing. A docker daemon that runs there is left alone: the engine has
 * folders, a socket, networks and firewall tables of its own.
 */
export interface HostPreparation extends DriverRun {
  /** Its commands run as root. */
  readonly line: Line;
  /** Its commands run as the user who logs in. */
  readonly userLine: Line;
  readonly place: HostPlace;
  readonly machine: { readonly id: string; readonly name: string };
  /** Whether an engine that belongs to another machine becomes this one's. */
  readonly takesOver: boolean;
}

export interface PreparedHost {
  readonly facts: HostFacts;
  /** Group that may use the engine's socket, so that nobody needs root to talk to it; null for a user who is root. */
  readonly group: string | null;
}

export async function prepareHost(preparation: HostPreparation): Promise<PreparedHost> {
  const { line, userLine, place, machine, tell, signal } = preparation;
  const found = await lookAtHost(line, { place, signal });
  if (!preparation.takesOver) refuseOtherOwner(found, machine.id);
  refuseWhatCannotWork(found);
  tell({ detail: found.title });
  const facts = await installMissing(preparation, found);
  await line.check(installScript({ place, facts, machine }), { signal, timeoutMs: 60_000 });
  const user = (await userLine.check('echo "$(id -u) $(id -g)"', { signal })).trim().split(' ');
  return { facts, group: user[0] === '0' ? null : (user[1] ?? null) };
}

export async function lookAtHost(
  line: Line,
  options: { readonly place: HostPlace; readonly signal: AbortSignal },
): Promise<HostFacts> {
  return parseFacts(await line.check(factsScript(shellQuote(options.place.marker)), { signal: options.signal }));
}

export function refuseOtherOwner(facts: HostFacts, machineId: string): void {
  const { owner } = facts;
  if (owner === null || owner.id === machineId) return;
  throw new MachineError(
    'name-taken',
    `That host runs the engine of another machine already ("${owner.name}"). Remove that one first, from the computer that made it, or take it over (--generic-adopt, --local-adopt)`,
  );
}

async function installMissing(preparation: HostPreparation, facts: HostFacts): Promise<HostFacts> {
  const { line, place, tell, signal } = preparation;
  const missing = missingPrograms(facts);
  if (missing.length === 0) return facts;
  const command = installCommand(facts, missing);
  const advice = installAdvice(facts, missing);
  if (command === null) {
    throw new MachineError(
      'deploy-failed',
      `${facts.title} has no package manager that Skiff knows; install ${missing.join(', ')} there and try again${advice === '' ? '' : ` (${advice})`}`,
    );
  }
  tell({ detail: `installing ${missing.join(', ')}` });
  const result = await line.run(command, { signal, timeoutMs: 15 * 60_000 });
  if (result.exitCode !== 0) {
    const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-5).join('\n');
    throw new MachineError(
      'deploy-failed',
      `${missing.join(', ')} could not be installed on ${facts.title}: ${said}\nOn such a host: ${advice}`,
    );
  }
  const now = await lookAtHost(line, { place, signal });
  const still = missingPrograms(now);
  if (still.length > 0) {
    const old = now.programs.has('crun') && still.includes('crun') ? ` (its crun is version ${now.crunVersion})` : '';
    throw new MachineError(
      'deploy-failed',
      `${facts.title} still lacks ${still.join(', ')}${old} after \`${command}\`; on such a host: ${advice}`,
    );
  }
  return now;
}

/** Writes the service's files, each by a rename, and the marker that says whose host it is. */
export function installScript(options: {
  readonly place: HostPlace;
  readonly facts: Pick<HostFacts, 'init'>;
  readonly machine: { readonly id: string; readonly name: string };
}): string {
  const { place, facts, machine } = options;
  const { layout } = place;
  const run = layout.engineSocket.slice(0, -'/skiffd.sock'.length);
  const log = layout.engineLog.slice(0, layout.engineLog.lastIndexOf('/'));
  const folders = [place.serviceFolder, layout.deployFolder, layout.dataRoot, log].map(shellQuote).join(' ');
  const isRegistered = place.start === 'at-boot' && facts.init === 'systemd';
  return [
    `mkdir -p ${folders} || exit 1`,
    // Who may not use the socket need not see it; the group that may has to get through.
    `mkdir -p ${shellQuote(run)} && chmod 0755 ${shellQuote(run)} || exit 1`,
    `printf '%s\\n' ${shellQuote(`${machine.id} ${machine.name}`)} >${shellQuote(place.marker)} || exit 1`,
    ...serviceFiles(place, facts.init).flatMap(({ path, mode, content }) => [
      `cat >${shellQuote(`${path}.new`)} <<'SKIFF-END' || exit 1`,
      `${content}SKIFF-END`,
      `chmod ${mode} ${shellQuote(`${path}.new`)} && mv -f ${shellQuote(`${path}.new`)} ${shellQuote(path)} || exit 1`,
    ]),
    ...(isRegistered ? ['systemctl daemon-reload && systemctl enable --quiet skiffd.service || exit 1'] : []),
    `if [ -x ${shellQuote(`${layout.deployFolder}/current/run`)} ]; then ${shellQuote(`${place.serviceFolder}/engine-start`)}; fi`,
  ].join('\n');
}
