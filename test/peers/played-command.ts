import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { chmod, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/**
 * A vendor's command, played by this process. What stands in PATH only hands over its words and its input, and ends as it is told to: a
 * suite calls such a command hundreds of times, and to start a Node for each takes ten times as long as what the command does.
 */
export interface PlayedCall {
  readonly words: readonly string[];
  /** All of its standard input; empty for a command that reads none. */
  readonly input: Buffer;
}

export type PlayedOutcome =
  | { readonly exitCode: number; readonly stdout?: string | Buffer; readonly stderr?: string | Buffer }
  /** As by kill -9. */
  | 'dies'
  /** It does not end before somebody ends it. */
  | 'hangs';

/** What hands over; part of Debian's least system, and of macOS. */
export const playedNeeds = { program: 'perl' } as const;

/** Calls that are a machine: each is a Node of its own that runs `program` with `words` and then its own. */
interface LastingCalls {
  /** Those that have this word among theirs, or those that have not. */
  readonly which: { readonly has: string } | { readonly lacks: string };
  readonly program: URL;
  readonly words: readonly string[];
}

export async function playCommand(options: {
  /** Of the command, which is written there. */
  readonly path: string;
  readonly play: (call: PlayedCall) => PlayedOutcome | Promise<PlayedOutcome>;
  /** Its standard input is read to the end before it does anything. Others are never given one that ends. */
  readonly readsInput?: boolean;
  readonly lasting?: LastingCalls;
}): Promise<AsyncDisposable> {
  const { path, play, readsInput = false, lasting } = options;
  const socket = `${path}.sock`;
  const calls = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (call) => {
    calls.add(call);
    call.on('error', () => call.destroy()).on('close', () => calls.delete(call));
    void (async () => {
      const outcome = await play(decode(await buffer(call)));
      if (outcome !== 'hangs') call.end(encode(outcome));
    })().catch((error: unknown) => {
      call.end(
        encode({ exitCode: 70, stderr: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
      );
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, () => resolve());
  });
  await writeFile(path, handOver({ socket, readsInput, lasting }));
  await chmod(path, 0o755);
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const call of calls) call.destroy();
      await closed;
      await rm(path, { force: true });
    },
  };
}

const diesCode = 0xffff_ffff;

function encode(outcome: Exclude<PlayedOutcome, 'hangs'>): Buffer {
  const { exitCode, stdout = '', stderr = '' } = outcome === 'dies' ? { exitCode: diesCode } : outcome;
  const said = Buffer.from(stdout);
  return Buffer.concat([numbered(exitCode), numbered(said.length), said, Buffer.from(stderr)]);
}

function decode(bytes: Buffer): PlayedCall {
  const words: string[] = [];
  let at = 4;
  for (let left = bytes.readUInt32BE(0); left > 0; left--) {
    const end = at + 4 + bytes.readUInt32BE(at);
    words.push(bytes.toString('utf8', at + 4, end));
    at = end;
  }
  return { words, input: bytes.subarray(at) };
}

function numbered(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function handOver(of: {
  readonly socket: string;
  readonly readsInput: boolean;
  readonly lasting: LastingCalls | undefined;
}): string {
  const { socket, readsInput, lasting } = of;
  return [
    '#!/usr/bin/perl',
    ...(lasting === undefined ? [] : goOn(lasting)),
    // By its numbers, which are the same on Linux and macOS: to load what has their names takes four times as long as all the rest.
    `socket($door, 1, 1, 0) && connect($door, pack($^O eq 'darwin' ? 'xCa*x' : 'Sa*x', 1, '${socket}')) || die "nobody plays it: $!\\n";`,
    'binmode $_ for $door, STDIN, STDOUT, STDERR;',
    'undef $/;',
    `print {$door} pack('N', scalar @ARGV), map({ pack('N/a*', $_) } @ARGV)${readsInput ? ', <STDIN>' : ''};`,
    'open($answer, "<&", $door); binmode $answer; select($door); $| = 1; select(STDOUT); shutdown($door, 1);',
    '($code, $out, $err) = unpack("N N/a* a*", <$answer> // exit 70);',
    `kill('KILL', $$) if $code == ${diesCode};`,
    'print STDERR $err; print STDOUT $out; exit $code;',
    '',
  ].join('\n');
}

function goOn({ which, program, words }: LastingCalls): readonly string[] {
  const own = [process.execPath, fileURLToPath(program), ...words].map((word) => `'${word}'`).join(', ');
  const [when, word] = 'has' in which ? (['if', which.has] as const) : (['unless', which.lacks] as const);
  return [
    `$ENV{NODE_COMPILE_CACHE} = '${compileCache}';`,
    `exec(${own}, @ARGV) ${when} grep { $_ eq '${word}' } @ARGV;`,
  ];
}

/** Kept between runs, as tools keep theirs: it halves what the start of a played program costs. */
const compileCache = fileURLToPath(new URL('../../node_modules/.cache/played-tools', import.meta.url));

/** Starts a process that plays a machine and outlives who starts it; what it says goes to the end of a file. */
export function startPlayedMachine(program: URL, words: readonly string[], logFile: string): void {
  const log = openSync(logFile, 'a');
  spawn(process.execPath, [fileURLToPath(program), ...words], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
  }).unref();
  closeSync(log);
}
