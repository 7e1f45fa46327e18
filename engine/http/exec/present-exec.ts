import type { ExecInspect } from '../../../api/exec.ts';
import type { Exec } from '../../exec/exec.ts';

export function presentExec({ id, container, spec, state }: Exec): ExecInspect {
  const { attached } = spec;
  return {
    ID: id,
    Running: state.status === 'running',
    ExitCode: state.status === 'ended' ? state.exitCode : null,
    ProcessConfig: {
      tty: spec.hasTerminal,
      entrypoint: spec.command[0] ?? '',
      arguments: spec.command.slice(1),
      privileged: spec.isPrivileged,
      ...(spec.user === '' ? {} : { user: spec.user }),
    },
    OpenStdin: attached.stdin,
    OpenStdout: attached.stdout,
    OpenStderr: attached.stderr,
    CanRemove: false,
    ContainerID: container.id,
    DetachKeys: spec.detachKeys,
    Pid: state.status === 'running' || state.status === 'ended' ? state.pid : 0,
  };
}
