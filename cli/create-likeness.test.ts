import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runProgram, skiffCommand } from '../test/peers/program.ts';
import { describeWith } from '../test/skip.ts';

/** The flags of `create` through docker's CLI and through skiff: what each asks the engine for must be the same. */
const cases = `
-it -h box --domainname example.org -u 1:2 -w /x --entrypoint run
-e A=1 -e HOME -l a=1 -l b --annotation k=v --stop-signal INT --stop-timeout 7
-m 64m --memory-reservation 32m --memory-swap 128m --memory-swappiness 10 --oom-score-adj 5 --oom-kill-disable --shm-size 8m
--cpus 1.5 -c 512 --cpu-period 1000 --cpu-quota 500 --cpuset-cpus 0 --cpuset-mems 0 --cpu-rt-period 10 --cpu-rt-runtime 5
--pids-limit 50 --blkio-weight 100 --blkio-weight-device /dev/sda:200 --ulimit nofile=10:20 --ulimit core=-1
--device-read-bps /dev/sda:1mb --device-write-bps /dev/sda:2mb --device-read-iops /dev/sda:10 --device-write-iops /dev/sda:20
--device /dev/null --device /dev/zero:/dev/z:r --device /dev/full:rw --device vendor.com/class=one --device-cgroup-rule @c_1:3_mr
--cap-add NET_ADMIN --cap-drop ALL --privileged --group-add 5 --group-add wheel --read-only --init --security-opt no-new-privileges
--security-opt seccomp=unconfined --security-opt apparmor:x --security-opt systempaths=unconfined --security-opt seccomp=PROFILE
--ipc host --pid host --uts host --userns host --cgroupns private --cgroup-parent /x --runtime runc --isolation default
--dns 1.1.1.1 --dns-option x --dns-search y --add-host a:1.2.3.4 --add-host b=[::1] --add-host c:host-gateway --link db --link a:b
-p 8080:80 -p 127.0.0.1:90-91:90-91/udp -p 53 -p [::1]:70:70/sctp -p published=1,target=2 -P --expose 7 --expose 8-9/udp
-v /a:/b:ro,z -v name:/c -v /anonymous --tmpfs /t:size=1m --tmpfs /u --volumes-from x:ro --volume-driver local --storage-opt size=1g
--mount type=bind,src=/a,dst=/b,readonly,bind-propagation=rslave --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770
--mount src=v,dst=/v,volume-nocopy,volume-label=a=1,volume-driver=local,volume-opt=type=tmpfs,volume-subpath=s --mount dst=/w
--mount type=bind,src=/a,dst=/b,bind-recursive=disabled --mount type=bind,src=/a,dst=/c,ro,bind-recursive=writable
--mount type=bind,source=.,target=/here --mount type=image,src=hello,dst=/i,image-subpath=etc
--health-cmd true --health-interval 5s --health-timeout 1m30s --health-retries 3 --health-start-period 2s --health-start-interval 1s
--no-healthcheck --rm --log-driver local --log-opt a=b --log-opt c --sysctl net.core.somaxconn=10 --cidfile CID
--restart on-failure:3 --platform linux/amd64 --name box
--restart unless-stopped -a stdout -a stderr -i
--network backend --network-alias a --network-alias b --ip 10.0.0.2 --ip6 fd00::2 --mac-address 02:42:ac:11:00:02 --link-local-ip 169.254.1.1
--network name=backend,alias=x,ip=10.0.0.3,driver-opt=k=v,gw-priority=5 --network other
--network host
--network bridge --mac-address 02:42:ac:11:00:02
--gpus all
--gpus device=0,driver=nvidia,"capabilities=utility"
--gpus 2
`;

describeWith([{ program: 'docker' }], 'skiff asks for what docker asks for', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skiff-asks-'));
  const socket = join(folder, 's');
  const asked: { readonly url: string; readonly body: unknown }[] = [];
  let server: Server;

  beforeAll(async () => {
    writeFileSync(join(folder, 'profile.json'), '{ "defaultAction": "SCMP_ACT_ALLOW" }');
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        response.setHeader('Api-Version', '1.50');
        response.setHeader('Ostype', 'linux');
        if (request.method === 'POST') {
          asked.push({ url: request.url ?? '', body: JSON.parse(text) });
          response.writeHead(201, { 'Content-Type': 'application/json' }).end('{"Id":"1234","Warnings":[]}');
        } else response.end('OK');
      });
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
  });

  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });

  it.each(cases.trim().split('\n'))('%s', async (line) => {
    const bodies = [];
    for (const [file, ...before] of [['docker'], skiffCommand] as const) {
      const words = line.split(' ').map((word) =>
        word
          .replace('PROFILE', join(folder, 'profile.json'))
          .replace('CID', join(folder, `cid-${bodies.length}`))
          .replace(/^@/, '')
          .replaceAll('_', (sign) => (word.startsWith('@') ? ' ' : sign)),
      );
      const args = [...before, '-H', `unix://${socket}`, 'create', ...words, 'hello', 'sh', '-c', 'x'];
      const ran = await runProgram(file, args, { environment: { HOME: folder } });
      expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
      const { url = '', body } = asked.pop() ?? {};
      bodies.push({ query: url.replace(/^\/v[\d.]+/, ''), body: said(body, folder) });
    }
    expect(bodies[1]).toEqual(bodies[0]);
  });
});

/** Values that say nothing, which docker writes and skiff leaves out. */
const silent: Readonly<Record<string, string>> = {
  MemorySwappiness: '-1',
  RestartPolicy: '{"Name":"no"}',
  NetworkMode: '"default"',
  ConsoleSize: '[0,0]',
  OnBuild: 'null',
};

/** What a body says: without what is empty, at any depth. */
function said(value: unknown, folder: string): unknown {
  if (typeof value === 'string') return value.replace(/cid-[01]/, 'cid');
  if (Array.isArray(value)) return value.map((item) => said(item, folder));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .map(([key, entry]) => [key, said(inOrder(key, entry), folder)] as const)
    .filter(([key, entry]) => {
      const text = JSON.stringify(entry);
      return !['null', '""', '0', 'false', '[]', '{}', silent[key]].includes(text);
    });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** docker takes its binds and its environment out of maps. */
function inOrder(key: string, value: unknown): unknown {
  return (key === 'Binds' || key === 'Env') && Array.isArray(value) ? value.toSorted() : value;
}
