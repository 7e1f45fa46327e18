/**
 * Mounts, by system calls: a `mount` program costs milliseconds, these cost what the kernel needs. Errors are
 * SystemCallErrors; their message names the paths.
 */
import { close, closeSync, constants, openSync, readSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { SystemCallError, systemCall } from './libc.ts';

export interface Overlay {
  /** Topmost first; absolute. At least one. */
  readonly lowers: readonly string[];
  readonly upper: string;
  /**
   * What is written need not outlive the computer's going down: nothing waits for the disk, not even the end of the mount,
   * which otherwise writes out all that is waiting on the file system of `upper`, whoever wrote it (tens of ms and more).
   */
  readonly isVolatile?: boolean;
  /** Empty, on the file system of `upper`. */
  readonly work: string;
  readonly target: string;
}

const bind = 0x1000;
const recursive = 0x4000;
const remount = 0x20;
const readOnly = 0x1;
const doNotFollow = 0x8;
const detach = 0x2;
const atCwd = -100;

const mountCall = systemCall<[string | null, string, string | null, number, string | null]>(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
const umount2 = systemCall<[string, number]>('int umount2(const char *target, int flags)');
const fsopen = systemCall<[string, number]>('int fsopen(const char *type, unsigned int flags)');
const fsconfig = systemCall<[number, number, string | null, string | null, number]>(
  'int fsconfig(int fd, unsigned int command, const char *key, const char *value, int aux)',
);
const fsmount = systemCall<[number, number, number]>(
  'int fsmount(int fd, unsigned int flags, unsigned int attributes)',
);
const moveMount = systemCall<[number, string, number, string, number]>(
  'int move_mount(int from, const char *fromPath, int to, const char *toPath, unsigned int flags)',
);

/**
 * Mounts an overlay. The layers are handed to the kernel one by one where it takes them so (`lowerdir+`, Linux 6.8);
 * older kernels take one page of options for all of them, so that long or many paths go by descriptors there.
 */
export function mountOverlay(overlay: Overlay): void {
  if (overlay.lowers.length === 0) throw new RangeError('an overlay needs at least one lower folder');
  forgetVolatile(overlay.work);
  const folders = [...overlay.lowers, overlay.upper, overlay.work];
  // 255 bytes is what fsconfig takes for one value; colons, commas and backslashes mean something else in options.
  if (folders.some((path) => Buffer.byteLength(path) > 255 || /[:,\\]/.test(path))) {
    withDescriptors(overlay, (short) => mountOnAnyKernel(short, overlay));
    return;
  }
  mountOnAnyKernel(overlay, overlay);
}

/**
 * The kernel leaves a mark of a volatile mount and refuses the next one, for the computer may have gone down in between.
 * Here only what such a computer removes at its boot is mounted so (source: Linux, filesystems/overlayfs, "Volatile mount").
 */
function forgetVolatile(work: string): void {
  // No container sees this folder.
  rmSync(path.join(work, 'work', 'incompat'), { recursive: true, force: true });
}

/** `sources` and `named` are the same folders: how the kernel is told of them, and how a person is. */
function mountOnAnyKernel(sources: Overlay, named: Overlay): void {
  if (mountStepwise(sources, named) === 'mounted') return;
  try {
    mountOverlayByOptions(sources, named);
  } catch (error) {
    if (named.isVolatile !== true || !(error instanceof SystemCallError && error.code === 'EINVAL')) throw error;
    // Linux before 5.10.
    const lasting = { ...named, isVolatile: false };
    mountOverlayByOptions(sources === named ? lasting : sources, lasting);
  }
}

function mountStepwise(sources: Overlay, named: Overlay): 'mounted' | 'unsupported' {
  const context = fsopen('overlay', 'overlay', 1);
  try {
    try {
      for (const [at, lower] of sources.lowers.entries()) {
        fsconfig(`lowerdir ${named.lowers[at]}`, context, 1, 'lowerdir+', lower, 0);
      }
    } catch (error) {
      if (error instanceof SystemCallError && error.code === 'EINVAL') return 'unsupported';
      throw error;
    }
    fsconfig(`upperdir ${named.upper}`, context, 1, 'upperdir', sources.upper, 0);
    fsconfig(`workdir ${named.work}`, context, 1, 'workdir', sources.work, 0);
    // A folder that was once an upper of another overlay must do as one again, as in dockerd.
    fsconfig('index=off', context, 1, 'index', 'off', 0);
    if (named.isVolatile === true) fsconfig('volatile', context, 0, 'volatile', null, 0);
    fsconfig(describe(named), context, 6, null, null, 0);
    const mounted = fsmount(describe(named), context, 1, 0);
    try {
      moveMount(`overlay to ${named.target}`, mounted, '', atCwd, named.target, 4);
    } finally {
      closeSync(mounted);
    }
    return 'mounted';
  } catch (error) {
    const reason = contextMessages(context);
    if (reason !== '' && error instanceof SystemCallError) error.message += `: ${reason}`;
    throw error;
  } finally {
    closeSync(context);
  }
}

/** For kernels before 6.8. Takes as many layers as a page of `/proc/self/fd/N` names: about 200. */
export function mountOverlayByOptions(sources: Overlay, named: Overlay): void {
  const volatile = named.isVolatile === true ? 'volatile,' : '';
  const options = `${volatile}index=off,lowerdir=${sources.lowers.join(':')},upperdir=${sources.upper},workdir=${sources.work}`;
  if (Buffer.byteLength(options) < 4096) {
    mountCall(describe(named), 'overlay', sources.target, 'overlay', 0, options);
    return;
  }
  if (sources !== named)
    throw new RangeError(
      `${sources.lowers.length} layers are more than this kernel can stack; it needs Linux 6.8 for that`,
    );
  withDescriptors(named, (short) => mountOverlayByOptions(short, named));
}

/** Every folder as `/proc/self/fd/N`: short, and free of characters that mean something in options. */
function withDescriptors(overlay: Overlay, use: (short: Overlay) => void): void {
  const opened: number[] = [];
  const short = (path: string): string => {
    const descriptor = openSync(path, constants.O_DIRECTORY | 0x200000 /* O_PATH */);
    opened.push(descriptor);
    return `/proc/self/fd/${descriptor}`;
  };
  try {
    use({
      lowers: overlay.lowers.map(short),
      upper: short(overlay.upper),
      work: short(overlay.work),
      target: overlay.target,
    });
  } finally {
    opened.forEach((descriptor) => closeSync(descriptor));
  }
}

function describe(overlay: Overlay): string {
  return `overlay ${overlay.target} (upper ${overlay.upper}, ${overlay.lowers.length} lower)`;
}

/** What the kernel says about a mount that it refused, one message a read; empty when it says nothing. */
function contextMessages(context: number): string {
  const messages: string[] = [];
  const buffer = Buffer.alloc(1024);
  for (let left = 8; left > 0; left--) {
    try {
      messages.push(
        buffer
          .toString('utf8', 0, readSync(context, buffer))
          .replace(/^[a-z] /, '')
          .trim(),
      );
    } catch (error) {
      // ENODATA: all were read. Nothing else may hide the error that this is read for.
      if (error instanceof Error) break;
    }
  }
  return messages.join('; ');
}

/** Layers as one folder, for reading alone; topmost first. Nothing is mounted where there are none. */
export function mountLayers(lowers: readonly string[], target: string): void {
  const [only, ...others] = lowers;
  if (only === undefined) return;
  // An overlay without an upper needs two.
  if (others.length === 0) return bindMount({ source: only, target, isReadOnly: true });
  const opened = lowers.map((lower) => openSync(lower, constants.O_DIRECTORY | 0x200000 /* O_PATH */));
  try {
    const options = `lowerdir=${opened.map((fd) => `/proc/self/fd/${fd}`).join(':')}`;
    mountCall(`${lowers.length} layers to ${target}`, 'overlay', target, 'overlay', readOnly, options);
  } finally {
    opened.forEach((fd) => closeSync(fd));
  }
}

export interface BindMount {
  readonly source: string;
  readonly target: string;
  readonly isReadOnly?: boolean;
  /** What is mounted below the source comes along. */
  readonly isRecursive?: boolean;
}

export function bindMount({ source, target, isReadOnly = false, isRecursive = false }: BindMount): void {
  const detail = `${source} to ${target}`;
  mountCall(detail, source, target, null, bind | (isRecursive ? recursive : 0), null);
  if (!isReadOnly) return;
  try {
    // The kernel ignores the flag on the bind itself.
    mountCall(`${detail} read-only`, null, target, null, bind | remount | readOnly, null);
  } catch (error) {
    unmount(target, { isDetached: true });
    throw error;
  }
}

/** A file system of its own, as mount(2) takes it. */
export interface DeviceMount {
  /** A device, a server's export, or a word (`tmpfs`). */
  readonly source: string;
  readonly target: string;
  /** `tmpfs`, `nfs`, …; `none` or empty for a bind. */
  readonly type: string;
  /** MS_… of mount(2). */
  readonly flags: number;
  /** What the file system itself reads: `size=1m,uid=1000`. */
  readonly data: string;
}

/** May take as long as a server of the network takes: not for the main thread. */
export function mountDevice({ source, target, type, flags, data }: DeviceMount): void {
  const detail = `${source}:${target}, flags: 0x${flags.toString(16)}, data: ${data}`;
  mountCall(detail, source, target, type, flags, data);
  // A bind takes no other flag at once.
  if ((flags & bind) !== 0 && (flags & ~(bind | recursive)) !== 0)
    mountCall(detail, null, target, null, flags | remount, null);
}

/**
 * Takes the topmost mount at `target` away; a symlink is never followed. Detached, the mount goes from the tree at once
 * and ends when its last user does. Throws EINVAL when nothing is mounted there, ENOENT, and EBUSY when not detached.
 */
export function unmount(target: string, options: { readonly isDetached?: boolean } = {}): void {
  umount2(target, target, doNotFollow | (options.isDetached === true ? detach : 0));
}

const closeLater = promisify(close);

/**
 * As `unmount` of an overlay, but what ends with its last user (the kernel may write out a whole file system then) ends on
 * another thread: the mount is gone from the tree when this returns, and altogether when the promise resolves.
 */
export function unmountAside(target: string): Promise<void> {
  const last = openSync(target, constants.O_DIRECTORY | constants.O_NOFOLLOW | 0x200000 /* O_PATH */);
  try {
    unmount(target, { isDetached: true });
  } catch (error) {
    closeSync(last);
    throw error;
  }
  return closeLater(last);
}
