import type { PlayedCall, PlayedOutcome } from '../played-command.ts';
import type { Register } from './register.ts';
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

export async function playVBoxManage(
  { words: [name = '', ...args] }: PlayedCall,
  { register, version }: { readonly register: Register; readonly version: string },
): Promise<PlayedOutcome> {
  if (name === '--version') return { exitCode: 0, stdout: version };
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
        return 'dies';
      case 'hangs':
        return 'hangs';
      case 'killed-after':
      case null:
    }
    const verb = verbs.get(name);
    if (verb === undefined) throw syntaxRefusal(`Invalid command '${name}'`);
    const stdout = await verb(register, args);
    return fault === 'killed-after' ? 'dies' : { exitCode: 0, stdout };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return fault === 'killed-after' ? 'dies' : { exitCode: error.exitCode, stderr: error.text };
  }
}
