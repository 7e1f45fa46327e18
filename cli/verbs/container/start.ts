import { flag } from '../../flags/flag.ts';
import { describeError, writeLines } from '../../report.ts';
import { checkTerminal } from '../../terminal/join-container.ts';
import { runContainer } from '../../terminal/run-container.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

export const start = defineVerb({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Start one or more stopped containers',
  flags: {
    attach: flag.switch({ short: 'a', help: 'Attach STDOUT/STDERR and forward signals' }),
    detachKeys: flag.text({ help: 'Override the key sequence for detaching a container' }),
    interactive: flag.switch({ short: 'i', help: "Attach container's STDIN" }),
    sigProxy: flag.switch({ help: 'Proxy received signals to the process', initial: true }),
  },
  min: 1,
  offers: ['stopped-container'],
  missing: ['checkpoint', 'checkpoint-dir'],
  async run({ flags, args, context }) {
    const { containers } = context.engine;
    if (flags.attach || flags.interactive) {
      if (args.length > 1) throw new CommandError('you cannot start and attach multiple containers at once');
      const { Id, Config, HostConfig } = await containers.inspect(args[0] ?? '');
      const join = {
        hasTerminal: Config.Tty ?? false,
        stdin: flags.interactive && (Config.OpenStdin ?? false),
        detachKeys: flags.detachKeys,
      };
      checkTerminal(context, join);
      return runContainer(context, Id, {
        ...join,
        stdout: true,
        stderr: true,
        isRemovedAtExit: HostConfig.AutoRemove ?? false,
        forwardsSignals: flags.sigProxy,
      });
    }
    const failed: string[] = [];
    // One after the other: containers are often named in the order in which they need each other.
    for (const name of args) {
      try {
        await containers.start(name);
        await writeLines(context.stdout, [name]);
      } catch (error) {
        failed.push(name);
        await writeLines(context.stderr, [describeError(error)]);
      }
    }
    if (failed.length > 0) throw new CommandError(`failed to start containers: ${failed.join(', ')}`);
    return 0;
  },
});
