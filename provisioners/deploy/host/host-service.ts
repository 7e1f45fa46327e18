import { shellQuote } from '../../line/line.ts';
import type { HostFacts } from './host-facts.ts';
import type { HostPlace } from './host-place.ts';

/**
 * What keeps the engine running on a host that is not ours: one small supervisor, the same under every init system, which the
 * init system starts at boot. Only skiffd itself is ever signalled: its monitor and the containers live on.
 */
export interface ServiceFile {
  readonly path: string;
  readonly mode: '0755' | '0644';
  readonly content: string;
}

export function serviceFiles(place: HostPlace, init: HostFacts['init']): readonly ServiceFile[] {
  const { serviceFolder } = place;
  const files: ServiceFile[] = [
    { path: `${serviceFolder}/engine-service`, mode: '0755', content: supervisor(place) },
    { path: `${serviceFolder}/engine-start`, mode: '0755', content: startScript(place, init) },
    { path: place.layout.restart, mode: '0755', content: restartScript(place) },
    { path: `${serviceFolder}/engine-stop`, mode: '0755', content: stopScript(place, init) },
  ];
  if (place.start === 'detached') return files;
  if (init === 'systemd') files.push({ path: systemdUnit, mode: '0644', content: unit(place) });
  if (init === 'openrc') files.push({ path: openrcScript, mode: '0755', content: openrc(place) });
  return files;
}

const systemdUnit = '/etc/systemd/system/skiffd.service';
const openrcScript = '/etc/init.d/skiffd';

/** Modules that the engine's networks, layers and shared folders need; a kernel that has them built in knows no such module, which is as well. */
const modules =
  'overlay fuse bridge br_netfilter veth nf_tables nft_chain_nat nft_masq nft_fib_inet nf_conntrack_netlink';

function supervisor({ layout, serviceFolder }: HostPlace): string {
  const [service, run, log] = [serviceFolder, `${layout.deployFolder}/current/run`, layout.engineLog].map(shellQuote);
  const pidFile = shellQuote(layout.enginePidFile);
  return `#!/bin/sh
# Keeps Skiff's engine running: starts what the deployment's "current" points to, starts it again when it ends, and waits
# longer each time when it ends at once. USR1 cuts such a pause short; TERM ends the engine, not its containers, and waits for that.
cd ${service} || exit 1
echo $$ >service.pid
ulimit -n 1048576 2>/dev/null
for module in ${modules}; do modprobe "$module" 2>/dev/null; done
engine=
trap 'rm -f service.pid; [ -z "$engine" ] || { kill -TERM "$engine" 2>/dev/null; wait "$engine"; }; exit 0' TERM INT
trap : USR1
# An engine whose supervisor was killed has nobody who would start it again.
orphan=$(cat ${pidFile} 2>/dev/null) && tr '\\000' '\\n' <"/proc/$orphan/environ" 2>/dev/null | grep -q ^SKIFF_RELEASE= &&
  kill -TERM "$orphan" && for try in $(seq 100); do [ -d "/proc/$orphan" ] || break; sleep 0.2; done
pause=0
while [ ! -e stopped ] && [ -x ${run} ]; do
  started=$(cut -d. -f1 /proc/uptime)
  ${run} </dev/null >>${log} 2>&1 &
  engine=$!
  while :; do
    wait "$engine"
    code=$?
    kill -0 "$engine" 2>/dev/null || break
  done
  engine=
  if [ $(($(cut -d. -f1 /proc/uptime) - started)) -ge 10 ]; then
    pause=0
    continue
  fi
  [ -e stopped ] && break
  echo "skiff: the engine ended with code $code at once; next start in $pause s" >>${log}
  sleep "$pause" &
  wait $! || { kill $! 2>/dev/null; pause=0; continue; }
  pause=$((pause * 2 + (pause == 0)))
  [ "$pause" -le 30 ] || pause=30
done
rm -f service.pid
`;
}

/** Whether the supervisor runs; its pid alone may be somebody else's after a reboot. */
const isSupervised = `pid=$(cat service.pid 2>/dev/null) && tr '\\000' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q engine-service`;

function startScript({ serviceFolder, start }: HostPlace, init: HostFacts['init']): string {
  const how = start === 'detached' ? 'none' : init;
  const begin = {
    systemd: 'systemctl enable --quiet skiffd.service && systemctl start skiffd.service',
    // Not "start": where OpenRC's own supervisor was killed, it believes that the service runs.
    openrc: 'rc-update -q add skiffd default; rc-service -q skiffd restart',
    none: 'setsid ./engine-service </dev/null >/dev/null 2>&1 &',
  }[how];
  return `#!/bin/sh
cd ${shellQuote(serviceFolder)} || exit 1
rm -f stopped
${isSupervised} || { ${begin}
}
`;
}

function restartScript({ serviceFolder, layout }: HostPlace): string {
  return `#!/bin/sh
# After a new release has been put in place: TERM to skiffd, and the supervisor starts what "current" points to now.
cd ${shellQuote(serviceFolder)} || exit 1
rm -f stopped
if ${isSupervised}; then
  engine=$(cat ${shellQuote(layout.enginePidFile)} 2>/dev/null) && kill -TERM "$engine" 2>/dev/null
  kill -USR1 "$pid"
else
  ./engine-start
fi
`;
}

function stopScript({ serviceFolder, layout, start }: HostPlace, init: HostFacts['init']): string {
  // OpenRC starts again whatever ends, so it is told, also for the next boot; systemd takes an end without failure for one.
  const tell =
    start === 'at-boot' && init === 'openrc' ? 'rc-update -q del skiffd default; rc-service -q skiffd stop\n' : '';
  return `#!/bin/sh
# TERM to skiffd, and it stays down until engine-start; returns when it is gone, 1 when it is not after 20 s.
cd ${shellQuote(serviceFolder)} || exit 0
: >stopped
engine=$(cat ${shellQuote(layout.enginePidFile)} 2>/dev/null)
${tell}if ${isSupervised}; then kill -USR1 "$pid"; fi
[ -n "$engine" ] || exit 0
kill -TERM "$engine" 2>/dev/null || exit 0
tries=0
while [ -d "/proc/$engine" ]; do
  tries=$((tries + 1))
  [ "$tries" -gt 200 ] && exit 1
  sleep 0.1
done
`;
}

function unit({ serviceFolder }: HostPlace): string {
  return `[Unit]
Description=Skiff's container engine
After=network-online.target local-fs.target
Wants=network-online.target

[Service]
# By the shell: where SELinux is enforced (Fedora, RHEL-likes), systemd may run no file below /var itself.
ExecStart=/bin/sh ${serviceFolder}/engine-service
Restart=on-failure
# Containers and their monitor live on while the engine restarts; their cgroups are theirs.
KillMode=process
Delegate=yes
LimitNOFILE=1048576
TasksMax=infinity
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
`;
}

/** Supervised by OpenRC too: where our supervisor is killed (by a lack of memory, say), it is started again. */
function openrc({ serviceFolder }: HostPlace): string {
  return `#!/sbin/openrc-run
description="Skiff's container engine"
supervisor=supervise-daemon
command="${serviceFolder}/engine-service"
respawn_delay=1
respawn_max=0
retry="TERM/30/KILL/5"

depend() {
  want localmount cgroups
  after localmount net firewall
}
`;
}

/** Takes away all that the engine is on that host; its containers have been removed before. */
export function uninstallScript(place: HostPlace): string {
  const { layout, serviceFolder, marker } = place;
  const state = serviceFolder.slice(0, -'/service'.length);
  const run = layout.engineSocket.slice(0, -'/skiffd.sock'.length);
  const unregister =
    place.start === 'detached'
      ? []
      : [
          `[ -d /run/systemd/system ] && systemctl disable --quiet --now skiffd.service 2>/dev/null`,
          `command -v rc-update >/dev/null 2>&1 && rc-update -q del skiffd default 2>/dev/null`,
          `rm -f ${systemdUnit} ${openrcScript}`,
          `[ -d /run/systemd/system ] && systemctl daemon-reload`,
        ];
  return [
    `[ -x ${shellQuote(`${serviceFolder}/engine-stop`)} ] && ${shellQuote(`${serviceFolder}/engine-stop`)}`,
    ...unregister,
    // The release that ran knows what it made: containers, mounts, links, rules.
    `run=${shellQuote(`${layout.deployFolder}/current/run`)}; if [ -x "$run" ]; then "$run" --remove-all >&2 || unmade=yes; fi`,
    // An engine that never came up made nothing; where something is mounted, removing files would reach into it.
    `if [ -n "$unmade" ] && grep -qF -e ${shellQuote(` ${state}/`)} -e ${shellQuote(` ${run}/`)} /proc/self/mounts; then exit 1; fi`,
    // The marker goes last: until then the host is known to be this machine's.
    `rm -rf ${[layout.deployFolder, layout.dataRoot, layout.compileCache, layout.engineLog, run, serviceFolder].map(shellQuote).join(' ')} || exit 1`,
    `rm -f ${shellQuote(marker)} && rmdir ${shellQuote(state)} 2>/dev/null`,
    'true',
  ].join('\n');
}
