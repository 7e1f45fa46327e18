import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { noFile } from './media-verbs.ts';
import type { PlayedVm, Register } from './register.ts';
import { readOptions, Refusal, syntaxRefusal } from './refusal.ts';

/** Verbs about machines that do not run. */

export function known(register: Register, name: string | undefined): PlayedVm {
  if (name === undefined) throw syntaxRefusal('No VM name specified');
  const vm = register.find(name);
  if (vm === null) throw new Refusal(`Could not find a registered machine named '${name}'`, 'VBOX_E_OBJECT_NOT_FOUND');
  return vm;
}

/** Only one session changes a machine; a running one is somebody's. */
function unlocked(vm: PlayedVm): PlayedVm {
  if (vm.state === 'running' || vm.state === 'paused')
    throw new Refusal(
      `The machine '${vm.name}' is already locked for a session (or being unlocked)`,
      'VBOX_E_INVALID_OBJECT_STATE',
    );
  if (vm.state === 'saved') throw new Refusal('The machine is not mutable (state is Saved)', 'VBOX_E_INVALID_VM_STATE');
  return vm;
}

export function createVm(register: Register, args: readonly string[]): string {
  const given = new Map(
    readOptions(args, {
      '--name': 1,
      '--uuid': 1,
      '--basefolder': 1,
      '--groups': 1,
      '--ostype': 1,
      '--register': 0,
    }).map(({ option, values }) => [option, values[0]]),
  );
  const [name, uuid, base] = [given.get('--name'), given.get('--uuid'), given.get('--basefolder')];
  if (name === undefined) throw syntaxRefusal('Parameter --name is required');
  if (uuid === undefined || base === undefined)
    throw syntaxRefusal('The played VBoxManage wants --uuid and --basefolder');
  // As the real one does: groups are folders.
  const folder = join(base, given.get('--groups') ?? '/', name);
  const file = join(folder, `${name}.vbox`);
  if (existsSync(file)) throw new Refusal(`Machine settings file '${file}' already exists`, 'VBOX_E_FILE_ERROR');
  if (register.find(uuid) !== null || register.find(name) !== null)
    throw new Refusal(`A machine with name '${name}' or UUID {${uuid}} already exists`, 'VBOX_E_INVALID_OBJECT_STATE');
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, '<VirtualBox/>\n');
  register.put({
    uuid,
    name,
    folder,
    state: 'poweroff',
    pid: null,
    settings: { '--groups': given.get('--groups') ?? '/' },
    controllers: [],
    disks: {},
    forwardings: {},
  });
  return `Virtual machine '${name}' is created and registered.\nUUID: ${uuid}\nSettings file: '${file}'\n`;
}

export function listVms(register: Register, [what]: readonly string[]): string {
  if (what !== 'vms') throw syntaxRefusal(`Invalid list '${what ?? ''}'`);
  return register
    .machines()
    .map(({ name, uuid }) => `"${name}" {${uuid}}\n`)
    .join('');
}

export function showVmInfo(register: Register, [name, ...args]: readonly string[]): string {
  readOptions(args, { '--machinereadable': 0 });
  const vm = known(register, name);
  const lines = [
    `name="${vm.name}"`,
    `groups="${vm.settings['--groups'] ?? '/'}"`,
    `UUID="${vm.uuid}"`,
    `memory=${vm.settings['--memory'] ?? '128'}`,
    `VMState="${vm.state}"`,
    ...vm.controllers.map((controller, at) => `storagecontrollername${at}="${controller.name}"`),
    ...vm.controllers.flatMap((controller) =>
      Array.from({ length: controller.ports }, (_, port) => `${controller.name}-${port}-0`).map(
        (place) => `"${place}"="${vm.disks[place] ?? 'none'}"`,
      ),
    ),
    ...Object.values(vm.forwardings).map((rule, at) => `Forwarding(${at})="${rule}"`),
  ];
  return `${lines.join('\n')}\n`;
}

const single = [
  '--cpus --memory --firmware --ioapic --rtcuseutc --paravirtprovider --graphicscontroller --vram --audio-enabled',
  '--nic1 --nictype1 --cableconnected1',
]
  .join(' ')
  .split(' ');

export function modifyVm(register: Register, [name, ...args]: readonly string[]): string {
  const vm = unlocked(known(register, name));
  if (args[0] === '--natpf1' && args[1] === 'delete') {
    register.put(withoutForwarding(vm, args[2] ?? ''));
    return '';
  }
  const names = {
    ...Object.fromEntries(single.map((option) => [option, 1])),
    '--natpf1': 1,
    '--uart1': 2,
    '--uartmode1': 2,
  };
  let next = vm;
  for (const { option, values } of readOptions(args, names)) {
    const value = values.join(' ');
    next =
      option === '--natpf1'
        ? withForwarding(next, value)
        : { ...next, settings: { ...next.settings, [option]: value } };
  }
  register.put(next);
  return '';
}

export function withForwarding(vm: PlayedVm, rule: string): PlayedVm {
  const [name = ''] = rule.split(',');
  if (Object.hasOwn(vm.forwardings, name))
    throw new Refusal('A NAT rule of this name already exists', 'VBOX_E_INVALID_OBJECT_STATE');
  return { ...vm, forwardings: { ...vm.forwardings, [name]: rule } };
}

export function withoutForwarding(vm: PlayedVm, name: string): PlayedVm {
  if (!Object.hasOwn(vm.forwardings, name))
    throw new Refusal(`Code E_INVALIDARG: no NAT rule '${name}'`, 'E_INVALIDARG');
  const { [name]: _gone, ...forwardings } = vm.forwardings;
  return { ...vm, forwardings };
}

export function storageCtl(register: Register, [vmName, ...args]: readonly string[]): string {
  const vm = unlocked(known(register, vmName));
  const names = { '--name': 1, '--add': 1, '--controller': 1, '--portcount': 1, '--bootable': 1 };
  const given = new Map(readOptions(args, names).map(({ option, values }) => [option, values[0]]));
  const name = given.get('--name') ?? '';
  if (vm.controllers.some((controller) => controller.name === name))
    throw new Refusal(`Storage controller named '${name}' already exists`, 'VBOX_E_OBJECT_IN_USE');
  register.put({ ...vm, controllers: [...vm.controllers, { name, ports: Number(given.get('--portcount') ?? 1) }] });
  return '';
}

export function storageAttach(register: Register, [vmName, ...args]: readonly string[]): string {
  const vm = unlocked(known(register, vmName));
  const one = ['--storagectl', '--port', '--device', '--type', '--medium', '--nonrotational', '--discard'];
  const names = Object.fromEntries(one.map((option) => [option, 1]));
  const given = new Map(readOptions(args, names).map(({ option, values }) => [option, values[0]]));
  const [name, port, medium] = [given.get('--storagectl'), Number(given.get('--port')), given.get('--medium')];
  const controller = vm.controllers.find((candidate) => candidate.name === name);
  if (controller === undefined)
    throw new Refusal(`Could not find a storage controller named '${name ?? ''}'`, 'VBOX_E_OBJECT_NOT_FOUND');
  if (!(port < controller.ports)) throw new Refusal(`Invalid port ${port}`, 'E_INVALIDARG');
  const place = `${controller.name}-${port}-0`;
  const { [place]: _before, ...others } = vm.disks;
  if (medium === undefined || medium === 'none') {
    register.put({ ...vm, disks: others });
    return '';
  }
  if (!existsSync(medium)) throw noFile(medium);
  if (register.isAttached(medium))
    throw new Refusal(`Medium '${medium}' is already attached to another virtual machine`, 'VBOX_E_OBJECT_IN_USE');
  register.openMedium(medium);
  register.put({ ...vm, disks: { ...others, [place]: resolve(medium) } });
  return '';
}

export function unregisterVm(register: Register, [name, ...args]: readonly string[]): string {
  readOptions(args, { '--delete': 0 });
  const vm = known(register, name);
  if (vm.state === 'running' || vm.state === 'paused')
    throw new Refusal(`Cannot unregister the machine '${vm.name}' while it is locked`, 'VBOX_E_INVALID_OBJECT_STATE');
  register.remove(vm);
  if (args.includes('--delete')) {
    for (const disk of Object.values(vm.disks)) rmSync(disk, { force: true });
    rmSync(vm.folder, { recursive: true, force: true });
  }
  return '';
}
