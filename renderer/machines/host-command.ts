import type { AppInfo } from '../../desktop/contract/app.ts';
import { shellLine } from '../containers/run-form.ts';

/** What makes docker clients of one terminal use that machine: for PowerShell on Windows, for a POSIX shell elsewhere. Paths may hold spaces. */
export function hostCommand(options: { readonly host: string; readonly platform: AppInfo['platform'] }): string {
  const { host, platform } = options;
  if (platform === 'win32') return `$Env:DOCKER_HOST = '${host.replaceAll("'", "''")}'`;
  return `export DOCKER_HOST=${shellLine([host])}`;
}
