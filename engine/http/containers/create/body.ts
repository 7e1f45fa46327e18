/** From Docker's create body to our own request: the one place where those words are translated on their way in. */
import type { CreateRequest } from '../../../containers/create-request.ts';
import { invalid } from '../../../model/errors.ts';
import { Fields } from '../../fields.ts';
import { readMounts } from './mounts.ts';
import { readNetwork } from './network.ts';
import { refuseWhatIsNotThere } from './not-yet.ts';
import { positive } from './numbers.ts';
import { readHealthcheck, readRestartPolicy } from './policies.ts';
import { readProcess } from './process.ts';
import { readResources } from './resources.ts';
import { readSecurity } from './security.ts';

/** Throws `invalid` for what is wrong, `not-implemented` for what is right and not there yet. */
export function readCreateBody(body: Record<string, unknown>, name: string | null): CreateRequest {
  const config = new Fields('ContainerConfig', body);
  const host = config.object('HostConfig');
  refuseWhatIsNotThere(config, host);
  const log = host.object('LogConfig');
  return {
    ...readSecurity(host),
    name,
    imageName: config.text('Image'),
    process: readProcess(config, host),
    hostname: hostname(config.text('Hostname')),
    domainname: config.text('Domainname'),
    labels: config.textMap('Labels'),
    annotations: host.textMap('Annotations'),
    stopSignal: config.text('StopSignal') || null,
    stopTimeoutSeconds: config.raw('StopTimeout') === 0 ? 0 : config.integer('StopTimeout'),
    restartPolicy: readRestartPolicy(host),
    healthcheck: readHealthcheck(config),
    network: readNetwork(config, host),
    mounts: readMounts(host),
    volumesFrom: host.texts('VolumesFrom'),
    isAutoRemoved: host.flag('AutoRemove'),
    resources: readResources(host),
    logDriver: log.text('Type') || null,
    logOptions: log.textMap('Config'),
    shmSizeBytes: positive('ShmSize', host.integer('ShmSize')),
    storageOptions: host.textMap('StorageOpt'),
    runtime: host.text('Runtime'),
  };
}

function hostname(text: string): string | null {
  if (text === '') return null;
  if (text.length > 63 || !/^[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?$/.test(text))
    throw invalid(`invalid hostname format: ${text}`);
  return text;
}
