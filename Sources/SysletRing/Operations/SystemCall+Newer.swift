// swift-format-ignore-file: AlwaysUseLowerCamelCase
// The rest of the system calls' numbers, from the 2.4 kernels on, in the order in which the kernel got them.

internal import CLiburing

extension SystemCall {
  /// gettid(2).
  public static let gettid = Int(SYSLET_NR_gettid)
  /// readahead(2).
  public static let readahead = Int(SYSLET_NR_readahead)
  /// setxattr(2).
  public static let setxattr = Int(SYSLET_NR_setxattr)
  /// lsetxattr(2).
  public static let lsetxattr = Int(SYSLET_NR_lsetxattr)
  /// fsetxattr(2).
  public static let fsetxattr = Int(SYSLET_NR_fsetxattr)
  /// getxattr(2).
  public static let getxattr = Int(SYSLET_NR_getxattr)
  /// lgetxattr(2).
  public static let lgetxattr = Int(SYSLET_NR_lgetxattr)
  /// fgetxattr(2).
  public static let fgetxattr = Int(SYSLET_NR_fgetxattr)
  /// listxattr(2).
  public static let listxattr = Int(SYSLET_NR_listxattr)
  /// llistxattr(2).
  public static let llistxattr = Int(SYSLET_NR_llistxattr)
  /// flistxattr(2).
  public static let flistxattr = Int(SYSLET_NR_flistxattr)
  /// removexattr(2).
  public static let removexattr = Int(SYSLET_NR_removexattr)
  /// lremovexattr(2).
  public static let lremovexattr = Int(SYSLET_NR_lremovexattr)
  /// fremovexattr(2).
  public static let fremovexattr = Int(SYSLET_NR_fremovexattr)
  /// tkill(2).
  public static let tkill = Int(SYSLET_NR_tkill)
  /// time(2).
  public static let time = Int(SYSLET_NR_time)
  /// futex(2).
  public static let futex = Int(SYSLET_NR_futex)
  /// sched_setaffinity(2).
  public static let sched_setaffinity = Int(SYSLET_NR_sched_setaffinity)
  /// sched_getaffinity(2).
  public static let sched_getaffinity = Int(SYSLET_NR_sched_getaffinity)
  /// set_thread_area(2).
  public static let set_thread_area = Int(SYSLET_NR_set_thread_area)
  /// io_setup(2).
  public static let io_setup = Int(SYSLET_NR_io_setup)
  /// io_destroy(2).
  public static let io_destroy = Int(SYSLET_NR_io_destroy)
  /// io_getevents(2).
  public static let io_getevents = Int(SYSLET_NR_io_getevents)
  /// io_submit(2).
  public static let io_submit = Int(SYSLET_NR_io_submit)
  /// io_cancel(2).
  public static let io_cancel = Int(SYSLET_NR_io_cancel)
  /// get_thread_area(2).
  public static let get_thread_area = Int(SYSLET_NR_get_thread_area)
  /// lookup_dcookie(2).
  public static let lookup_dcookie = Int(SYSLET_NR_lookup_dcookie)
  /// epoll_create(2).
  public static let epoll_create = Int(SYSLET_NR_epoll_create)
  /// epoll_ctl_old(2).
  public static let epoll_ctl_old = Int(SYSLET_NR_epoll_ctl_old)
  /// epoll_wait_old(2).
  public static let epoll_wait_old = Int(SYSLET_NR_epoll_wait_old)
  /// remap_file_pages(2).
  public static let remap_file_pages = Int(SYSLET_NR_remap_file_pages)
  /// getdents64(2).
  public static let getdents64 = Int(SYSLET_NR_getdents64)
  /// set_tid_address(2).
  public static let set_tid_address = Int(SYSLET_NR_set_tid_address)
  /// restart_syscall(2).
  public static let restart_syscall = Int(SYSLET_NR_restart_syscall)
  /// semtimedop(2).
  public static let semtimedop = Int(SYSLET_NR_semtimedop)
  /// fadvise64(2).
  public static let fadvise64 = Int(SYSLET_NR_fadvise64)
  /// timer_create(2).
  public static let timer_create = Int(SYSLET_NR_timer_create)
  /// timer_settime(2).
  public static let timer_settime = Int(SYSLET_NR_timer_settime)
  /// timer_gettime(2).
  public static let timer_gettime = Int(SYSLET_NR_timer_gettime)
  /// timer_getoverrun(2).
  public static let timer_getoverrun = Int(SYSLET_NR_timer_getoverrun)
  /// timer_delete(2).
  public static let timer_delete = Int(SYSLET_NR_timer_delete)
  /// clock_settime(2).
  public static let clock_settime = Int(SYSLET_NR_clock_settime)
  /// clock_gettime(2).
  public static let clock_gettime = Int(SYSLET_NR_clock_gettime)
  /// clock_getres(2).
  public static let clock_getres = Int(SYSLET_NR_clock_getres)
  /// clock_nanosleep(2).
  public static let clock_nanosleep = Int(SYSLET_NR_clock_nanosleep)
  /// exit_group(2).
  public static let exit_group = Int(SYSLET_NR_exit_group)
  /// epoll_wait(2).
  public static let epoll_wait = Int(SYSLET_NR_epoll_wait)
  /// epoll_ctl(2).
  public static let epoll_ctl = Int(SYSLET_NR_epoll_ctl)
  /// tgkill(2).
  public static let tgkill = Int(SYSLET_NR_tgkill)
  /// utimes(2).
  public static let utimes = Int(SYSLET_NR_utimes)
  /// mbind(2).
  public static let mbind = Int(SYSLET_NR_mbind)
  /// set_mempolicy(2).
  public static let set_mempolicy = Int(SYSLET_NR_set_mempolicy)
  /// get_mempolicy(2).
  public static let get_mempolicy = Int(SYSLET_NR_get_mempolicy)
  /// mq_open(2).
  public static let mq_open = Int(SYSLET_NR_mq_open)
  /// mq_unlink(2).
  public static let mq_unlink = Int(SYSLET_NR_mq_unlink)
  /// mq_timedsend(2).
  public static let mq_timedsend = Int(SYSLET_NR_mq_timedsend)
  /// mq_timedreceive(2).
  public static let mq_timedreceive = Int(SYSLET_NR_mq_timedreceive)
  /// mq_notify(2).
  public static let mq_notify = Int(SYSLET_NR_mq_notify)
  /// mq_getsetattr(2).
  public static let mq_getsetattr = Int(SYSLET_NR_mq_getsetattr)
  /// kexec_load(2).
  public static let kexec_load = Int(SYSLET_NR_kexec_load)
  /// waitid(2).
  public static let waitid = Int(SYSLET_NR_waitid)
  /// add_key(2).
  public static let add_key = Int(SYSLET_NR_add_key)
  /// request_key(2).
  public static let request_key = Int(SYSLET_NR_request_key)
  /// keyctl(2).
  public static let keyctl = Int(SYSLET_NR_keyctl)
  /// ioprio_set(2).
  public static let ioprio_set = Int(SYSLET_NR_ioprio_set)
  /// ioprio_get(2).
  public static let ioprio_get = Int(SYSLET_NR_ioprio_get)
  /// inotify_init(2).
  public static let inotify_init = Int(SYSLET_NR_inotify_init)
  /// inotify_add_watch(2).
  public static let inotify_add_watch = Int(SYSLET_NR_inotify_add_watch)
  /// inotify_rm_watch(2).
  public static let inotify_rm_watch = Int(SYSLET_NR_inotify_rm_watch)
  /// migrate_pages(2).
  public static let migrate_pages = Int(SYSLET_NR_migrate_pages)
  /// openat(2).
  public static let openat = Int(SYSLET_NR_openat)
  /// mkdirat(2).
  public static let mkdirat = Int(SYSLET_NR_mkdirat)
  /// mknodat(2).
  public static let mknodat = Int(SYSLET_NR_mknodat)
  /// fchownat(2).
  public static let fchownat = Int(SYSLET_NR_fchownat)
  /// futimesat(2).
  public static let futimesat = Int(SYSLET_NR_futimesat)
  /// newfstatat(2).
  public static let newfstatat = Int(SYSLET_NR_newfstatat)
  /// unlinkat(2).
  public static let unlinkat = Int(SYSLET_NR_unlinkat)
  /// renameat(2).
  public static let renameat = Int(SYSLET_NR_renameat)
  /// linkat(2).
  public static let linkat = Int(SYSLET_NR_linkat)
  /// symlinkat(2).
  public static let symlinkat = Int(SYSLET_NR_symlinkat)
  /// readlinkat(2).
  public static let readlinkat = Int(SYSLET_NR_readlinkat)
  /// fchmodat(2).
  public static let fchmodat = Int(SYSLET_NR_fchmodat)
  /// faccessat(2).
  public static let faccessat = Int(SYSLET_NR_faccessat)
  /// pselect6(2).
  public static let pselect6 = Int(SYSLET_NR_pselect6)
  /// ppoll(2).
  public static let ppoll = Int(SYSLET_NR_ppoll)
  /// unshare(2).
  public static let unshare = Int(SYSLET_NR_unshare)
  /// set_robust_list(2).
  public static let set_robust_list = Int(SYSLET_NR_set_robust_list)
  /// get_robust_list(2).
  public static let get_robust_list = Int(SYSLET_NR_get_robust_list)
  /// splice(2).
  public static let splice = Int(SYSLET_NR_splice)
  /// tee(2).
  public static let tee = Int(SYSLET_NR_tee)
  /// sync_file_range(2).
  public static let sync_file_range = Int(SYSLET_NR_sync_file_range)
  /// vmsplice(2).
  public static let vmsplice = Int(SYSLET_NR_vmsplice)
  /// move_pages(2).
  public static let move_pages = Int(SYSLET_NR_move_pages)
  /// utimensat(2).
  public static let utimensat = Int(SYSLET_NR_utimensat)
  /// epoll_pwait(2).
  public static let epoll_pwait = Int(SYSLET_NR_epoll_pwait)
  /// signalfd(2).
  public static let signalfd = Int(SYSLET_NR_signalfd)
  /// timerfd_create(2).
  public static let timerfd_create = Int(SYSLET_NR_timerfd_create)
  /// eventfd(2).
  public static let eventfd = Int(SYSLET_NR_eventfd)
  /// fallocate(2).
  public static let fallocate = Int(SYSLET_NR_fallocate)
  /// timerfd_settime(2).
  public static let timerfd_settime = Int(SYSLET_NR_timerfd_settime)
  /// timerfd_gettime(2).
  public static let timerfd_gettime = Int(SYSLET_NR_timerfd_gettime)
  /// accept4(2).
  public static let accept4 = Int(SYSLET_NR_accept4)
  /// signalfd4(2).
  public static let signalfd4 = Int(SYSLET_NR_signalfd4)
  /// eventfd2(2).
  public static let eventfd2 = Int(SYSLET_NR_eventfd2)
  /// epoll_create1(2).
  public static let epoll_create1 = Int(SYSLET_NR_epoll_create1)
  /// dup3(2).
  public static let dup3 = Int(SYSLET_NR_dup3)
  /// pipe2(2).
  public static let pipe2 = Int(SYSLET_NR_pipe2)
  /// inotify_init1(2).
  public static let inotify_init1 = Int(SYSLET_NR_inotify_init1)
  /// preadv(2).
  public static let preadv = Int(SYSLET_NR_preadv)
  /// pwritev(2).
  public static let pwritev = Int(SYSLET_NR_pwritev)
  /// rt_tgsigqueueinfo(2).
  public static let rt_tgsigqueueinfo = Int(SYSLET_NR_rt_tgsigqueueinfo)
  /// perf_event_open(2).
  public static let perf_event_open = Int(SYSLET_NR_perf_event_open)
  /// recvmmsg(2).
  public static let recvmmsg = Int(SYSLET_NR_recvmmsg)
  /// fanotify_init(2).
  public static let fanotify_init = Int(SYSLET_NR_fanotify_init)
  /// fanotify_mark(2).
  public static let fanotify_mark = Int(SYSLET_NR_fanotify_mark)
  /// prlimit64(2).
  public static let prlimit64 = Int(SYSLET_NR_prlimit64)
  /// name_to_handle_at(2).
  public static let name_to_handle_at = Int(SYSLET_NR_name_to_handle_at)
  /// open_by_handle_at(2).
  public static let open_by_handle_at = Int(SYSLET_NR_open_by_handle_at)
  /// clock_adjtime(2).
  public static let clock_adjtime = Int(SYSLET_NR_clock_adjtime)
  /// syncfs(2).
  public static let syncfs = Int(SYSLET_NR_syncfs)
  /// sendmmsg(2).
  public static let sendmmsg = Int(SYSLET_NR_sendmmsg)
  /// setns(2).
  public static let setns = Int(SYSLET_NR_setns)
  /// getcpu(2).
  public static let getcpu = Int(SYSLET_NR_getcpu)
  /// process_vm_readv(2).
  public static let process_vm_readv = Int(SYSLET_NR_process_vm_readv)
  /// process_vm_writev(2).
  public static let process_vm_writev = Int(SYSLET_NR_process_vm_writev)
  /// kcmp(2).
  public static let kcmp = Int(SYSLET_NR_kcmp)
  /// finit_module(2).
  public static let finit_module = Int(SYSLET_NR_finit_module)
  /// sched_setattr(2).
  public static let sched_setattr = Int(SYSLET_NR_sched_setattr)
  /// sched_getattr(2).
  public static let sched_getattr = Int(SYSLET_NR_sched_getattr)
  /// renameat2(2).
  public static let renameat2 = Int(SYSLET_NR_renameat2)
  /// seccomp(2).
  public static let seccomp = Int(SYSLET_NR_seccomp)
  /// getrandom(2).
  public static let getrandom = Int(SYSLET_NR_getrandom)
  /// memfd_create(2).
  public static let memfd_create = Int(SYSLET_NR_memfd_create)
  /// kexec_file_load(2).
  public static let kexec_file_load = Int(SYSLET_NR_kexec_file_load)
  /// bpf(2).
  public static let bpf = Int(SYSLET_NR_bpf)
  /// execveat(2).
  public static let execveat = Int(SYSLET_NR_execveat)
  /// userfaultfd(2).
  public static let userfaultfd = Int(SYSLET_NR_userfaultfd)
  /// membarrier(2).
  public static let membarrier = Int(SYSLET_NR_membarrier)
  /// mlock2(2).
  public static let mlock2 = Int(SYSLET_NR_mlock2)
  /// copy_file_range(2).
  public static let copy_file_range = Int(SYSLET_NR_copy_file_range)
  /// preadv2(2).
  public static let preadv2 = Int(SYSLET_NR_preadv2)
  /// pwritev2(2).
  public static let pwritev2 = Int(SYSLET_NR_pwritev2)
  /// pkey_mprotect(2).
  public static let pkey_mprotect = Int(SYSLET_NR_pkey_mprotect)
  /// pkey_alloc(2).
  public static let pkey_alloc = Int(SYSLET_NR_pkey_alloc)
  /// pkey_free(2).
  public static let pkey_free = Int(SYSLET_NR_pkey_free)
  /// statx(2).
  public static let statx = Int(SYSLET_NR_statx)
  /// io_pgetevents(2).
  public static let io_pgetevents = Int(SYSLET_NR_io_pgetevents)
  /// rseq(2).
  public static let rseq = Int(SYSLET_NR_rseq)
  /// pidfd_send_signal(2).
  public static let pidfd_send_signal = Int(SYSLET_NR_pidfd_send_signal)
  /// io_uring_setup(2).
  public static let io_uring_setup = Int(SYSLET_NR_io_uring_setup)
  /// io_uring_enter(2).
  public static let io_uring_enter = Int(SYSLET_NR_io_uring_enter)
  /// io_uring_register(2).
  public static let io_uring_register = Int(SYSLET_NR_io_uring_register)
  /// open_tree(2).
  public static let open_tree = Int(SYSLET_NR_open_tree)
  /// move_mount(2).
  public static let move_mount = Int(SYSLET_NR_move_mount)
  /// fsopen(2).
  public static let fsopen = Int(SYSLET_NR_fsopen)
  /// fsconfig(2).
  public static let fsconfig = Int(SYSLET_NR_fsconfig)
  /// fsmount(2).
  public static let fsmount = Int(SYSLET_NR_fsmount)
  /// fspick(2).
  public static let fspick = Int(SYSLET_NR_fspick)
  /// pidfd_open(2).
  public static let pidfd_open = Int(SYSLET_NR_pidfd_open)
  /// clone3(2).
  public static let clone3 = Int(SYSLET_NR_clone3)
  /// close_range(2).
  public static let close_range = Int(SYSLET_NR_close_range)
  /// openat2(2).
  public static let openat2 = Int(SYSLET_NR_openat2)
  /// pidfd_getfd(2).
  public static let pidfd_getfd = Int(SYSLET_NR_pidfd_getfd)
  /// faccessat2(2).
  public static let faccessat2 = Int(SYSLET_NR_faccessat2)
  /// process_madvise(2).
  public static let process_madvise = Int(SYSLET_NR_process_madvise)
  /// epoll_pwait2(2).
  public static let epoll_pwait2 = Int(SYSLET_NR_epoll_pwait2)
  /// mount_setattr(2).
  public static let mount_setattr = Int(SYSLET_NR_mount_setattr)
  /// quotactl_fd(2).
  public static let quotactl_fd = Int(SYSLET_NR_quotactl_fd)
  /// landlock_create_ruleset(2).
  public static let landlock_create_ruleset = Int(SYSLET_NR_landlock_create_ruleset)
  /// landlock_add_rule(2).
  public static let landlock_add_rule = Int(SYSLET_NR_landlock_add_rule)
  /// landlock_restrict_self(2).
  public static let landlock_restrict_self = Int(SYSLET_NR_landlock_restrict_self)
  /// memfd_secret(2).
  public static let memfd_secret = Int(SYSLET_NR_memfd_secret)
  /// process_mrelease(2).
  public static let process_mrelease = Int(SYSLET_NR_process_mrelease)
  /// futex_waitv(2).
  public static let futex_waitv = Int(SYSLET_NR_futex_waitv)
  /// set_mempolicy_home_node(2).
  public static let set_mempolicy_home_node = Int(SYSLET_NR_set_mempolicy_home_node)
}
