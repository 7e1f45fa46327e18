/** From Docker's create body to our own request: the one place where those words are translated on their way in. */
import type { CreateRequest } from '../../../containers/spec/create-request.ts';
import { invalid } from '../../../model/errors.ts';
import { signalNumber } from '../../../containers/life/signals.ts';
import { Fields } from '../../fields.ts';
import { readMounts, readVolumesFrom } from './mounts.ts';
import { readNetwork } from './network.ts';
import { refuseWhatIsNotThere } from './not-yet.ts';
import { readHealthcheck, readRestartPolicy } from './policies.ts';
import { readProcess } from './process.ts';
import { readResources } from './resources.ts';
import { type FindContainer, readSecurity } from './security.ts';

/**
 * `find`: for what names another container. Throws `invalid` for what is wrong, `not-implemented` for what is right and not
 * there yet.
 */
export function readCreateBody(body: Record<string, unknown>, name: string | null, find: FindContainer): CreateRequest {
  const config = new Fields('', body);
  if (config.names().every((field) => ['hostconfig', 'networkingconfig'].includes(field.toLowerCase())))
    throw invalid('config cannot be empty in order to create a container');
  const host = config.object('HostConfig', 'container.HostConfig');
  refuseWhatIsNotThere(config, host);
  const log = host.object('LogConfig');
  return {
    ...readSecurity(config, host, find),
    name,
    imageName: config.text('Image'),
    process: readProcess(config, host),
    hostname: hostname(config.text('Hostname')),
    domainname: config.text('Domainname'),
    labels: config.textMap('Labels'),
    annotations: host.textMap('Annotations'),
    stopSignal: stopSignal(config.text('StopSignal')),
    stopTimeoutSeconds: config.raw('StopTimeout') === 0 ? 0 : config.integer('StopTimeout'),
    restartPolicy: readRestartPolicy(host),
    healthcheck: readHealthcheck(config),
    shell: config.textsOrNull('Shell'),
    network: readNetwork(config, host, find),
    mounts: readMounts(host),
    declaredVolumes: config.keys('Volumes'),
    volumesFrom: readVolumesFrom(host),
    isAutoRemoved: host.flag('AutoRemove'),
    resources: readResources(host),
    logDriver: log.text('Type') || null,
    logOptions: log.textMap('Config'),
    shmSizeBytes: shmSize(host),
    storageOptions: host.textMap('StorageOpt'),
    runtime: host.text('Runtime'),
  };
}

/** A number is taken as it is: what it stands for is the kernel's to know. */
function stopSignal(text: string): string | null {
  if (text !== '' && !/^\d+$/.test(text)) signalNumber(text);
  return text || null;
}

function shmSize(host: Fields): number | null {
  const size = host.integer('ShmSize');
  if (size !== null && size < 0) throw invalid('SHM size can not be less than 0');
  return size;
}

function hostname(text: string): string | null {
  if (text === '') return null;
  // It is written into files line by line. What else it may be the kernel decides at the start, as with dockerd.
  if ([...text].some((letter) => letter < ' ' || letter === '\x7f')) throw invalid(`invalid hostname format: ${text}`);
  return text;
}
