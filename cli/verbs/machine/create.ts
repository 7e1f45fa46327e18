import { flag } from '../../flags/flag.ts';
import { parseMemory } from '../../formats/sizes.ts';
import { describeError, writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import { isMachineError, runOperation } from './operation.ts';

/** docker-machine's, for a computer on which the machine cannot be made at all. */
const preCreateFailure = 3;

export const create = defineVerb({
  usage: '[OPTIONS] [NAME]',
  summary: 'Create a machine (named "default" when no name is given)',
  flags: {
    cpus: flag.integer({ help: 'Number of processors of the machine' }),
    disk: flag.value({ help: 'Size of its disk (20g)' }, 'bytes', parseMemory),
    driver: flag.text({ short: 'd', help: 'Driver to create the machine with (default: the best for this computer)' }),
    memory: flag.value({ help: 'Size of its memory (2g)' }, 'bytes', parseMemory),
  },
  max: 1,
  async run({ flags: { cpus, memory, disk, driver }, args: [name = 'default'], context }) {
    const machines = await context.machines();
    const settings = {
      ...(cpus === undefined ? {} : { cpus }),
      ...(memory === undefined ? {} : { memoryBytes: memory }),
      ...(disk === undefined ? {} : { diskBytes: disk }),
    };
    const wanted = driver ?? context.environment['MACHINE_DRIVER'];
    try {
      const request = { name, settings, ...(wanted ? { driver: wanted } : {}) };
      const machine = await runOperation(context, (operation) => machines.create(request, operation));
      await writeLines(context.stdout, [
        `Machine "${name}" is running.`,
        `Run a container in it: skiff ${name === 'default' ? '' : `--machine ${name} `}run hello`,
        ...(machine.dockerContext === null
          ? []
          : [`Docker's own tools find it as: docker --context ${machine.dockerContext}`]),
      ]);
      return 0;
    } catch (error) {
      if (!isMachineError(error)) throw error;
      if (error.code === 'driver-unavailable') {
        throw new CommandError(describeError(error), { cause: error, exitCode: preCreateFailure });
      }
      if (error.code !== 'aborted') throw error;
      const message = `Interrupted. Go on with: skiff machine create ${name}. Clean up with: skiff machine rm ${name}`;
      throw new CommandError(message, { cause: error, exitCode: 130 });
    }
  },
});
