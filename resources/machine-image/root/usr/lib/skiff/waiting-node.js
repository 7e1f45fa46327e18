// A Node that has started and loaded what an engine's start needs, and waits to be told which engine it is to be: half of an emulated
// machine's engine start, done before the machine stands still (prepare.sh). A release's `run` hands its start over to it.
'use strict';
const fs = process.getBuiltinModule('node:fs');
const Module = process.getBuiltinModule('node:module');
for (const name of [
  'node:child_process',
  'node:cluster',
  'node:crypto',
  'node:diagnostics_channel',
  'node:http',
  'node:net',
  'node:os',
  'node:sqlite',
  'node:stream/promises',
  'node:timers/promises',
  'node:v8',
  'node:vm',
  'node:zlib',
])
  process.getBuiltinModule(name);

// Open for as long as this process lives, and in no other: by its end engine-service learns of ours.
fs.openSync('/run/skiff/engine-life', 'r+');
// Open for both ways before anybody knows of this process, so that nothing written to it is lost; an empty line is the end.
const orders = fs.openSync('/run/skiff/waiting-node', 'r+');
fs.writeFileSync('/run/skiff/waiting-node.pid', `${process.pid}\n`);
const chunk = Buffer.alloc(4096);
let text = '';
while (!text.endsWith('\n\n')) text += chunk.latin1Slice(0, fs.readSync(orders, chunk));
fs.closeSync(orders);
const [release, compileCache, ...args] = text.trimEnd().split('\n');

// Which release a process is of is read from outside, from the memory in which the kernel put its environment.
const fields = fs.readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ');
const [start, end] = [Number(fields[47]), Number(fields[48])];
const memory = fs.openSync('/proc/self/mem', 'r+');
const environment = Buffer.alloc(end - start);
fs.readSync(memory, environment, 0, environment.length, start);
const name = 'SKIFF_RELEASE=';
const at = environment.indexOf(name) + name.length;
const room = environment.indexOf(0, at) - at;
if (release.length > room) throw new RangeError(`${release} is longer than ${room} characters`);
const written = Buffer.alloc(room);
written.write(release, 'latin1');
fs.writeSync(memory, written, 0, room, start + at);
fs.closeSync(memory);
Object.assign(process.env, { SKIFF_RELEASE: release, NODE_COMPILE_CACHE: compileCache });

for (const output of [1, 2]) {
  fs.closeSync(output);
  fs.openSync('/var/log/skiffd.log', 'a');
}
process.chdir(release);
// By a path that is short, and without a look at each of its parts: both cost time (run-script.ts).
const program = '/proc/self/cwd/skiffd.js';
process.argv = [process.execPath, program, ...args];
process.title = ['skiffd', ...args].join(' ');
new Module(program)._compile(fs.readFileSync(program, 'utf8'), program);
