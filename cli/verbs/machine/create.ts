import type { CreateMachine, DriverInfo, Machine } from '../../../provisioners/machines.ts';
import type { SettingField } from '../../../provisioners/settings/setting.ts';
import { flag } from '../../flags/flag.ts';
import { describeError, writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context, Verb } from '../../verb.ts';
import { isMachineError, runOperation } from './operation.ts';
import { flagsOf, givenSettings } from './setting-flags.ts';

/** docker-machine's, for a computer on which the machine cannot be made at all. */
const preCreateFailure = 3;

const keepFlag = {
  keepSecrets: flag.switch({
    help: 'Keep the secrets that later commands need: in the keychain of this computer, else in a file that you alone may read',
  }),
};

const driverFlag = {
  driver: flag.text({ short: 'd', help: 'Driver to create the machine with (default: the best for this computer)' }),
};

/** Its flags are those of the driver that is chosen: `skiff machine create --driver generic --help` shows them. */
export const create: Verb = {
  summary: 'Create a machine (named "default" when no name is given)',
  flags: driverFlag,
  offers: [],
  stopAt: 'end',
  async execute(name, words, context) {
    const drivers = await (await context.machines()).drivers();
    const wanted = wantedDriver(words) ?? context.environment['MACHINE_DRIVER'];
    return createWith(settingsOf(drivers, wanted), drivers).execute(name, words, context);
  },
};

/** A host that runs already, also one whose engine another computer's Skiff brought there. */
export const adopt: Verb = {
  summary: 'Take over a Linux host by SSH: the engine that is there goes on, or one is brought there',
  flags: {},
  offers: [],
  stopAt: 'end',
  async execute(name, words, context) {
    const drivers = await (await context.machines()).drivers();
    const flags = ['--driver', 'generic', '--generic-adopt'];
    return createWith(settingsOf(drivers, 'generic'), drivers).execute(name, [...flags, ...words], context);
  },
};

function createWith(fields: readonly SettingField[], drivers: readonly DriverInfo[]): Verb {
  return defineVerb({
    usage: '[OPTIONS] [NAME]',
    summary: create.summary,
    details: `Drivers: ${drivers.map(({ name, unavailable }) => (unavailable === null ? name : `${name} (not usable here)`)).join(', ')}`,
    flags: { ...driverFlag, ...(fields.some(({ isLasting }) => isLasting) ? keepFlag : {}), ...flagsOf(fields) },
    max: 1,
    async run({ flags, args: [name = 'default'], context }) {
      const { environment } = context;
      const driver = flags.driver ?? environment['MACHINE_DRIVER'];
      const settings = givenSettings(fields, { flags, environment });
      const keepsSecrets = 'keepSecrets' in flags && flags.keepSecrets === true;
      const machine = await make(context, { name, settings, keepsSecrets, ...(driver ? { driver } : {}) });
      await writeLines(context.stdout, [
        `Machine "${name}" is running.`,
        `Run a container in it: skiff ${name === 'default' ? '' : `--machine ${name} `}run hello`,
        ...(machine.dockerContext === null
          ? []
          : [`Docker's own tools find it as: docker --context ${machine.dockerContext}`]),
      ]);
      return 0;
    },
  });
}

async function make(context: Context, request: Parameters<typeof createMachine>[1]): Promise<Machine> {
  try {
    return await createMachine(context, request);
  } catch (error) {
    if (!isMachineError(error)) throw error;
    if (error.code === 'driver-unavailable') {
      throw new CommandError(describeError(error), { cause: error, exitCode: preCreateFailure });
    }
    if (error.code !== 'aborted') throw error;
    const { name } = request;
    const message = `Interrupted. Go on with: skiff machine create ${name}. Clean up with: skiff machine rm ${name}`;
    throw new CommandError(message, { cause: error, exitCode: 130 });
  }
}

async function createMachine(context: Context, request: CreateMachine): Promise<Machine> {
  const machines = await context.machines();
  return runOperation(context, (operation) => machines.create(request, operation));
}

/** Looked for before the flags are known: which they are depends on it. */
function wantedDriver(words: readonly string[]): string | undefined {
  for (const [index, word] of words.entries()) {
    if (word === '-d' || word === '--driver') return words[index + 1];
    const [, attached] = /^(?:--driver=|-d=?)(.+)$/.exec(word) ?? [];
    if (attached !== undefined) return attached;
  }
  return undefined;
}

/** Of a driver that there is not, those of all: the better error is that there is no such driver. */
function settingsOf(drivers: readonly DriverInfo[], wanted: string | undefined): readonly SettingField[] {
  const chosen =
    wanted === undefined
      ? (drivers.find(({ unavailable, isAutomatic }) => isAutomatic && unavailable === null) ?? drivers[0])
      : drivers.find(({ name }) => name === wanted);
  if (chosen !== undefined) return chosen.settings;
  const all = new Map(drivers.flatMap(({ settings }) => settings).map((field) => [field.flag, field]));
  return [...all.values()];
}
