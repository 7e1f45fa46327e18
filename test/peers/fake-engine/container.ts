import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import type {
  ContainerInspect,
  ContainerState,
  ContainerStatus,
  ContainerSummary,
  CreateContainerBody,
  PortMap,
  PortSummary,
} from '../../../api/containers.ts';
import { cookInput, cookOutput } from './terminal.ts';
import { startProcess } from './shell.ts';
import type { FakeProcess } from './shell.ts';

export interface LogRecord {
  readonly stream: 'stdout' | 'stderr';
  readonly timeNanos: bigint;
  readonly bytes: Buffer;
}

const never = '0001-01-01T00:00:00Z';

/** One container of the fake engine: what was asked for, its process, its log. Emits `output` (LogRecord), `exit` and `removed`. */
export class FakeContainer extends EventEmitter<{ output: [LogRecord]; exit: []; removed: [] }> {
  readonly id: string;
  readonly name: string;
  readonly body: CreateContainerBody;
  readonly argv: readonly string[];
  readonly imageId: string;
  readonly createdAt = new Date();
  readonly log: LogRecord[] = [];
  status: ContainerStatus = 'created';
  exitCode = 0;
  error = '';
  startedAt = never;
  finishedAt = never;
  isRemoved = false;
  size = { rows: 0, columns: 0 };
  #stdin = new PassThrough();
  #process: FakeProcess | null = null;

  constructor(made: { id: string; name: string; imageId: string; body: CreateContainerBody; argv: readonly string[] }) {
    super();
    this.setMaxListeners(0);
    this.id = made.id;
    this.name = made.name;
    this.imageId = made.imageId;
    this.body = made.body;
    this.argv = made.argv;
    const [rows, columns] = made.body.HostConfig?.ConsoleSize ?? [0, 0];
    this.size = { rows, columns };
  }

  get isRunning(): boolean {
    return this.status === 'running';
  }

  get hasTerminal(): boolean {
    return this.body.Tty === true;
  }

  /** Resolves with nothing once the process runs; its end is the event `exit`. */
  start(): void {
    this.status = 'running';
    this.exitCode = 0;
    this.error = '';
    this.startedAt = new Date().toISOString();
    if (this.#stdin.readableEnded || this.#stdin.destroyed) this.#stdin = new PassThrough();
    if (!this.body.OpenStdin) this.#stdin.end();
    this.#process = startProcess({
      argv: this.argv,
      env: this.#environment(),
      workingDir: this.body.WorkingDir || '/',
      stdin: this.#stdin,
      write: (stream, text) => this.#write(stream, Buffer.from(text)),
      terminalSize: () => (this.hasTerminal ? this.size : null),
    });
    void this.#process.exited.then((exitCode) => this.#exited(exitCode));
  }

  kill(signal: string): void {
    this.#process?.kill(signal);
  }

  /** What a client typed or piped in. A terminal echoes it and turns ctrl-c and ctrl-d into what they mean. */
  feed(bytes: Buffer): void {
    if (!this.hasTerminal) {
      if (!this.#stdin.writableEnded) this.#stdin.write(bytes);
      return;
    }
    for (const piece of cookInput(bytes)) {
      if (piece.echo.length > 0) this.#write('stdout', piece.echo);
      if (piece.signal) this.kill(piece.signal);
      if (piece.isEnd) this.#stdin.end();
      else if (!this.#stdin.writableEnded) this.#stdin.write(piece.input);
    }
  }

  closeStdin(): void {
    if (this.body.StdinOnce && !this.hasTerminal) this.#stdin.end();
  }

  summary(): ContainerSummary {
    return {
      Id: this.id,
      Names: [`/${this.name}`],
      Image: this.body.Image ?? '',
      ImageID: this.imageId,
      Command: this.argv.join(' '),
      Created: Math.floor(this.createdAt.getTime() / 1000),
      Ports: this.#ports(),
      Labels: this.body.Labels ?? {},
      State: this.status,
      Status: this.#statusText(),
      HostConfig: { NetworkMode: this.body.HostConfig?.NetworkMode ?? 'bridge' },
      NetworkSettings: { Networks: {} },
      Mounts: [],
    };
  }

  inspect(): ContainerInspect {
    return {
      Id: this.id,
      Created: this.createdAt.toISOString(),
      Path: this.argv[0] ?? '',
      Args: this.argv.slice(1),
      State: this.state(),
      Image: this.imageId,
      ResolvConfPath: '',
      HostnamePath: '',
      HostsPath: '',
      LogPath: '',
      Name: `/${this.name}`,
      RestartCount: 0,
      Driver: 'fake',
      Platform: 'linux',
      MountLabel: '',
      ProcessLabel: '',
      AppArmorProfile: '',
      ExecIDs: null,
      HostConfig: this.body.HostConfig ?? {},
      GraphDriver: { Name: 'fake', Data: {} },
      Mounts: [],
      Config: { ...this.body, Hostname: this.body.Hostname ?? this.id.slice(0, 12), Tty: this.hasTerminal },
      NetworkSettings: { SandboxID: '', SandboxKey: '', Ports: this.#portMap(), Networks: {} },
    };
  }

  state(): ContainerState {
    return {
      Status: this.status,
      Running: this.isRunning,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: this.isRunning ? 4242 : 0,
      ExitCode: this.exitCode,
      Error: this.error,
      StartedAt: this.startedAt,
      FinishedAt: this.finishedAt,
    };
  }

  #write(stream: 'stdout' | 'stderr', bytes: Buffer): void {
    const record: LogRecord = {
      stream: this.hasTerminal ? 'stdout' : stream,
      timeNanos: BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6)),
      bytes: this.hasTerminal ? cookOutput(bytes) : bytes,
    };
    this.log.push(record);
    this.emit('output', record);
  }

  #exited(exitCode: number): void {
    this.status = 'exited';
    this.exitCode = exitCode;
    this.finishedAt = new Date().toISOString();
    this.#process = null;
    this.#stdin.destroy();
    this.emit('exit');
  }

  #environment(): Record<string, string> {
    const pairs = (this.body.Env ?? []).filter((pair) => pair.includes('='));
    return Object.fromEntries([
      ['PATH', '/usr/bin:/bin'],
      ['HOSTNAME', this.body.Hostname ?? this.id.slice(0, 12)],
      ...pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    ]) as Record<string, string>;
  }

  #portMap(): PortMap {
    return this.isRunning ? (this.body.HostConfig?.PortBindings ?? {}) : {};
  }

  #ports(): PortSummary[] {
    return Object.entries(this.#portMap()).flatMap(([key, bindings]) => {
      const [port = '0', type = 'tcp'] = key.split('/');
      const kind = type === 'udp' || type === 'sctp' ? type : 'tcp';
      return (bindings ?? []).map(({ HostIp, HostPort }) => ({
        IP: HostIp || '0.0.0.0',
        PrivatePort: Number(port),
        PublicPort: Number(HostPort || port),
        Type: kind,
      }));
    });
  }

  #statusText(): string {
    switch (this.status) {
      case 'running':
        return 'Up 2 seconds';
      case 'exited':
        return `Exited (${this.exitCode}) 2 seconds ago`;
      default:
        return this.status === 'created' ? 'Created' : this.status;
    }
  }
}
