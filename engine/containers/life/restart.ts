import { EngineError } from '../../model/errors.ts';
import type { Container } from '../container.ts';
import { publishContainerEvent } from '../container-events.ts';
import type { Parts } from '../parts.ts';
import { startContainer } from './start.ts';
import { countsAsRunning } from '../state.ts';
import { stopContainer, type StopOptions } from './stop.ts';

/** Stops it if it runs, and starts it. One with `--rm` outlives it; when the engine dies in between, boot starts it. */
export async function restartContainer(parts: Parts, container: Container, options: StopOptions): Promise<void> {
  using _restart = container.beginRestart();
  if (countsAsRunning(container.state)) {
    try {
      await stopContainer(parts, container, options);
    } catch (error) {
      // It has ended by itself meanwhile.
      if (!(error instanceof EngineError && error.kind === 'not-modified')) throw error;
    }
  }
  await startContainer(parts, container);
  publishContainerEvent(parts, container, 'restart');
}
