import { join } from 'node:path';
import { runProgram, skiffCommand } from '../peers/program.ts';
import type { Step } from './cli-likeness.ts';

export type Side = 'd' | 's';

export interface Said {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Plays steps by docker's CLI and by skiff, each side with logins and names of its own in the folder `home`. Words like `$REG` are replaced by what
 * `places` says.
 */
export function sideRunner(parts: {
  readonly host: string;
  readonly home: string;
  readonly places?: Readonly<Record<string, string>>;
}): (program: 'docker' | 'skiff', side: Side, step: Step) => Promise<Said> {
  const { host, home, places = {} } = parts;
  return async (program, side, step) => {
    const [file, ...before] = program === 'docker' ? ['docker'] : skiffCommand;
    const words = step.map((word) => {
      const placed = Object.entries(places).reduce((text, [place, value]) => text.replaceAll(place, value), word);
      return placed.replaceAll('@@', side === 'd' ? '1' : '2').replaceAll('@', side);
    });
    const { exitCode, stdout, stderr } = await runProgram(file ?? '', [...before, '-H', host, ...words], {
      input: 'some input\n',
      environment: { SKIFF_HOME: home, DOCKER_CONFIG: join(home, `config-${side}`) },
    });
    return { exitCode, stdout: neutral(stdout), stderr: neutral(stderr) };
  };
}

/** Without what may differ: names of the sides and programs, ids, process ids, addresses; and what docker prints by mistake. */
function neutral(text: string): string {
  return (
    text
      .replaceAll(/\bl[ds](?=[- ][a-z])/g, 'l@')
      .replaceAll(/(?<=\b(?:like|prune)(?:=|":"))[ds]\b/g, '@')
      .replaceAll(/(?<=^l@-\S+ .*) [ds]$/gm, ' @')
      .replaceAll(/10\.211\.\d\./g, '10.211.@.')
      .replaceAll(/\b(docker|skiff)(?=[ :'])/g, 'PROGRAM')
      .replaceAll(/\b(See|SRun)(?= ')/g, 'Run')
      .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID64')
      .replaceAll(/\b[0-9a-f]{12}\b/g, 'ID12')
      .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
      .replaceAll(/config-[ds](?=\/)/g, 'config-@')
      // One side may look when a minute is full, the other just before.
      .replaceAll(/(?:Less than a second|About a minute|\d+ (?:second|minute)s?) ago */g, 'SOON ')
      .replaceAll(/(?<=\bCREATED) {2,}/g, '  ')
      .replaceAll(/^\d+ +(?=sleep 1000$)/gm, 'PID ')
      .replaceAll(/^exit status 1\n/gm, '')
      // docker prints labels in the order of a Go map, which differs from call to call.
      .replaceAll(/(?<="Labels":")[^"]*/g, (labels) => labels.split(',').sort().join(','))
      .replaceAll(/^(Usage: {2}PROGRAM volume) COMMAND$/gm, '$1')
  );
}
