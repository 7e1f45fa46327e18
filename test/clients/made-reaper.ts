/**
 * An image that does what testcontainers' reaper (ryuk) does, since no registry gives the real one here: it takes filters on
 * port 8080, a line each, answers `ACK`, and when who sent them has gone it removes what they name, through the docker socket
 * that it was given (protocol: the README of testcontainers/moby-ryuk). Made of busybox and the computer's own curl.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { file, loadImage } from '../engine/made-image.ts';

const listen = `#!/bin/sh
echo Started
exec nc -l -p 8080 -e /reap
`;

const reap = `#!/bin/sh
engine() { curl -s --unix-socket /var/run/docker.sock "$@"; }
list() {
  engine -G "http://engine/$1" --data-urlencode all=1 --data-urlencode "filters={\\"label\\":[\\"$2\\"]}" |
    grep -o '"Id":"[0-9a-f]*"' | cut -d '"' -f 4
}
while IFS= read -r line; do
  line=$(echo "$line" | tr -d '\\r')
  labels="$labels \${line#label=}"
  echo ACK
done
for label in $labels; do
  for id in $(list containers/json "$label"); do
    case $id in "$(hostname)"*) ;; *) engine -X DELETE "http://engine/containers/$id?force=1&v=1" ;; esac
  done
  for id in $(list networks "$label"); do engine -X DELETE "http://engine/networks/$id"; done
done
`;

/** Loads the image under this name into the engine at this socket. */
export async function loadReaper(socket: string, name: string): Promise<void> {
  const curl = execFileSync('which', ['curl'], { encoding: 'utf8' }).trim();
  const libraries = execFileSync('ldd', [curl], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  const brought = [curl, ...libraries].map((source) => file(source.slice(1), readFileSync(source), { mode: 0o755 }));
  const programs = [file('listen', listen, { mode: 0o755 }), file('reap', reap, { mode: 0o755 })];
  const config = { Env: [`PATH=/bin:${curl.slice(0, curl.lastIndexOf('/'))}`], Cmd: ['/listen'] };
  await loadImage(socket, name, { layer: [...brought, ...programs], config });
}
