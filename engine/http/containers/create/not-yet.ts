import { notImplemented } from '../../../model/errors.ts';
import type { Fields } from '../../fields.ts';

/** What docker's clients can ask for and this engine does not do yet, with the flag by which people know it. Refused, never ignored. */
const hostFields: Readonly<Record<string, string>> = {
  Devices: '--device',
  DeviceRequests: '--gpus',
  DeviceCgroupRules: '--device-cgroup-rule',
  Links: '--link',
  VolumesFrom: '--volumes-from',
  VolumeDriver: '--volume-driver',
  PidMode: '--pid',
  UTSMode: '--uts',
  UsernsMode: '--userns',
  CgroupParent: '--cgroup-parent',
  Sysctls: '--sysctl',
  Ulimits: '--ulimit',
  GroupAdd: '--group-add',
  Init: '--init',
  OomScoreAdj: '--oom-score-adj',
  OomKillDisable: '--oom-kill-disable',
  BlkioWeight: '--blkio-weight',
  BlkioWeightDevice: '--blkio-weight-device',
  BlkioDeviceReadBps: '--device-read-bps',
  BlkioDeviceWriteBps: '--device-write-bps',
  BlkioDeviceReadIOps: '--device-read-iops',
  BlkioDeviceWriteIOps: '--device-write-iops',
  StorageOpt: '--storage-opt',
  MemoryReservation: '--memory-reservation',
  CpuRealtimePeriod: '--cpu-rt-period',
  CpuRealtimeRuntime: '--cpu-rt-runtime',
  CpusetMems: '--cpuset-mems',
  Annotations: '--annotation',
};

const configFields: Readonly<Record<string, string>> = {
  Healthcheck: '--health-cmd',
  MacAddress: '--mac-address',
  NetworkDisabled: 'NetworkDisabled',
};

export function refuseWhatIsNotThere(config: Fields, host: Fields): void {
  for (const [fields, table] of [
    [config, configFields],
    [host, hostFields],
  ] as const) {
    for (const [field, flag] of Object.entries(table)) if (fields.isGiven(field)) throw notYet(flag);
  }
  oneOf(host, 'IpcMode', ['', 'private', 'shareable'], '--ipc');
  oneOf(host, 'CgroupnsMode', ['', 'private', 'host'], '--cgroupns');
  oneOf(host, 'Runtime', ['', 'runc', 'crun'], '--runtime');
  oneOf(host, 'Isolation', ['', 'default'], '--isolation');
  const swappiness = host.integer('MemorySwappiness');
  if (swappiness !== null && swappiness !== -1) throw notYet('--memory-swappiness');
  for (const mount of host.objects('Mounts')) {
    if (!['bind', 'tmpfs'].includes(mount.text('Type'))) throw notYet(`--mount type=${mount.text('Type')}`);
  }
}

function oneOf(fields: Fields, name: string, allowed: readonly string[], flag: string): void {
  const value = fields.text(name);
  if (!allowed.includes(value)) throw notYet(`${flag} ${value}`);
}

function notYet(what: string): Error {
  return notImplemented(`${what} is not there yet in this version of the Skiff engine`);
}
