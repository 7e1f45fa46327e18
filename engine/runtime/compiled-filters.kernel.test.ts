import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { ContainerLab, Exits, program, until } from '../lab/container-lab.ts';
import type { Monitor } from '../monitor/monitor.ts';
import { CompiledFilters } from './compiled-filters.ts';
import { findCrun } from './crun.ts';
import type { RuntimeSpec } from './oci.ts';

describeWith(['linux', 'root', { program }], 'compiled seccomp filters', () => {
  let lab: ContainerLab;
  let monitor: Monitor;
  beforeAll(async () => {
    lab = new ContainerLab();
    monitor = await lab.open();
  });
  afterAll(async () => {
    await until('nothing to be left', () => lab.leftovers().length === 0);
    await lab[Symbol.asyncDispose]();
  });

  it('are kept at the first start, given to the next, and filter the same', async () => {
    const exits = new Exits(monitor);
    const folder = join(lab.folder, 'filters');
    const filters = new CompiledFilters(folder, (await findCrun()).version);
    const outputs: string[] = [];
    const saved: (string | null)[] = [];
    for (const round of [1, 2]) {
      const request = lab.request(['sh', '-c', 'grep Seccomp: /proc/self/status; mount -t tmpfs x /tmp 2>&1; echo $?']);
      const config = join(request.bundle, 'config.json');
      const { spec, saveFilterTo } = filters.apply(JSON.parse(readFileSync(config, 'utf8')) as RuntimeSpec);
      writeFileSync(config, JSON.stringify(spec));
      saved.push(saveFilterTo);
      await monitor.start({ ...request, saveFilterTo });
      await exits.of(request.id);
      await monitor.acknowledge(request.id);
      outputs.push(
        lab
          .logOf(request)
          .map(({ log }) => log)
          .join(''),
      );
      expect(round === 1 || spec.annotations?.['run.oci.seccomp_bpf_data'] !== undefined).toBe(true);
    }
    expect(saved[1]).toBeNull();
    expect(existsSync(saved[0] ?? '')).toBe(true);
    expect(outputs[0]).toBe('Seccomp:\t2\nmount: permission denied (are you root?)\n1\n');
    expect(outputs[1]).toBe(outputs[0]);
  });

  it('are another one for another profile, version or set of rules', () => {
    const folder = join(lab.folder, 'names');
    const request = lab.request(['true']);
    const spec = JSON.parse(readFileSync(join(request.bundle, 'config.json'), 'utf8')) as RuntimeSpec;
    const named = (version: string, of: RuntimeSpec): string | null =>
      new CompiledFilters(folder, version).apply(of).saveFilterTo;
    const { seccomp } = spec.linux;
    if (seccomp === undefined) throw new Error('the spec has no seccomp');
    const other = { ...spec, linux: { ...spec.linux, seccomp: { ...seccomp, syscalls: seccomp.syscalls.slice(1) } } };
    expect(new Set([named('1', spec), named('2', spec), named('1', other), named('1', spec)]).size).toBe(3);
  });
});
