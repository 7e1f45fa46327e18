import type { Machine, MachineState } from '../../../provisioners/machines.ts';
import { flag } from '../../flags/flag.ts';
import { filterFlag } from '../../flags/filters.ts';
import { rowLines } from '../../formats/rows.ts';
import type { RowFormat } from '../../formats/rows.ts';
import { writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

type MachineField = 'Name' | 'Active' | 'DriverName' | 'State' | 'URL' | 'DockerVersion' | 'Error';

const machineFormat: RowFormat<MachineField> = {
  titles: {
    Name: 'NAME',
    Active: 'ACTIVE',
    DriverName: 'DRIVER',
    State: 'STATE',
    URL: 'URL',
    DockerVersion: 'ENGINE',
    Error: 'ERRORS',
  },
  table: ['Name', 'Active', 'DriverName', 'State', 'URL', 'DockerVersion', 'Error'],
  quiet: 'Name',
};

const stateNames: Readonly<Record<MachineState, string>> = {
  creating: 'Creating',
  'create-failed': 'Create failed',
  stopped: 'Stopped',
  starting: 'Starting',
  running: 'Running',
  stopping: 'Stopping',
  paused: 'Paused',
  suspended: 'Saved',
  removing: 'Removing',
  'remove-failed': 'Remove failed',
  unknown: 'Error',
};

/** As docker-machine prints it: `Running`, `Stopped`, `Error`. */
export function stateName(state: MachineState): string {
  return stateNames[state];
}

export const ls = defineVerb({
  usage: '[OPTIONS]',
  summary: 'List machines',
  flags: {
    filter: filterFlag('Filter output based on conditions provided: driver=, state=, name='),
    format: flag.text({ short: 'f', help: 'Format output: table, json, a Go template, or table with a template' }),
    timeout: flag.integer({
      short: 't',
      help: 'Seconds to wait for a machine that does not answer (default: a fifth of one)',
    }),
    quiet: flag.switch({ short: 'q', help: 'Enable quiet mode: only names' }),
  },
  max: 0,
  async run({ flags, context }) {
    const tests = Object.entries(flags.filter).map(([key, values]) => filterOf(key, values));
    const { timeout } = flags;
    const patience = timeout === undefined ? {} : { patienceMs: Math.max(timeout, 0.2) * 1_000 };
    const all = await (await context.machines()).list(patience);
    const machines = all.filter((machine) => tests.every((test) => test(machine)));
    const active = context.environment['DOCKER_HOST'];
    const rows = machines.map((machine) => ({
      Name: machine.name,
      Active: active !== undefined && active === machine.dockerHost ? '*' : '-',
      DriverName: machine.driver,
      State: stateName(machine.state),
      URL: machine.state === 'running' ? machine.dockerHost : '',
      DockerVersion: machine.engineVersion === null ? 'Unknown' : `v${machine.engineVersion}`,
      Error: machine.error?.split('\n', 1)[0] ?? '',
    }));
    await writeLines(context.stdout, rowLines(machineFormat, rows, { isQuiet: flags.quiet, format: flags.format }));
    return 0;
  },
});

function filterOf(key: string, values: readonly string[]): (machine: Machine) => boolean {
  switch (key) {
    case 'driver':
      return ({ driver }) => values.includes(driver);
    case 'state':
      return ({ state }) =>
        values.some((value) => value.toLowerCase() === stateName(state).toLowerCase() || value === state);
    case 'name': {
      const patterns = values.map(patternOf);
      return ({ name }) => patterns.some((pattern) => pattern.test(name));
    }
    default:
      throw new CommandError(`Unsupported filter key '${key}'; use driver, state or name`);
  }
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new CommandError(`filter name=${text} is no regular expression`, { cause: error });
  }
}
