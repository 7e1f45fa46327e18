import { flag } from '../../flags/flag.ts';
import { forEachName } from '../../report.ts';
import { defineVerb } from '../../verb.ts';

/** The verbs that do one thing to each of several containers. */

const stopFlags = {
  signal: flag.text({ short: 's', help: 'Signal to send to the container' }),
  timeout: flag.integer({ short: 't', help: 'Seconds to wait before killing the container' }),
  time: flag.hidden(flag.integer({ help: 'The old name of --timeout' })),
};

export const stop = defineVerb({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Stop one or more running containers',
  flags: stopFlags,
  min: 1,
  offers: ['running-container'],
  run: ({ flags: { signal, timeout, time }, args, context }) =>
    forEachName(args, context, async (name) => {
      await context.engine.containers.stop(name, { signal, timeoutSeconds: timeout ?? time });
    }),
});

export const restart = defineVerb({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Restart one or more containers',
  flags: stopFlags,
  min: 1,
  offers: ['container'],
  run: ({ flags: { signal, timeout, time }, args, context }) =>
    forEachName(args, context, (name) =>
      context.engine.containers.restart(name, { signal, timeoutSeconds: timeout ?? time }),
    ),
});

export const kill = defineVerb({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Kill one or more running containers',
  flags: { signal: flag.text({ short: 's', help: 'Signal to send to the container' }) },
  min: 1,
  offers: ['running-container'],
  run: ({ flags, args, context }) =>
    forEachName(args, context, (name) => context.engine.containers.kill(name, flags.signal)),
});

export const pause = defineVerb({
  usage: 'CONTAINER [CONTAINER...]',
  summary: 'Pause all processes within one or more containers',
  flags: {},
  min: 1,
  offers: ['running-container'],
  run: ({ args, context }) => forEachName(args, context, (name) => context.engine.containers.pause(name)),
});

export const unpause = defineVerb({
  usage: 'CONTAINER [CONTAINER...]',
  summary: 'Unpause all processes within one or more containers',
  flags: {},
  min: 1,
  offers: ['container'],
  run: ({ args, context }) => forEachName(args, context, (name) => context.engine.containers.unpause(name)),
});

export const wait = defineVerb({
  usage: 'CONTAINER [CONTAINER...]',
  summary: 'Block until one or more containers stop, then print their exit codes',
  flags: {},
  min: 1,
  run: ({ args, context }) =>
    forEachName(args, context, async (name) => {
      using waiting = await context.engine.containers.wait(name);
      const { StatusCode, Error: failure } = await waiting.answer;
      if (failure) throw new Error(failure.Message);
      return String(StatusCode);
    }),
});
