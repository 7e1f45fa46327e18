/** What a client asks for, as this host can do it: what is the host's to choose is chosen, what it cannot do is refused or discarded. */
import { invalid } from '../../model/errors.ts';
import { assertAvailable } from '../../runtime/capabilities.ts';
import type { HostFacts } from '../../runtime/container-settings.ts';
import type { CreateRequest } from './create-request.ts';
import { fitResources } from './resource-limits.ts';

/** `warnings`: docker's, for the person who asked. Throws `invalid`. */
export function fitToHost(
  request: CreateRequest,
  host: HostFacts,
): { readonly request: CreateRequest; readonly warnings: readonly string[] } {
  assertAvailable('CapAdd', request.addedCapabilities, host.capabilities);
  assertAvailable('CapDrop', request.droppedCapabilities, host.capabilities);
  assertRuntime(request.runtime);
  assertStorageOptions(request.storageOptions);
  if (Object.hasOwn(request.annotations, ''))
    throw invalid('invalid Annotations: the empty string is not permitted as an annotation key');
  const { resources, warnings } = fitResources(request.resources, host.controls);
  const { namespaces } = request;
  // With v1 the host's is what programs in containers have always seen.
  const cgroup = namespaces.cgroup ?? (host.cgroupVersion === 2 ? 'private' : 'host');
  return {
    request: {
      ...request,
      resources,
      namespaces: { ...namespaces, cgroup },
      securityOptions: withLabel(request),
    },
    warnings,
  };
}

/** All of them are the one runtime that there is: clients name the one that dockerd has. */
const runtimes = ['', 'crun', 'runc', 'io.containerd.runc.v2'];

function assertRuntime(name: string): void {
  if (!runtimes.includes(name)) throw invalid(`unknown or invalid runtime name: ${name}`);
}

function assertStorageOptions(options: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(options)) {
    if (name !== 'size') throw invalid(`Unknown option ${name}`);
    throw invalid("--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
  }
}

/** As dockerd shows it of containers that see the host's processes. */
function withLabel({ securityOptions, namespaces, isPrivileged }: CreateRequest): readonly string[] {
  if (securityOptions.some((option) => option.startsWith('label='))) return securityOptions;
  const seesHost = isPrivileged || namespaces.pid === 'host' || namespaces.ipc === 'host';
  return seesHost ? [...securityOptions, 'label=disable'] : securityOptions;
}
