import { flag } from '../../flags/flag.ts';
import { writeLines } from '../../report.ts';
import { checkTerminal, followSize, forwardSignals, joinContainer } from '../../terminal/join-container.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

export const attach = defineVerb({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Attach local standard input, output, and error streams to a running container',
  flags: {
    detachKeys: flag.text({ help: 'Override the key sequence for detaching a container' }),
    noStdin: flag.switch({ help: 'Do not attach STDIN' }),
    sigProxy: flag.switch({ help: 'Proxy all received signals to the process', initial: true }),
  },
  min: 1,
  max: 1,
  offers: ['running-container'],
  async run({ flags, args: [name = ''], context }) {
    const { engine } = context;
    const { Id, Config, State } = await engine.containers.inspect(name);
    if (!State.Running) throw new CommandError('You cannot attach to a stopped container, start it first');
    if (State.Paused) throw new CommandError('You cannot attach to a paused container, unpause it first');
    if (State.Restarting)
      throw new CommandError('You cannot attach to a restarting container, wait until it is running');
    const stdin = !flags.noStdin && (Config.OpenStdin ?? false);
    const join = { hasTerminal: Config.Tty ?? false, stdin, detachKeys: flags.detachKeys };
    checkTerminal(context, join);
    using wait = await engine.containers.wait(Id);
    const keys = flags.detachKeys ? { detachKeys: flags.detachKeys } : {};
    using session = await engine.containers.attach(Id, { stdin, stdout: true, stderr: true, ...keys });
    const givenUp = Promise.withResolvers<'given-up'>();
    using _signals =
      flags.sigProxy && !join.hasTerminal
        ? forwardSignals(context, { engine, id: Id, onGivenUp: () => givenUp.resolve('given-up') })
        : null;
    using _size = join.hasTerminal ? followSize(context, (size) => engine.containers.resize(Id, size)) : null;
    const outcome = await Promise.race([joinContainer(context, session, join), givenUp.promise]);
    if (outcome === 'given-up') return 1;
    if (outcome === 'detached') {
      await writeLines(context.stderr, ['read escape sequence']);
      return 0;
    }
    return (await wait.answer).StatusCode;
  },
});
