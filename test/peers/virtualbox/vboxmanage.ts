import { once } from 'node:events';
import { Register } from './register.ts';
import { createVm, listVms, modifyVm, showVmInfo, storageAttach, storageCtl, unregisterVm } from './machine-verbs.ts';
import { cloneMedium, closeMedium, convertFromRaw, createMedium, modifyMedium, showMediumInfo } from './media-verbs.ts';
import { Refusal, syntaxRefusal } from './refusal.ts';
import { controlVm, discardState, startVm } from './running-verbs.ts';

/**
 * A played VBoxManage 7.0, written from its manual: it keeps machines and disks, refuses what the real one refuses in its own
 * words, and has a real sshd behind a machine that runs. It knows the verbs and options that the driver needs and no others.
 */

type Verb = (register: Register, args: readonly string[]) => string | Promise<string>;

const verbs: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  ['createvm', createVm],
  ['list', listVms],
  ['showvminfo', showVmInfo],
  ['modifyvm', modifyVm],
  ['storagectl', storageCtl],
  ['storageattach', storageAttach],
  ['unregistervm', unregisterVm],
  ['createmedium', createMedium],
  ['closemedium', closeMedium],
  ['showmediuminfo', showMediumInfo],
  ['modifymedium', modifyMedium],
  ['clonemedium', cloneMedium],
  ['convertfromraw', convertFromRaw],
  ['startvm', startVm],
  ['controlvm', controlVm],
  ['discardstate', discardState],
]);

async function main(): Promise<number> {
  const [name = '', ...args] = process.argv.slice(2);
  if (name === '--version') {
    process.stdout.write(process.env['PLAYED_VIRTUALBOX_VERSION'] ?? '7.0.20r163906\n');
    return 0;
  }
  const home = process.env['VBOX_USER_HOME'];
  if (home === undefined) throw new Error('the played VBoxManage needs VBOX_USER_HOME');
  const register = new Register(home);
  const fault = register.faults.take(name);
  try {
    switch (fault) {
      case 'locked':
        throw new Refusal(
          "The machine 'x' is already locked by a session (or being locked or unlocked)",
          'VBOX_E_INVALID_OBJECT_STATE',
        );
      case 'no-space':
        throw new Refusal('Could not create the medium storage unit. VERR_DISK_FULL', 'VBOX_E_FILE_ERROR');
      case 'no-virtualisation':
        throw new Refusal(
          'VT-x is disabled in the BIOS for all CPU modes (VERR_VMX_MSR_ALL_VMX_DISABLED)',
          'NS_ERROR_FAILURE',
        );
      case 'killed-before':
        process.kill(process.pid, 'SIGKILL');
        break;
      case 'hangs':
        // Until it is ended: an open pipe keeps it, a listener for a signal alone would not.
        process.stdin.resume();
        await once(process, 'SIGTERM');
        return 143;
      case 'killed-after':
      case null:
    }
    const verb = verbs.get(name);
    if (verb === undefined) throw syntaxRefusal(`Invalid command '${name}'`);
    const said = await verb(register, args);
    if (fault === 'killed-after') process.kill(process.pid, 'SIGKILL');
    process.stdout.write(said);
    return 0;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (fault === 'killed-after') process.kill(process.pid, 'SIGKILL');
    process.stderr.write(error.text);
    return error.exitCode;
  }
}

process.exitCode = await main();
