/**
 * The system calls that a container may make, by what they are for. All else answers EPERM. The list follows Docker's
 * default behaviour, which the images of this world are made for; what is left out on purpose is noted where it belongs.
 * Names of calls that a platform lacks do no harm: they are passed over when the filter is made.
 */
import type { SeccompProfile, SeccompRule } from './container-settings.ts';

const files = `
  access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
  fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync
  fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64
  futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch
  ioctl lchown lchown32 lgetxattr link linkat listxattr listxattrat llistxattr lremovexattr lseek _llseek lsetxattr lstat
  lstat64 listmount mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pipe pipe2 pread64
  preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr removexattrat rename
  renameat renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64 statfs statfs64 statmount statx
  symlink symlinkat sync sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat
  utimensat_time64 utimes vmsplice write writev`;

const waiting = `
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
  io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit _newselect pause poll ppoll
  ppoll_time64 pselect6 pselect6_time64 select`;
// Not here: io_uring_*, whose operations no filter sees.

const memory = `
  brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2
  mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect
  process_mrelease remap_file_pages`;

const processes = `
  execve execveat exit exit_group fork getcpu getpgid getpgrp getpid getppid getpriority getrlimit
  getrusage getsid get_robust_list get_thread_area gettid ioprio_get ioprio_set kill pidfd_open pidfd_send_signal prctl
  prlimit64 restart_syscall riscv_hwprobe rseq sched_getaffinity sched_getattr sched_getparam sched_get_priority_max
  sched_get_priority_min sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity
  sched_setattr sched_setparam sched_setscheduler sched_yield set_robust_list set_thread_area set_tid_address setpgid
  setpriority setrlimit setsid sysinfo tgkill times tkill ugetrlimit uname uretprobe vfork wait4 waitid waitpid`;

const signals = `
  alarm getitimer rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
  rt_sigtimedwait_time64 rt_tgsigqueueinfo setitimer sigaltstack signalfd signalfd4 sigprocmask sigreturn`;

const identity = `
  capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32
  getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32
  setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32`;

const confinement = 'landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp';

const sockets = `
  accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg
  send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair`;

const talk = `
  futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake getrandom ipc mq_getsetattr mq_notify mq_open
  mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl
  semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget`;

/** The clock may be read, not set: adjtimex and its kin need a capability for that. */
const time = `
  adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
  clock_nanosleep_time64 gettimeofday nanosleep time timer_create timer_delete timer_getoverrun timer_gettime
  timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
  timerfd_settime64`;

const names = (text: string): readonly string[] => text.trim().split(/\s+/);
const allow = (text: string, more: Partial<SeccompRule> = {}): SeccompRule => ({
  names: names(text),
  action: 'SCMP_ACT_ALLOW',
  ...more,
});
const withCapability = (cap: string, text: string): SeccompRule => allow(text, { includes: { caps: [cap] } });
const withArgument = (name: string, op: string, value: number): SeccompRule =>
  allow(name, { args: [{ index: 0, value, op: `SCMP_CMP_${op}` }] });

const addressFamilies = { alg: 38, nfc: 39, vsock: 40 };
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: a process of one's own, in no namespace of its own. */
const newNamespaces = 0x7e020000;
const noSuchCall = 38;
/** Linux; with short inodes, 32-bit addresses' layout, both; and the question which it is. */
const personalities = [0, 8, 0x20000, 0x20008, 0xffffffff];

export const defaultSeccompProfile: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 1,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
  ],
  syscalls: [
    allow([files, waiting, memory, processes, signals, identity, confinement, sockets, talk, time].join(' ')),
    // Since 4.8 the kernel applies the filter again after a tracer has changed a call.
    allow('process_vm_readv process_vm_writev ptrace', { includes: { minKernel: '4.8' } }),
    // No AF_ALG (kernel crypto, again and again a way to root), no AF_VSOCK (leads to the host of the machine).
    withArgument('socket', 'LT', addressFamilies.alg),
    withArgument('socket', 'EQ', addressFamilies.nfc),
    withArgument('socket', 'GT', addressFamilies.vsock),
    ...personalities.map((persona) => withArgument('personality', 'EQ', persona)),
    allow('arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls', {
      includes: { arches: ['arm', 'arm64'] },
    }),
    allow('arch_prctl', { includes: { arches: ['amd64', 'x32'] } }),
    allow('modify_ldt', { includes: { arches: ['amd64', 'x32', 'x86'] } }),
    allow('clone', {
      args: [{ index: 0, value: newNamespaces, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
      excludes: { caps: ['CAP_SYS_ADMIN'] },
    }),
    // Its flags lie in memory, where a filter cannot look. C libraries take this answer as "use clone".
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: noSuchCall, excludes: { caps: ['CAP_SYS_ADMIN'] } },
    withCapability('CAP_DAC_READ_SEARCH', 'open_by_handle_at'),
    withCapability(
      'CAP_SYS_ADMIN',
      `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
       lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
       sethostname setns syslog umount umount2 unshare`,
    ),
    withCapability('CAP_SYS_BOOT', 'reboot'),
    withCapability('CAP_SYS_CHROOT', 'chroot'),
    withCapability('CAP_SYS_MODULE', 'delete_module init_module finit_module'),
    withCapability('CAP_SYS_PACCT', 'acct'),
    withCapability('CAP_SYS_PTRACE', 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace'),
    withCapability('CAP_SYS_RAWIO', 'iopl ioperm'),
    withCapability('CAP_SYS_TIME', 'settimeofday stime clock_settime clock_settime64'),
    withCapability('CAP_SYS_TTY_CONFIG', 'vhangup'),
    withCapability('CAP_SYS_NICE', 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node'),
    withCapability('CAP_SYSLOG', 'syslog'),
    withCapability('CAP_BPF', 'bpf'),
    withCapability('CAP_PERFMON', 'perf_event_open'),
  ],
};
