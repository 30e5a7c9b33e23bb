// swift-format-ignore-file: AlwaysUseLowerCamelCase
// System call numbers by name: Swift's Glibc module imports none. The names are the kernel's, underscores included, as a reader of
// man pages knows them.

internal import CLiburing

/// The numbers of Linux system calls on the architecture that this is compiled for, for `Atom` and `IndirectAtom`.
///
/// The names are the kernel's (`man 2 syscalls`). -1: this architecture, or the kernel headers that this was compiled with, do not have
/// the call; arm64 has `openat` and no `open`. An atom with -1 gives `-ENOSYS`.
public enum SystemCall {
  /// read(2).
  public static let read = Int(SYSLET_NR_read)
  /// write(2).
  public static let write = Int(SYSLET_NR_write)
  /// open(2).
  public static let open = Int(SYSLET_NR_open)
  /// close(2).
  public static let close = Int(SYSLET_NR_close)
  /// stat(2).
  public static let stat = Int(SYSLET_NR_stat)
  /// fstat(2).
  public static let fstat = Int(SYSLET_NR_fstat)
  /// lstat(2).
  public static let lstat = Int(SYSLET_NR_lstat)
  /// poll(2).
  public static let poll = Int(SYSLET_NR_poll)
  /// lseek(2).
  public static let lseek = Int(SYSLET_NR_lseek)
  /// mmap(2).
  public static let mmap = Int(SYSLET_NR_mmap)
  /// mprotect(2).
  public static let mprotect = Int(SYSLET_NR_mprotect)
  /// munmap(2).
  public static let munmap = Int(SYSLET_NR_munmap)
  /// brk(2).
  public static let brk = Int(SYSLET_NR_brk)
  /// rt_sigaction(2).
  public static let rt_sigaction = Int(SYSLET_NR_rt_sigaction)
  /// rt_sigprocmask(2).
  public static let rt_sigprocmask = Int(SYSLET_NR_rt_sigprocmask)
  /// rt_sigreturn(2).
  public static let rt_sigreturn = Int(SYSLET_NR_rt_sigreturn)
  /// ioctl(2).
  public static let ioctl = Int(SYSLET_NR_ioctl)
  /// pread64(2).
  public static let pread64 = Int(SYSLET_NR_pread64)
  /// pwrite64(2).
  public static let pwrite64 = Int(SYSLET_NR_pwrite64)
  /// readv(2).
  public static let readv = Int(SYSLET_NR_readv)
  /// writev(2).
  public static let writev = Int(SYSLET_NR_writev)
  /// access(2).
  public static let access = Int(SYSLET_NR_access)
  /// pipe(2).
  public static let pipe = Int(SYSLET_NR_pipe)
  /// select(2).
  public static let select = Int(SYSLET_NR_select)
  /// sched_yield(2).
  public static let sched_yield = Int(SYSLET_NR_sched_yield)
  /// mremap(2).
  public static let mremap = Int(SYSLET_NR_mremap)
  /// msync(2).
  public static let msync = Int(SYSLET_NR_msync)
  /// mincore(2).
  public static let mincore = Int(SYSLET_NR_mincore)
  /// madvise(2).
  public static let madvise = Int(SYSLET_NR_madvise)
  /// shmget(2).
  public static let shmget = Int(SYSLET_NR_shmget)
  /// shmat(2).
  public static let shmat = Int(SYSLET_NR_shmat)
  /// shmctl(2).
  public static let shmctl = Int(SYSLET_NR_shmctl)
  /// dup(2).
  public static let dup = Int(SYSLET_NR_dup)
  /// dup2(2).
  public static let dup2 = Int(SYSLET_NR_dup2)
  /// pause(2).
  public static let pause = Int(SYSLET_NR_pause)
  /// nanosleep(2).
  public static let nanosleep = Int(SYSLET_NR_nanosleep)
  /// getitimer(2).
  public static let getitimer = Int(SYSLET_NR_getitimer)
  /// alarm(2).
  public static let alarm = Int(SYSLET_NR_alarm)
  /// setitimer(2).
  public static let setitimer = Int(SYSLET_NR_setitimer)
  /// getpid(2).
  public static let getpid = Int(SYSLET_NR_getpid)
  /// sendfile(2).
  public static let sendfile = Int(SYSLET_NR_sendfile)
  /// socket(2).
  public static let socket = Int(SYSLET_NR_socket)
  /// connect(2).
  public static let connect = Int(SYSLET_NR_connect)
  /// accept(2).
  public static let accept = Int(SYSLET_NR_accept)
  /// sendto(2).
  public static let sendto = Int(SYSLET_NR_sendto)
  /// recvfrom(2).
  public static let recvfrom = Int(SYSLET_NR_recvfrom)
  /// sendmsg(2).
  public static let sendmsg = Int(SYSLET_NR_sendmsg)
  /// recvmsg(2).
  public static let recvmsg = Int(SYSLET_NR_recvmsg)
  /// shutdown(2).
  public static let shutdown = Int(SYSLET_NR_shutdown)
  /// bind(2).
  public static let bind = Int(SYSLET_NR_bind)
  /// listen(2).
  public static let listen = Int(SYSLET_NR_listen)
  /// getsockname(2).
  public static let getsockname = Int(SYSLET_NR_getsockname)
  /// getpeername(2).
  public static let getpeername = Int(SYSLET_NR_getpeername)
  /// socketpair(2).
  public static let socketpair = Int(SYSLET_NR_socketpair)
  /// setsockopt(2).
  public static let setsockopt = Int(SYSLET_NR_setsockopt)
  /// getsockopt(2).
  public static let getsockopt = Int(SYSLET_NR_getsockopt)
  /// clone(2).
  public static let clone = Int(SYSLET_NR_clone)
  /// fork(2).
  public static let fork = Int(SYSLET_NR_fork)
  /// vfork(2).
  public static let vfork = Int(SYSLET_NR_vfork)
  /// execve(2).
  public static let execve = Int(SYSLET_NR_execve)
  /// exit(2).
  public static let exit = Int(SYSLET_NR_exit)
  /// wait4(2).
  public static let wait4 = Int(SYSLET_NR_wait4)
  /// kill(2).
  public static let kill = Int(SYSLET_NR_kill)
  /// uname(2).
  public static let uname = Int(SYSLET_NR_uname)
  /// semget(2).
  public static let semget = Int(SYSLET_NR_semget)
  /// semop(2).
  public static let semop = Int(SYSLET_NR_semop)
  /// semctl(2).
  public static let semctl = Int(SYSLET_NR_semctl)
  /// shmdt(2).
  public static let shmdt = Int(SYSLET_NR_shmdt)
  /// msgget(2).
  public static let msgget = Int(SYSLET_NR_msgget)
  /// msgsnd(2).
  public static let msgsnd = Int(SYSLET_NR_msgsnd)
  /// msgrcv(2).
  public static let msgrcv = Int(SYSLET_NR_msgrcv)
  /// msgctl(2).
  public static let msgctl = Int(SYSLET_NR_msgctl)
  /// fcntl(2).
  public static let fcntl = Int(SYSLET_NR_fcntl)
  /// flock(2).
  public static let flock = Int(SYSLET_NR_flock)
  /// fsync(2).
  public static let fsync = Int(SYSLET_NR_fsync)
  /// fdatasync(2).
  public static let fdatasync = Int(SYSLET_NR_fdatasync)
  /// truncate(2).
  public static let truncate = Int(SYSLET_NR_truncate)
  /// ftruncate(2).
  public static let ftruncate = Int(SYSLET_NR_ftruncate)
  /// getdents(2).
  public static let getdents = Int(SYSLET_NR_getdents)
  /// getcwd(2).
  public static let getcwd = Int(SYSLET_NR_getcwd)
  /// chdir(2).
  public static let chdir = Int(SYSLET_NR_chdir)
  /// fchdir(2).
  public static let fchdir = Int(SYSLET_NR_fchdir)
  /// rename(2).
  public static let rename = Int(SYSLET_NR_rename)
  /// mkdir(2).
  public static let mkdir = Int(SYSLET_NR_mkdir)
  /// rmdir(2).
  public static let rmdir = Int(SYSLET_NR_rmdir)
  /// creat(2).
  public static let creat = Int(SYSLET_NR_creat)
  /// link(2).
  public static let link = Int(SYSLET_NR_link)
  /// unlink(2).
  public static let unlink = Int(SYSLET_NR_unlink)
  /// symlink(2).
  public static let symlink = Int(SYSLET_NR_symlink)
  /// readlink(2).
  public static let readlink = Int(SYSLET_NR_readlink)
  /// chmod(2).
  public static let chmod = Int(SYSLET_NR_chmod)
  /// fchmod(2).
  public static let fchmod = Int(SYSLET_NR_fchmod)
  /// chown(2).
  public static let chown = Int(SYSLET_NR_chown)
  /// fchown(2).
  public static let fchown = Int(SYSLET_NR_fchown)
  /// lchown(2).
  public static let lchown = Int(SYSLET_NR_lchown)
  /// umask(2).
  public static let umask = Int(SYSLET_NR_umask)
  /// gettimeofday(2).
  public static let gettimeofday = Int(SYSLET_NR_gettimeofday)
  /// getrlimit(2).
  public static let getrlimit = Int(SYSLET_NR_getrlimit)
  /// getrusage(2).
  public static let getrusage = Int(SYSLET_NR_getrusage)
  /// sysinfo(2).
  public static let sysinfo = Int(SYSLET_NR_sysinfo)
  /// times(2).
  public static let times = Int(SYSLET_NR_times)
  /// ptrace(2).
  public static let ptrace = Int(SYSLET_NR_ptrace)
  /// getuid(2).
  public static let getuid = Int(SYSLET_NR_getuid)
  /// syslog(2).
  public static let syslog = Int(SYSLET_NR_syslog)
  /// getgid(2).
  public static let getgid = Int(SYSLET_NR_getgid)
  /// setuid(2).
  public static let setuid = Int(SYSLET_NR_setuid)
  /// setgid(2).
  public static let setgid = Int(SYSLET_NR_setgid)
  /// geteuid(2).
  public static let geteuid = Int(SYSLET_NR_geteuid)
  /// getegid(2).
  public static let getegid = Int(SYSLET_NR_getegid)
  /// setpgid(2).
  public static let setpgid = Int(SYSLET_NR_setpgid)
  /// getppid(2).
  public static let getppid = Int(SYSLET_NR_getppid)
  /// getpgrp(2).
  public static let getpgrp = Int(SYSLET_NR_getpgrp)
  /// setsid(2).
  public static let setsid = Int(SYSLET_NR_setsid)
  /// setreuid(2).
  public static let setreuid = Int(SYSLET_NR_setreuid)
  /// setregid(2).
  public static let setregid = Int(SYSLET_NR_setregid)
  /// getgroups(2).
  public static let getgroups = Int(SYSLET_NR_getgroups)
  /// setgroups(2).
  public static let setgroups = Int(SYSLET_NR_setgroups)
  /// setresuid(2).
  public static let setresuid = Int(SYSLET_NR_setresuid)
  /// getresuid(2).
  public static let getresuid = Int(SYSLET_NR_getresuid)
  /// setresgid(2).
  public static let setresgid = Int(SYSLET_NR_setresgid)
  /// getresgid(2).
  public static let getresgid = Int(SYSLET_NR_getresgid)
  /// getpgid(2).
  public static let getpgid = Int(SYSLET_NR_getpgid)
  /// setfsuid(2).
  public static let setfsuid = Int(SYSLET_NR_setfsuid)
  /// setfsgid(2).
  public static let setfsgid = Int(SYSLET_NR_setfsgid)
  /// getsid(2).
  public static let getsid = Int(SYSLET_NR_getsid)
  /// capget(2).
  public static let capget = Int(SYSLET_NR_capget)
  /// capset(2).
  public static let capset = Int(SYSLET_NR_capset)
  /// rt_sigpending(2).
  public static let rt_sigpending = Int(SYSLET_NR_rt_sigpending)
  /// rt_sigtimedwait(2).
  public static let rt_sigtimedwait = Int(SYSLET_NR_rt_sigtimedwait)
  /// rt_sigqueueinfo(2).
  public static let rt_sigqueueinfo = Int(SYSLET_NR_rt_sigqueueinfo)
  /// rt_sigsuspend(2).
  public static let rt_sigsuspend = Int(SYSLET_NR_rt_sigsuspend)
  /// sigaltstack(2).
  public static let sigaltstack = Int(SYSLET_NR_sigaltstack)
  /// utime(2).
  public static let utime = Int(SYSLET_NR_utime)
  /// mknod(2).
  public static let mknod = Int(SYSLET_NR_mknod)
  /// personality(2).
  public static let personality = Int(SYSLET_NR_personality)
  /// ustat(2).
  public static let ustat = Int(SYSLET_NR_ustat)
  /// statfs(2).
  public static let statfs = Int(SYSLET_NR_statfs)
  /// fstatfs(2).
  public static let fstatfs = Int(SYSLET_NR_fstatfs)
  /// sysfs(2).
  public static let sysfs = Int(SYSLET_NR_sysfs)
  /// getpriority(2).
  public static let getpriority = Int(SYSLET_NR_getpriority)
  /// setpriority(2).
  public static let setpriority = Int(SYSLET_NR_setpriority)
  /// sched_setparam(2).
  public static let sched_setparam = Int(SYSLET_NR_sched_setparam)
  /// sched_getparam(2).
  public static let sched_getparam = Int(SYSLET_NR_sched_getparam)
  /// sched_setscheduler(2).
  public static let sched_setscheduler = Int(SYSLET_NR_sched_setscheduler)
  /// sched_getscheduler(2).
  public static let sched_getscheduler = Int(SYSLET_NR_sched_getscheduler)
  /// sched_get_priority_max(2).
  public static let sched_get_priority_max = Int(SYSLET_NR_sched_get_priority_max)
  /// sched_get_priority_min(2).
  public static let sched_get_priority_min = Int(SYSLET_NR_sched_get_priority_min)
  /// sched_rr_get_interval(2).
  public static let sched_rr_get_interval = Int(SYSLET_NR_sched_rr_get_interval)
  /// mlock(2).
  public static let mlock = Int(SYSLET_NR_mlock)
  /// munlock(2).
  public static let munlock = Int(SYSLET_NR_munlock)
  /// mlockall(2).
  public static let mlockall = Int(SYSLET_NR_mlockall)
  /// munlockall(2).
  public static let munlockall = Int(SYSLET_NR_munlockall)
  /// vhangup(2).
  public static let vhangup = Int(SYSLET_NR_vhangup)
  /// modify_ldt(2).
  public static let modify_ldt = Int(SYSLET_NR_modify_ldt)
  /// pivot_root(2).
  public static let pivot_root = Int(SYSLET_NR_pivot_root)
  /// prctl(2).
  public static let prctl = Int(SYSLET_NR_prctl)
  /// arch_prctl(2).
  public static let arch_prctl = Int(SYSLET_NR_arch_prctl)
  /// adjtimex(2).
  public static let adjtimex = Int(SYSLET_NR_adjtimex)
  /// setrlimit(2).
  public static let setrlimit = Int(SYSLET_NR_setrlimit)
  /// chroot(2).
  public static let chroot = Int(SYSLET_NR_chroot)
  /// sync(2).
  public static let sync = Int(SYSLET_NR_sync)
  /// acct(2).
  public static let acct = Int(SYSLET_NR_acct)
  /// settimeofday(2).
  public static let settimeofday = Int(SYSLET_NR_settimeofday)
  /// mount(2).
  public static let mount = Int(SYSLET_NR_mount)
  /// umount2(2).
  public static let umount2 = Int(SYSLET_NR_umount2)
  /// swapon(2).
  public static let swapon = Int(SYSLET_NR_swapon)
  /// swapoff(2).
  public static let swapoff = Int(SYSLET_NR_swapoff)
  /// reboot(2).
  public static let reboot = Int(SYSLET_NR_reboot)
  /// sethostname(2).
  public static let sethostname = Int(SYSLET_NR_sethostname)
  /// setdomainname(2).
  public static let setdomainname = Int(SYSLET_NR_setdomainname)
  /// iopl(2).
  public static let iopl = Int(SYSLET_NR_iopl)
  /// ioperm(2).
  public static let ioperm = Int(SYSLET_NR_ioperm)
  /// delete_module(2).
  public static let delete_module = Int(SYSLET_NR_delete_module)
  /// quotactl(2).
  public static let quotactl = Int(SYSLET_NR_quotactl)
}
