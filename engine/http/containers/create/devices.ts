/** Devices of the host that a container may use. */
import type { DeviceRequestSpec, DeviceSpec } from '../../../containers/spec/spec.ts';
import { invalid } from '../../../model/errors.ts';
import type { Fields } from '../../fields.ts';

export function readDevices(host: Fields): readonly DeviceSpec[] {
  return host.objects('Devices', '[]container.DeviceMapping').map((device) => ({
    pathOnHost: device.text('PathOnHost'),
    pathInContainer: device.text('PathInContainer'),
    access: device.text('CgroupPermissions'),
  }));
}

export function readDeviceRequests(host: Fields): readonly DeviceRequestSpec[] {
  return host.objects('DeviceRequests', '[]container.DeviceRequest').map((request) => ({
    driver: request.text('Driver'),
    count: request.integer('Count') ?? 0,
    deviceIds: request.texts('DeviceIDs'),
    capabilities: capabilities(request.raw('Capabilities')),
    options: request.textMap('Options'),
  }));
}

function capabilities(value: unknown): readonly (readonly string[])[] {
  if (value === undefined || value === null) return [];
  const isText = (item: unknown): item is string => typeof item === 'string';
  const isTextList = (item: unknown): item is readonly string[] => Array.isArray(item) && item.every(isText);
  if (Array.isArray(value) && value.every(isTextList)) return value;
  throw invalid('invalid JSON: json: .HostConfig.DeviceRequests.Capabilities must be a list of lists of strings');
}
