import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Cmdlet, PlayedObject } from './cmdlet.ts';
import { isInUse } from './disk-cmdlets.ts';
import type { PlayedHost, PlayedVm } from './host.ts';
import { switches } from './host.ts';
import type { Given } from './parameters.ts';
import { bind } from './parameters.ts';
import { invalidState, Refusal } from './refusal.ts';

/** Cmdlets about machines that stand still, and their parts. Objects know their machine by `VMId`, as the real ones do. */

export const machineCmdlets: Readonly<Record<string, Cmdlet>> = {
  'Get-VM': (host, values) => {
    const given = bind(values, { Id: 'text' });
    if (!given.has('Id')) return host.vms().map(vmObject);
    const vm = host.find(given.text('Id'));
    if (vm === null)
      throw new Refusal(
        'InvalidParameter',
        `Hyper-V was unable to find a virtual machine with id "${given.text('Id')}".`,
      );
    return [vmObject(vm)];
  },

  'Get-VMSwitch': (_host, values) => {
    bind(values, {});
    return switches;
  },

  'New-VM': (host, values) => {
    const given = bind(values, {
      Name: 'text',
      Path: 'text',
      Generation: 'integer',
      MemoryStartupBytes: 'integer',
      NoVHD: 'switch',
    });
    const [name, memoryBytes] = [given.text('Name'), given.integer('MemoryStartupBytes')];
    if (name.length > 100) throw new Refusal('InvalidParameter', 'The name is longer than 100 characters.');
    if (given.integer('Generation') !== 2)
      throw new Refusal('InvalidParameter', 'The played Hyper-V makes generation 2 alone.');
    if (memoryBytes % (2 * 1024 ** 2) !== 0)
      throw new Refusal('InvalidParameter', 'The memory is not a multiple of 2 MB.');
    const path = join(given.text('Path'), name);
    mkdirSync(join(path, 'Virtual Machines'), { recursive: true });
    const vm: PlayedVm = {
      id: randomUUID(),
      name,
      path,
      state: 'Off',
      pid: null,
      memoryBytes,
      processors: 1,
      mac: '',
      switchName: null,
      disks: [],
      isSecureBoot: true,
      firstDisk: null,
    };
    host.put(vm);
    return [vmObject(vm)];
  },

  'Set-VM': (host, values) => {
    const given = bind(values, {
      VM: 'object',
      ProcessorCount: 'integer',
      StaticMemory: 'switch',
      MemoryStartupBytes: 'integer',
      AutomaticStartAction: 'text',
      AutomaticStopAction: 'text',
      CheckpointType: 'text',
    });
    const vm = standing(host, given);
    if (given.integer('MemoryStartupBytes') % (2 * 1024 ** 2) !== 0)
      throw new Refusal('InvalidParameter', 'The memory is not a multiple of 2 MB.');
    host.put({ ...vm, processors: given.integer('ProcessorCount'), memoryBytes: given.integer('MemoryStartupBytes') });
    return [];
  },

  'Get-VMNetworkAdapter': (host, values) => {
    const { id, mac } = vmOf(host, bind(values, { VM: 'object' }));
    return [{ VMId: id, Name: 'Network Adapter', MacAddress: mac }];
  },

  'Set-VMNetworkAdapter': (host, values) => {
    const given = bind(values, { VMNetworkAdapter: 'object', StaticMacAddress: 'text' });
    const vm = standing(host, given, 'VMNetworkAdapter');
    const mac = given.text('StaticMacAddress');
    // The first byte's lowest bit is that of groups.
    if (!/^[0-9A-F][02468ACE][0-9A-F]{10}$/.test(mac))
      throw new Refusal('InvalidParameter', `'${mac}' is not a MAC address.`);
    host.put({ ...vm, mac });
    return [];
  },

  'Connect-VMNetworkAdapter': (host, values) => {
    const given = bind(values, { VMNetworkAdapter: 'object', SwitchName: 'text' });
    const name = given.text('SwitchName');
    if (!switches.some(({ Name }) => Name === name))
      throw new Refusal('InvalidParameter', `Hyper-V was unable to find a virtual switch with name "${name}".`);
    host.put({ ...vmOf(host, given, 'VMNetworkAdapter'), switchName: name });
    return [];
  },

  'Get-VMHardDiskDrive': (host, values) => {
    const given = bind(values, { VM: 'object', ...placeParameters });
    const { id, disks } = vmOf(host, given);
    return disks
      .filter(({ place }) => !given.has('ControllerLocation') || place === given.integer('ControllerLocation'))
      .map(({ place, path }) => ({ VMId: id, ControllerLocation: place, Path: path }));
  },

  'Add-VMHardDiskDrive': (host, values) => {
    const given = bind(values, { VM: 'object', Path: 'text', ...placeParameters });
    const vm = vmOf(host, given);
    const [path, place] = [given.text('Path'), given.integer('ControllerLocation')];
    if (given.text('ControllerType') !== 'SCSI' || given.integer('ControllerNumber') !== 0)
      throw new Refusal('InvalidParameter', 'The machine has one SCSI controller, 0.');
    if (vm.disks.some((disk) => disk.place === place))
      throw new Refusal('InvalidOperation', `There is a drive at location ${place} of controller 0 already.`);
    if (!path.endsWith('.vhdx'))
      throw new Refusal('InvalidParameter', 'A machine of generation 2 has VHDX disks alone.');
    if (!existsSync(path))
      throw new Refusal('OperationFailed', `The system cannot find the file '${path}'. (0x80070002)`);
    if (isInUse(host, path))
      throw new Refusal('OperationFailed', `'${path}' is being used by another process. (0x80070020)`);
    host.put({ ...vm, disks: [...vm.disks, { place, path, inode: statSync(path).ino }] });
    return [];
  },

  'Remove-VMHardDiskDrive': (host, values) => {
    const given = bind(values, { VMHardDiskDrive: 'object' });
    const places = new Set(listOf(given.object('VMHardDiskDrive')).map((drive) => drive['ControllerLocation']));
    const vm = standing(host, given, 'VMHardDiskDrive');
    host.put({ ...vm, disks: vm.disks.filter(({ place }) => !places.has(place)) });
    return [];
  },

  'Set-VMFirmware': (host, values) => {
    const given = bind(values, { VM: 'object', EnableSecureBoot: 'text', FirstBootDevice: 'object' });
    const first = listOf(given.object('FirstBootDevice'))[0]?.['ControllerLocation'];
    if (typeof first !== 'number') throw new Refusal('InvalidParameter', 'That is no boot device of this machine.');
    host.put({ ...standing(host, given), isSecureBoot: given.text('EnableSecureBoot') === 'On', firstDisk: first });
    return [];
  },

  'Remove-VM': (host, values) => {
    const vm = vmOf(host, bind(values, { VM: 'object', Force: 'switch' }));
    if (vm.state !== 'Off') throw invalidState(vm.name);
    host.remove(vm);
    rmSync(vm.path, { recursive: true, force: true });
    return [];
  },
};

const placeParameters = { ControllerType: 'text', ControllerNumber: 'integer', ControllerLocation: 'integer' } as const;

function vmObject({ id, name, state }: PlayedVm): PlayedObject {
  return { VMId: id, Id: id.toUpperCase(), Name: name, State: state };
}

/** One object or several, as the cmdlet before gave them. */
function listOf(value: unknown): readonly PlayedObject[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((one) => {
    if (typeof one !== 'object' || one === null)
      throw new Refusal('CannotConvertArgumentNoMessage', 'That is no object.');
    return { ...one };
  });
}

export function vmOf(host: PlayedHost, given: Given, parameter = 'VM'): PlayedVm {
  const id = listOf(given.object(parameter))[0]?.['VMId'];
  const vm = typeof id === 'string' ? host.find(id) : null;
  if (vm === null) throw new Refusal('ObjectNotFound', 'The object is no longer there.');
  return vm;
}

/** What cannot be changed while a machine runs or is saved. */
function standing(host: PlayedHost, given: Given, parameter = 'VM'): PlayedVm {
  const vm = vmOf(host, given, parameter);
  if (vm.state !== 'Off') throw invalidState(vm.name);
  return vm;
}
