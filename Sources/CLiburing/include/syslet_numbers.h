/* System call numbers by name, for whatever architecture this is compiled for. -1: this architecture, or the installed kernel
 * headers, do not have the call (arm64 has no open, only openat). Swift's Glibc module does not import <sys/syscall.h>. */
#ifndef SYSLET_NUMBERS_H
#define SYSLET_NUMBERS_H

#include <sys/syscall.h>

enum {
#ifdef __NR_read
  SYSLET_NR_read = __NR_read,
#else
  SYSLET_NR_read = -1,
#endif
#ifdef __NR_write
  SYSLET_NR_write = __NR_write,
#else
  SYSLET_NR_write = -1,
#endif
#ifdef __NR_open
  SYSLET_NR_open = __NR_open,
#else
  SYSLET_NR_open = -1,
#endif
#ifdef __NR_close
  SYSLET_NR_close = __NR_close,
#else
  SYSLET_NR_close = -1,
#endif
#ifdef __NR_stat
  SYSLET_NR_stat = __NR_stat,
#else
  SYSLET_NR_stat = -1,
#endif
#ifdef __NR_fstat
  SYSLET_NR_fstat = __NR_fstat,
#else
  SYSLET_NR_fstat = -1,
#endif
#ifdef __NR_lstat
  SYSLET_NR_lstat = __NR_lstat,
#else
  SYSLET_NR_lstat = -1,
#endif
#ifdef __NR_poll
  SYSLET_NR_poll = __NR_poll,
#else
  SYSLET_NR_poll = -1,
#endif
#ifdef __NR_lseek
  SYSLET_NR_lseek = __NR_lseek,
#else
  SYSLET_NR_lseek = -1,
#endif
#ifdef __NR_mmap
  SYSLET_NR_mmap = __NR_mmap,
#else
  SYSLET_NR_mmap = -1,
#endif
#ifdef __NR_mprotect
  SYSLET_NR_mprotect = __NR_mprotect,
#else
  SYSLET_NR_mprotect = -1,
#endif
#ifdef __NR_munmap
  SYSLET_NR_munmap = __NR_munmap,
#else
  SYSLET_NR_munmap = -1,
#endif
#ifdef __NR_brk
  SYSLET_NR_brk = __NR_brk,
#else
  SYSLET_NR_brk = -1,
#endif
#ifdef __NR_rt_sigaction
  SYSLET_NR_rt_sigaction = __NR_rt_sigaction,
#else
  SYSLET_NR_rt_sigaction = -1,
#endif
#ifdef __NR_rt_sigprocmask
  SYSLET_NR_rt_sigprocmask = __NR_rt_sigprocmask,
#else
  SYSLET_NR_rt_sigprocmask = -1,
#endif
#ifdef __NR_rt_sigreturn
  SYSLET_NR_rt_sigreturn = __NR_rt_sigreturn,
#else
  SYSLET_NR_rt_sigreturn = -1,
#endif
#ifdef __NR_ioctl
  SYSLET_NR_ioctl = __NR_ioctl,
#else
  SYSLET_NR_ioctl = -1,
#endif
#ifdef __NR_pread64
  SYSLET_NR_pread64 = __NR_pread64,
#else
  SYSLET_NR_pread64 = -1,
#endif
#ifdef __NR_pwrite64
  SYSLET_NR_pwrite64 = __NR_pwrite64,
#else
  SYSLET_NR_pwrite64 = -1,
#endif
#ifdef __NR_readv
  SYSLET_NR_readv = __NR_readv,
#else
  SYSLET_NR_readv = -1,
#endif
#ifdef __NR_writev
  SYSLET_NR_writev = __NR_writev,
#else
  SYSLET_NR_writev = -1,
#endif
#ifdef __NR_access
  SYSLET_NR_access = __NR_access,
#else
  SYSLET_NR_access = -1,
#endif
#ifdef __NR_pipe
  SYSLET_NR_pipe = __NR_pipe,
#else
  SYSLET_NR_pipe = -1,
#endif
#ifdef __NR_select
  SYSLET_NR_select = __NR_select,
#else
  SYSLET_NR_select = -1,
#endif
#ifdef __NR_sched_yield
  SYSLET_NR_sched_yield = __NR_sched_yield,
#else
  SYSLET_NR_sched_yield = -1,
#endif
#ifdef __NR_mremap
  SYSLET_NR_mremap = __NR_mremap,
#else
  SYSLET_NR_mremap = -1,
#endif
#ifdef __NR_msync
  SYSLET_NR_msync = __NR_msync,
#else
  SYSLET_NR_msync = -1,
#endif
#ifdef __NR_mincore
  SYSLET_NR_mincore = __NR_mincore,
#else
  SYSLET_NR_mincore = -1,
#endif
#ifdef __NR_madvise
  SYSLET_NR_madvise = __NR_madvise,
#else
  SYSLET_NR_madvise = -1,
#endif
#ifdef __NR_shmget
  SYSLET_NR_shmget = __NR_shmget,
#else
  SYSLET_NR_shmget = -1,
#endif
#ifdef __NR_shmat
  SYSLET_NR_shmat = __NR_shmat,
#else
  SYSLET_NR_shmat = -1,
#endif
#ifdef __NR_shmctl
  SYSLET_NR_shmctl = __NR_shmctl,
#else
  SYSLET_NR_shmctl = -1,
#endif
#ifdef __NR_dup
  SYSLET_NR_dup = __NR_dup,
#else
  SYSLET_NR_dup = -1,
#endif
#ifdef __NR_dup2
  SYSLET_NR_dup2 = __NR_dup2,
#else
  SYSLET_NR_dup2 = -1,
#endif
#ifdef __NR_pause
  SYSLET_NR_pause = __NR_pause,
#else
  SYSLET_NR_pause = -1,
#endif
#ifdef __NR_nanosleep
  SYSLET_NR_nanosleep = __NR_nanosleep,
#else
  SYSLET_NR_nanosleep = -1,
#endif
#ifdef __NR_getitimer
  SYSLET_NR_getitimer = __NR_getitimer,
#else
  SYSLET_NR_getitimer = -1,
#endif
#ifdef __NR_alarm
  SYSLET_NR_alarm = __NR_alarm,
#else
  SYSLET_NR_alarm = -1,
#endif
#ifdef __NR_setitimer
  SYSLET_NR_setitimer = __NR_setitimer,
#else
  SYSLET_NR_setitimer = -1,
#endif
#ifdef __NR_getpid
  SYSLET_NR_getpid = __NR_getpid,
#else
  SYSLET_NR_getpid = -1,
#endif
#ifdef __NR_sendfile
  SYSLET_NR_sendfile = __NR_sendfile,
#else
  SYSLET_NR_sendfile = -1,
#endif
#ifdef __NR_socket
  SYSLET_NR_socket = __NR_socket,
#else
  SYSLET_NR_socket = -1,
#endif
#ifdef __NR_connect
  SYSLET_NR_connect = __NR_connect,
#else
  SYSLET_NR_connect = -1,
#endif
#ifdef __NR_accept
  SYSLET_NR_accept = __NR_accept,
#else
  SYSLET_NR_accept = -1,
#endif
#ifdef __NR_sendto
  SYSLET_NR_sendto = __NR_sendto,
#else
  SYSLET_NR_sendto = -1,
#endif
#ifdef __NR_recvfrom
  SYSLET_NR_recvfrom = __NR_recvfrom,
#else
  SYSLET_NR_recvfrom = -1,
#endif
#ifdef __NR_sendmsg
  SYSLET_NR_sendmsg = __NR_sendmsg,
#else
  SYSLET_NR_sendmsg = -1,
#endif
#ifdef __NR_recvmsg
  SYSLET_NR_recvmsg = __NR_recvmsg,
#else
  SYSLET_NR_recvmsg = -1,
#endif
#ifdef __NR_shutdown
  SYSLET_NR_shutdown = __NR_shutdown,
#else
  SYSLET_NR_shutdown = -1,
#endif
#ifdef __NR_bind
  SYSLET_NR_bind = __NR_bind,
#else
  SYSLET_NR_bind = -1,
#endif
#ifdef __NR_listen
  SYSLET_NR_listen = __NR_listen,
#else
  SYSLET_NR_listen = -1,
#endif
#ifdef __NR_getsockname
  SYSLET_NR_getsockname = __NR_getsockname,
#else
  SYSLET_NR_getsockname = -1,
#endif
#ifdef __NR_getpeername
  SYSLET_NR_getpeername = __NR_getpeername,
#else
  SYSLET_NR_getpeername = -1,
#endif
#ifdef __NR_socketpair
  SYSLET_NR_socketpair = __NR_socketpair,
#else
  SYSLET_NR_socketpair = -1,
#endif
#ifdef __NR_setsockopt
  SYSLET_NR_setsockopt = __NR_setsockopt,
#else
  SYSLET_NR_setsockopt = -1,
#endif
#ifdef __NR_getsockopt
  SYSLET_NR_getsockopt = __NR_getsockopt,
#else
  SYSLET_NR_getsockopt = -1,
#endif
#ifdef __NR_clone
  SYSLET_NR_clone = __NR_clone,
#else
  SYSLET_NR_clone = -1,
#endif
#ifdef __NR_fork
  SYSLET_NR_fork = __NR_fork,
#else
  SYSLET_NR_fork = -1,
#endif
#ifdef __NR_vfork
  SYSLET_NR_vfork = __NR_vfork,
#else
  SYSLET_NR_vfork = -1,
#endif
#ifdef __NR_execve
  SYSLET_NR_execve = __NR_execve,
#else
  SYSLET_NR_execve = -1,
#endif
#ifdef __NR_exit
  SYSLET_NR_exit = __NR_exit,
#else
  SYSLET_NR_exit = -1,
#endif
#ifdef __NR_wait4
  SYSLET_NR_wait4 = __NR_wait4,
#else
  SYSLET_NR_wait4 = -1,
#endif
#ifdef __NR_kill
  SYSLET_NR_kill = __NR_kill,
#else
  SYSLET_NR_kill = -1,
#endif
#ifdef __NR_uname
  SYSLET_NR_uname = __NR_uname,
#else
  SYSLET_NR_uname = -1,
#endif
#ifdef __NR_semget
  SYSLET_NR_semget = __NR_semget,
#else
  SYSLET_NR_semget = -1,
#endif
#ifdef __NR_semop
  SYSLET_NR_semop = __NR_semop,
#else
  SYSLET_NR_semop = -1,
#endif
#ifdef __NR_semctl
  SYSLET_NR_semctl = __NR_semctl,
#else
  SYSLET_NR_semctl = -1,
#endif
#ifdef __NR_shmdt
  SYSLET_NR_shmdt = __NR_shmdt,
#else
  SYSLET_NR_shmdt = -1,
#endif
#ifdef __NR_msgget
  SYSLET_NR_msgget = __NR_msgget,
#else
  SYSLET_NR_msgget = -1,
#endif
#ifdef __NR_msgsnd
  SYSLET_NR_msgsnd = __NR_msgsnd,
#else
  SYSLET_NR_msgsnd = -1,
#endif
#ifdef __NR_msgrcv
  SYSLET_NR_msgrcv = __NR_msgrcv,
#else
  SYSLET_NR_msgrcv = -1,
#endif
#ifdef __NR_msgctl
  SYSLET_NR_msgctl = __NR_msgctl,
#else
  SYSLET_NR_msgctl = -1,
#endif
#ifdef __NR_fcntl
  SYSLET_NR_fcntl = __NR_fcntl,
#else
  SYSLET_NR_fcntl = -1,
#endif
#ifdef __NR_flock
  SYSLET_NR_flock = __NR_flock,
#else
  SYSLET_NR_flock = -1,
#endif
#ifdef __NR_fsync
  SYSLET_NR_fsync = __NR_fsync,
#else
  SYSLET_NR_fsync = -1,
#endif
#ifdef __NR_fdatasync
  SYSLET_NR_fdatasync = __NR_fdatasync,
#else
  SYSLET_NR_fdatasync = -1,
#endif
#ifdef __NR_truncate
  SYSLET_NR_truncate = __NR_truncate,
#else
  SYSLET_NR_truncate = -1,
#endif
#ifdef __NR_ftruncate
  SYSLET_NR_ftruncate = __NR_ftruncate,
#else
  SYSLET_NR_ftruncate = -1,
#endif
#ifdef __NR_getdents
  SYSLET_NR_getdents = __NR_getdents,
#else
  SYSLET_NR_getdents = -1,
#endif
#ifdef __NR_getcwd
  SYSLET_NR_getcwd = __NR_getcwd,
#else
  SYSLET_NR_getcwd = -1,
#endif
#ifdef __NR_chdir
  SYSLET_NR_chdir = __NR_chdir,
#else
  SYSLET_NR_chdir = -1,
#endif
#ifdef __NR_fchdir
  SYSLET_NR_fchdir = __NR_fchdir,
#else
  SYSLET_NR_fchdir = -1,
#endif
#ifdef __NR_rename
  SYSLET_NR_rename = __NR_rename,
#else
  SYSLET_NR_rename = -1,
#endif
#ifdef __NR_mkdir
  SYSLET_NR_mkdir = __NR_mkdir,
#else
  SYSLET_NR_mkdir = -1,
#endif
#ifdef __NR_rmdir
  SYSLET_NR_rmdir = __NR_rmdir,
#else
  SYSLET_NR_rmdir = -1,
#endif
#ifdef __NR_creat
  SYSLET_NR_creat = __NR_creat,
#else
  SYSLET_NR_creat = -1,
#endif
#ifdef __NR_link
  SYSLET_NR_link = __NR_link,
#else
  SYSLET_NR_link = -1,
#endif
#ifdef __NR_unlink
  SYSLET_NR_unlink = __NR_unlink,
#else
  SYSLET_NR_unlink = -1,
#endif
#ifdef __NR_symlink
  SYSLET_NR_symlink = __NR_symlink,
#else
  SYSLET_NR_symlink = -1,
#endif
#ifdef __NR_readlink
  SYSLET_NR_readlink = __NR_readlink,
#else
  SYSLET_NR_readlink = -1,
#endif
#ifdef __NR_chmod
  SYSLET_NR_chmod = __NR_chmod,
#else
  SYSLET_NR_chmod = -1,
#endif
#ifdef __NR_fchmod
  SYSLET_NR_fchmod = __NR_fchmod,
#else
  SYSLET_NR_fchmod = -1,
#endif
#ifdef __NR_chown
  SYSLET_NR_chown = __NR_chown,
#else
  SYSLET_NR_chown = -1,
#endif
#ifdef __NR_fchown
  SYSLET_NR_fchown = __NR_fchown,
#else
  SYSLET_NR_fchown = -1,
#endif
#ifdef __NR_lchown
  SYSLET_NR_lchown = __NR_lchown,
#else
  SYSLET_NR_lchown = -1,
#endif
#ifdef __NR_umask
  SYSLET_NR_umask = __NR_umask,
#else
  SYSLET_NR_umask = -1,
#endif
#ifdef __NR_gettimeofday
  SYSLET_NR_gettimeofday = __NR_gettimeofday,
#else
  SYSLET_NR_gettimeofday = -1,
#endif
#ifdef __NR_getrlimit
  SYSLET_NR_getrlimit = __NR_getrlimit,
#else
  SYSLET_NR_getrlimit = -1,
#endif
#ifdef __NR_getrusage
  SYSLET_NR_getrusage = __NR_getrusage,
#else
  SYSLET_NR_getrusage = -1,
#endif
#ifdef __NR_sysinfo
  SYSLET_NR_sysinfo = __NR_sysinfo,
#else
  SYSLET_NR_sysinfo = -1,
#endif
#ifdef __NR_times
  SYSLET_NR_times = __NR_times,
#else
  SYSLET_NR_times = -1,
#endif
#ifdef __NR_ptrace
  SYSLET_NR_ptrace = __NR_ptrace,
#else
  SYSLET_NR_ptrace = -1,
#endif
#ifdef __NR_getuid
  SYSLET_NR_getuid = __NR_getuid,
#else
  SYSLET_NR_getuid = -1,
#endif
#ifdef __NR_syslog
  SYSLET_NR_syslog = __NR_syslog,
#else
  SYSLET_NR_syslog = -1,
#endif
#ifdef __NR_getgid
  SYSLET_NR_getgid = __NR_getgid,
#else
  SYSLET_NR_getgid = -1,
#endif
#ifdef __NR_setuid
  SYSLET_NR_setuid = __NR_setuid,
#else
  SYSLET_NR_setuid = -1,
#endif
#ifdef __NR_setgid
  SYSLET_NR_setgid = __NR_setgid,
#else
  SYSLET_NR_setgid = -1,
#endif
#ifdef __NR_geteuid
  SYSLET_NR_geteuid = __NR_geteuid,
#else
  SYSLET_NR_geteuid = -1,
#endif
#ifdef __NR_getegid
  SYSLET_NR_getegid = __NR_getegid,
#else
  SYSLET_NR_getegid = -1,
#endif
#ifdef __NR_setpgid
  SYSLET_NR_setpgid = __NR_setpgid,
#else
  SYSLET_NR_setpgid = -1,
#endif
#ifdef __NR_getppid
  SYSLET_NR_getppid = __NR_getppid,
#else
  SYSLET_NR_getppid = -1,
#endif
#ifdef __NR_getpgrp
  SYSLET_NR_getpgrp = __NR_getpgrp,
#else
  SYSLET_NR_getpgrp = -1,
#endif
#ifdef __NR_setsid
  SYSLET_NR_setsid = __NR_setsid,
#else
  SYSLET_NR_setsid = -1,
#endif
#ifdef __NR_setreuid
  SYSLET_NR_setreuid = __NR_setreuid,
#else
  SYSLET_NR_setreuid = -1,
#endif
#ifdef __NR_setregid
  SYSLET_NR_setregid = __NR_setregid,
#else
  SYSLET_NR_setregid = -1,
#endif
#ifdef __NR_getgroups
  SYSLET_NR_getgroups = __NR_getgroups,
#else
  SYSLET_NR_getgroups = -1,
#endif
#ifdef __NR_setgroups
  SYSLET_NR_setgroups = __NR_setgroups,
#else
  SYSLET_NR_setgroups = -1,
#endif
#ifdef __NR_setresuid
  SYSLET_NR_setresuid = __NR_setresuid,
#else
  SYSLET_NR_setresuid = -1,
#endif
#ifdef __NR_getresuid
  SYSLET_NR_getresuid = __NR_getresuid,
#else
  SYSLET_NR_getresuid = -1,
#endif
#ifdef __NR_setresgid
  SYSLET_NR_setresgid = __NR_setresgid,
#else
  SYSLET_NR_setresgid = -1,
#endif
#ifdef __NR_getresgid
  SYSLET_NR_getresgid = __NR_getresgid,
#else
  SYSLET_NR_getresgid = -1,
#endif
#ifdef __NR_getpgid
  SYSLET_NR_getpgid = __NR_getpgid,
#else
  SYSLET_NR_getpgid = -1,
#endif
#ifdef __NR_setfsuid
  SYSLET_NR_setfsuid = __NR_setfsuid,
#else
  SYSLET_NR_setfsuid = -1,
#endif
#ifdef __NR_setfsgid
  SYSLET_NR_setfsgid = __NR_setfsgid,
#else
  SYSLET_NR_setfsgid = -1,
#endif
#ifdef __NR_getsid
  SYSLET_NR_getsid = __NR_getsid,
#else
  SYSLET_NR_getsid = -1,
#endif
#ifdef __NR_capget
  SYSLET_NR_capget = __NR_capget,
#else
  SYSLET_NR_capget = -1,
#endif
#ifdef __NR_capset
  SYSLET_NR_capset = __NR_capset,
#else
  SYSLET_NR_capset = -1,
#endif
#ifdef __NR_rt_sigpending
  SYSLET_NR_rt_sigpending = __NR_rt_sigpending,
#else
  SYSLET_NR_rt_sigpending = -1,
#endif
#ifdef __NR_rt_sigtimedwait
  SYSLET_NR_rt_sigtimedwait = __NR_rt_sigtimedwait,
#else
  SYSLET_NR_rt_sigtimedwait = -1,
#endif
#ifdef __NR_rt_sigqueueinfo
  SYSLET_NR_rt_sigqueueinfo = __NR_rt_sigqueueinfo,
#else
  SYSLET_NR_rt_sigqueueinfo = -1,
#endif
#ifdef __NR_rt_sigsuspend
  SYSLET_NR_rt_sigsuspend = __NR_rt_sigsuspend,
#else
  SYSLET_NR_rt_sigsuspend = -1,
#endif
#ifdef __NR_sigaltstack
  SYSLET_NR_sigaltstack = __NR_sigaltstack,
#else
  SYSLET_NR_sigaltstack = -1,
#endif
#ifdef __NR_utime
  SYSLET_NR_utime = __NR_utime,
#else
  SYSLET_NR_utime = -1,
#endif
#ifdef __NR_mknod
  SYSLET_NR_mknod = __NR_mknod,
#else
  SYSLET_NR_mknod = -1,
#endif
#ifdef __NR_personality
  SYSLET_NR_personality = __NR_personality,
#else
  SYSLET_NR_personality = -1,
#endif
#ifdef __NR_ustat
  SYSLET_NR_ustat = __NR_ustat,
#else
  SYSLET_NR_ustat = -1,
#endif
#ifdef __NR_statfs
  SYSLET_NR_statfs = __NR_statfs,
#else
  SYSLET_NR_statfs = -1,
#endif
#ifdef __NR_fstatfs
  SYSLET_NR_fstatfs = __NR_fstatfs,
#else
  SYSLET_NR_fstatfs = -1,
#endif
#ifdef __NR_sysfs
  SYSLET_NR_sysfs = __NR_sysfs,
#else
  SYSLET_NR_sysfs = -1,
#endif
#ifdef __NR_getpriority
  SYSLET_NR_getpriority = __NR_getpriority,
#else
  SYSLET_NR_getpriority = -1,
#endif
#ifdef __NR_setpriority
  SYSLET_NR_setpriority = __NR_setpriority,
#else
  SYSLET_NR_setpriority = -1,
#endif
#ifdef __NR_sched_setparam
  SYSLET_NR_sched_setparam = __NR_sched_setparam,
#else
  SYSLET_NR_sched_setparam = -1,
#endif
#ifdef __NR_sched_getparam
  SYSLET_NR_sched_getparam = __NR_sched_getparam,
#else
  SYSLET_NR_sched_getparam = -1,
#endif
#ifdef __NR_sched_setscheduler
  SYSLET_NR_sched_setscheduler = __NR_sched_setscheduler,
#else
  SYSLET_NR_sched_setscheduler = -1,
#endif
#ifdef __NR_sched_getscheduler
  SYSLET_NR_sched_getscheduler = __NR_sched_getscheduler,
#else
  SYSLET_NR_sched_getscheduler = -1,
#endif
#ifdef __NR_sched_get_priority_max
  SYSLET_NR_sched_get_priority_max = __NR_sched_get_priority_max,
#else
  SYSLET_NR_sched_get_priority_max = -1,
#endif
#ifdef __NR_sched_get_priority_min
  SYSLET_NR_sched_get_priority_min = __NR_sched_get_priority_min,
#else
  SYSLET_NR_sched_get_priority_min = -1,
#endif
#ifdef __NR_sched_rr_get_interval
  SYSLET_NR_sched_rr_get_interval = __NR_sched_rr_get_interval,
#else
  SYSLET_NR_sched_rr_get_interval = -1,
#endif
#ifdef __NR_mlock
  SYSLET_NR_mlock = __NR_mlock,
#else
  SYSLET_NR_mlock = -1,
#endif
#ifdef __NR_munlock
  SYSLET_NR_munlock = __NR_munlock,
#else
  SYSLET_NR_munlock = -1,
#endif
#ifdef __NR_mlockall
  SYSLET_NR_mlockall = __NR_mlockall,
#else
  SYSLET_NR_mlockall = -1,
#endif
#ifdef __NR_munlockall
  SYSLET_NR_munlockall = __NR_munlockall,
#else
  SYSLET_NR_munlockall = -1,
#endif
#ifdef __NR_vhangup
  SYSLET_NR_vhangup = __NR_vhangup,
#else
  SYSLET_NR_vhangup = -1,
#endif
#ifdef __NR_modify_ldt
  SYSLET_NR_modify_ldt = __NR_modify_ldt,
#else
  SYSLET_NR_modify_ldt = -1,
#endif
#ifdef __NR_pivot_root
  SYSLET_NR_pivot_root = __NR_pivot_root,
#else
  SYSLET_NR_pivot_root = -1,
#endif
#ifdef __NR_prctl
  SYSLET_NR_prctl = __NR_prctl,
#else
  SYSLET_NR_prctl = -1,
#endif
#ifdef __NR_arch_prctl
  SYSLET_NR_arch_prctl = __NR_arch_prctl,
#else
  SYSLET_NR_arch_prctl = -1,
#endif
#ifdef __NR_adjtimex
  SYSLET_NR_adjtimex = __NR_adjtimex,
#else
  SYSLET_NR_adjtimex = -1,
#endif
#ifdef __NR_setrlimit
  SYSLET_NR_setrlimit = __NR_setrlimit,
#else
  SYSLET_NR_setrlimit = -1,
#endif
#ifdef __NR_chroot
  SYSLET_NR_chroot = __NR_chroot,
#else
  SYSLET_NR_chroot = -1,
#endif
#ifdef __NR_sync
  SYSLET_NR_sync = __NR_sync,
#else
  SYSLET_NR_sync = -1,
#endif
#ifdef __NR_acct
  SYSLET_NR_acct = __NR_acct,
#else
  SYSLET_NR_acct = -1,
#endif
#ifdef __NR_settimeofday
  SYSLET_NR_settimeofday = __NR_settimeofday,
#else
  SYSLET_NR_settimeofday = -1,
#endif
#ifdef __NR_mount
  SYSLET_NR_mount = __NR_mount,
#else
  SYSLET_NR_mount = -1,
#endif
#ifdef __NR_umount2
  SYSLET_NR_umount2 = __NR_umount2,
#else
  SYSLET_NR_umount2 = -1,
#endif
#ifdef __NR_swapon
  SYSLET_NR_swapon = __NR_swapon,
#else
  SYSLET_NR_swapon = -1,
#endif
#ifdef __NR_swapoff
  SYSLET_NR_swapoff = __NR_swapoff,
#else
  SYSLET_NR_swapoff = -1,
#endif
#ifdef __NR_reboot
  SYSLET_NR_reboot = __NR_reboot,
#else
  SYSLET_NR_reboot = -1,
#endif
#ifdef __NR_sethostname
  SYSLET_NR_sethostname = __NR_sethostname,
#else
  SYSLET_NR_sethostname = -1,
#endif
#ifdef __NR_setdomainname
  SYSLET_NR_setdomainname = __NR_setdomainname,
#else
  SYSLET_NR_setdomainname = -1,
#endif
#ifdef __NR_iopl
  SYSLET_NR_iopl = __NR_iopl,
#else
  SYSLET_NR_iopl = -1,
#endif
#ifdef __NR_ioperm
  SYSLET_NR_ioperm = __NR_ioperm,
#else
  SYSLET_NR_ioperm = -1,
#endif
#ifdef __NR_delete_module
  SYSLET_NR_delete_module = __NR_delete_module,
#else
  SYSLET_NR_delete_module = -1,
#endif
#ifdef __NR_quotactl
  SYSLET_NR_quotactl = __NR_quotactl,
#else
  SYSLET_NR_quotactl = -1,
#endif
#ifdef __NR_gettid
  SYSLET_NR_gettid = __NR_gettid,
#else
  SYSLET_NR_gettid = -1,
#endif
#ifdef __NR_readahead
  SYSLET_NR_readahead = __NR_readahead,
#else
  SYSLET_NR_readahead = -1,
#endif
#ifdef __NR_setxattr
  SYSLET_NR_setxattr = __NR_setxattr,
#else
  SYSLET_NR_setxattr = -1,
#endif
#ifdef __NR_lsetxattr
  SYSLET_NR_lsetxattr = __NR_lsetxattr,
#else
  SYSLET_NR_lsetxattr = -1,
#endif
#ifdef __NR_fsetxattr
  SYSLET_NR_fsetxattr = __NR_fsetxattr,
#else
  SYSLET_NR_fsetxattr = -1,
#endif
#ifdef __NR_getxattr
  SYSLET_NR_getxattr = __NR_getxattr,
#else
  SYSLET_NR_getxattr = -1,
#endif
#ifdef __NR_lgetxattr
  SYSLET_NR_lgetxattr = __NR_lgetxattr,
#else
  SYSLET_NR_lgetxattr = -1,
#endif
#ifdef __NR_fgetxattr
  SYSLET_NR_fgetxattr = __NR_fgetxattr,
#else
  SYSLET_NR_fgetxattr = -1,
#endif
#ifdef __NR_listxattr
  SYSLET_NR_listxattr = __NR_listxattr,
#else
  SYSLET_NR_listxattr = -1,
#endif
#ifdef __NR_llistxattr
  SYSLET_NR_llistxattr = __NR_llistxattr,
#else
  SYSLET_NR_llistxattr = -1,
#endif
#ifdef __NR_flistxattr
  SYSLET_NR_flistxattr = __NR_flistxattr,
#else
  SYSLET_NR_flistxattr = -1,
#endif
#ifdef __NR_removexattr
  SYSLET_NR_removexattr = __NR_removexattr,
#else
  SYSLET_NR_removexattr = -1,
#endif
#ifdef __NR_lremovexattr
  SYSLET_NR_lremovexattr = __NR_lremovexattr,
#else
  SYSLET_NR_lremovexattr = -1,
#endif
#ifdef __NR_fremovexattr
  SYSLET_NR_fremovexattr = __NR_fremovexattr,
#else
  SYSLET_NR_fremovexattr = -1,
#endif
#ifdef __NR_tkill
  SYSLET_NR_tkill = __NR_tkill,
#else
  SYSLET_NR_tkill = -1,
#endif
#ifdef __NR_time
  SYSLET_NR_time = __NR_time,
#else
  SYSLET_NR_time = -1,
#endif
#ifdef __NR_futex
  SYSLET_NR_futex = __NR_futex,
#else
  SYSLET_NR_futex = -1,
#endif
#ifdef __NR_sched_setaffinity
  SYSLET_NR_sched_setaffinity = __NR_sched_setaffinity,
#else
  SYSLET_NR_sched_setaffinity = -1,
#endif
#ifdef __NR_sched_getaffinity
  SYSLET_NR_sched_getaffinity = __NR_sched_getaffinity,
#else
  SYSLET_NR_sched_getaffinity = -1,
#endif
#ifdef __NR_set_thread_area
  SYSLET_NR_set_thread_area = __NR_set_thread_area,
#else
  SYSLET_NR_set_thread_area = -1,
#endif
#ifdef __NR_io_setup
  SYSLET_NR_io_setup = __NR_io_setup,
#else
  SYSLET_NR_io_setup = -1,
#endif
#ifdef __NR_io_destroy
  SYSLET_NR_io_destroy = __NR_io_destroy,
#else
  SYSLET_NR_io_destroy = -1,
#endif
#ifdef __NR_io_getevents
  SYSLET_NR_io_getevents = __NR_io_getevents,
#else
  SYSLET_NR_io_getevents = -1,
#endif
#ifdef __NR_io_submit
  SYSLET_NR_io_submit = __NR_io_submit,
#else
  SYSLET_NR_io_submit = -1,
#endif
#ifdef __NR_io_cancel
  SYSLET_NR_io_cancel = __NR_io_cancel,
#else
  SYSLET_NR_io_cancel = -1,
#endif
#ifdef __NR_get_thread_area
  SYSLET_NR_get_thread_area = __NR_get_thread_area,
#else
  SYSLET_NR_get_thread_area = -1,
#endif
#ifdef __NR_lookup_dcookie
  SYSLET_NR_lookup_dcookie = __NR_lookup_dcookie,
#else
  SYSLET_NR_lookup_dcookie = -1,
#endif
#ifdef __NR_epoll_create
  SYSLET_NR_epoll_create = __NR_epoll_create,
#else
  SYSLET_NR_epoll_create = -1,
#endif
#ifdef __NR_epoll_ctl_old
  SYSLET_NR_epoll_ctl_old = __NR_epoll_ctl_old,
#else
  SYSLET_NR_epoll_ctl_old = -1,
#endif
#ifdef __NR_epoll_wait_old
  SYSLET_NR_epoll_wait_old = __NR_epoll_wait_old,
#else
  SYSLET_NR_epoll_wait_old = -1,
#endif
#ifdef __NR_remap_file_pages
  SYSLET_NR_remap_file_pages = __NR_remap_file_pages,
#else
  SYSLET_NR_remap_file_pages = -1,
#endif
#ifdef __NR_getdents64
  SYSLET_NR_getdents64 = __NR_getdents64,
#else
  SYSLET_NR_getdents64 = -1,
#endif
#ifdef __NR_set_tid_address
  SYSLET_NR_set_tid_address = __NR_set_tid_address,
#else
  SYSLET_NR_set_tid_address = -1,
#endif
#ifdef __NR_restart_syscall
  SYSLET_NR_restart_syscall = __NR_restart_syscall,
#else
  SYSLET_NR_restart_syscall = -1,
#endif
#ifdef __NR_semtimedop
  SYSLET_NR_semtimedop = __NR_semtimedop,
#else
  SYSLET_NR_semtimedop = -1,
#endif
#ifdef __NR_fadvise64
  SYSLET_NR_fadvise64 = __NR_fadvise64,
#else
  SYSLET_NR_fadvise64 = -1,
#endif
#ifdef __NR_timer_create
  SYSLET_NR_timer_create = __NR_timer_create,
#else
  SYSLET_NR_timer_create = -1,
#endif
#ifdef __NR_timer_settime
  SYSLET_NR_timer_settime = __NR_timer_settime,
#else
  SYSLET_NR_timer_settime = -1,
#endif
#ifdef __NR_timer_gettime
  SYSLET_NR_timer_gettime = __NR_timer_gettime,
#else
  SYSLET_NR_timer_gettime = -1,
#endif
#ifdef __NR_timer_getoverrun
  SYSLET_NR_timer_getoverrun = __NR_timer_getoverrun,
#else
  SYSLET_NR_timer_getoverrun = -1,
#endif
#ifdef __NR_timer_delete
  SYSLET_NR_timer_delete = __NR_timer_delete,
#else
  SYSLET_NR_timer_delete = -1,
#endif
#ifdef __NR_clock_settime
  SYSLET_NR_clock_settime = __NR_clock_settime,
#else
  SYSLET_NR_clock_settime = -1,
#endif
#ifdef __NR_clock_gettime
  SYSLET_NR_clock_gettime = __NR_clock_gettime,
#else
  SYSLET_NR_clock_gettime = -1,
#endif
#ifdef __NR_clock_getres
  SYSLET_NR_clock_getres = __NR_clock_getres,
#else
  SYSLET_NR_clock_getres = -1,
#endif
#ifdef __NR_clock_nanosleep
  SYSLET_NR_clock_nanosleep = __NR_clock_nanosleep,
#else
  SYSLET_NR_clock_nanosleep = -1,
#endif
#ifdef __NR_exit_group
  SYSLET_NR_exit_group = __NR_exit_group,
#else
  SYSLET_NR_exit_group = -1,
#endif
#ifdef __NR_epoll_wait
  SYSLET_NR_epoll_wait = __NR_epoll_wait,
#else
  SYSLET_NR_epoll_wait = -1,
#endif
#ifdef __NR_epoll_ctl
  SYSLET_NR_epoll_ctl = __NR_epoll_ctl,
#else
  SYSLET_NR_epoll_ctl = -1,
#endif
#ifdef __NR_tgkill
  SYSLET_NR_tgkill = __NR_tgkill,
#else
  SYSLET_NR_tgkill = -1,
#endif
#ifdef __NR_utimes
  SYSLET_NR_utimes = __NR_utimes,
#else
  SYSLET_NR_utimes = -1,
#endif
#ifdef __NR_mbind
  SYSLET_NR_mbind = __NR_mbind,
#else
  SYSLET_NR_mbind = -1,
#endif
#ifdef __NR_set_mempolicy
  SYSLET_NR_set_mempolicy = __NR_set_mempolicy,
#else
  SYSLET_NR_set_mempolicy = -1,
#endif
#ifdef __NR_get_mempolicy
  SYSLET_NR_get_mempolicy = __NR_get_mempolicy,
#else
  SYSLET_NR_get_mempolicy = -1,
#endif
#ifdef __NR_mq_open
  SYSLET_NR_mq_open = __NR_mq_open,
#else
  SYSLET_NR_mq_open = -1,
#endif
#ifdef __NR_mq_unlink
  SYSLET_NR_mq_unlink = __NR_mq_unlink,
#else
  SYSLET_NR_mq_unlink = -1,
#endif
#ifdef __NR_mq_timedsend
  SYSLET_NR_mq_timedsend = __NR_mq_timedsend,
#else
  SYSLET_NR_mq_timedsend = -1,
#endif
#ifdef __NR_mq_timedreceive
  SYSLET_NR_mq_timedreceive = __NR_mq_timedreceive,
#else
  SYSLET_NR_mq_timedreceive = -1,
#endif
#ifdef __NR_mq_notify
  SYSLET_NR_mq_notify = __NR_mq_notify,
#else
  SYSLET_NR_mq_notify = -1,
#endif
#ifdef __NR_mq_getsetattr
  SYSLET_NR_mq_getsetattr = __NR_mq_getsetattr,
#else
  SYSLET_NR_mq_getsetattr = -1,
#endif
#ifdef __NR_kexec_load
  SYSLET_NR_kexec_load = __NR_kexec_load,
#else
  SYSLET_NR_kexec_load = -1,
#endif
#ifdef __NR_waitid
  SYSLET_NR_waitid = __NR_waitid,
#else
  SYSLET_NR_waitid = -1,
#endif
#ifdef __NR_add_key
  SYSLET_NR_add_key = __NR_add_key,
#else
  SYSLET_NR_add_key = -1,
#endif
#ifdef __NR_request_key
  SYSLET_NR_request_key = __NR_request_key,
#else
  SYSLET_NR_request_key = -1,
#endif
#ifdef __NR_keyctl
  SYSLET_NR_keyctl = __NR_keyctl,
#else
  SYSLET_NR_keyctl = -1,
#endif
#ifdef __NR_ioprio_set
  SYSLET_NR_ioprio_set = __NR_ioprio_set,
#else
  SYSLET_NR_ioprio_set = -1,
#endif
#ifdef __NR_ioprio_get
  SYSLET_NR_ioprio_get = __NR_ioprio_get,
#else
  SYSLET_NR_ioprio_get = -1,
#endif
#ifdef __NR_inotify_init
  SYSLET_NR_inotify_init = __NR_inotify_init,
#else
  SYSLET_NR_inotify_init = -1,
#endif
#ifdef __NR_inotify_add_watch
  SYSLET_NR_inotify_add_watch = __NR_inotify_add_watch,
#else
  SYSLET_NR_inotify_add_watch = -1,
#endif
#ifdef __NR_inotify_rm_watch
  SYSLET_NR_inotify_rm_watch = __NR_inotify_rm_watch,
#else
  SYSLET_NR_inotify_rm_watch = -1,
#endif
#ifdef __NR_migrate_pages
  SYSLET_NR_migrate_pages = __NR_migrate_pages,
#else
  SYSLET_NR_migrate_pages = -1,
#endif
#ifdef __NR_openat
  SYSLET_NR_openat = __NR_openat,
#else
  SYSLET_NR_openat = -1,
#endif
#ifdef __NR_mkdirat
  SYSLET_NR_mkdirat = __NR_mkdirat,
#else
  SYSLET_NR_mkdirat = -1,
#endif
#ifdef __NR_mknodat
  SYSLET_NR_mknodat = __NR_mknodat,
#else
  SYSLET_NR_mknodat = -1,
#endif
#ifdef __NR_fchownat
  SYSLET_NR_fchownat = __NR_fchownat,
#else
  SYSLET_NR_fchownat = -1,
#endif
#ifdef __NR_futimesat
  SYSLET_NR_futimesat = __NR_futimesat,
#else
  SYSLET_NR_futimesat = -1,
#endif
#ifdef __NR_newfstatat
  SYSLET_NR_newfstatat = __NR_newfstatat,
#else
  SYSLET_NR_newfstatat = -1,
#endif
#ifdef __NR_unlinkat
  SYSLET_NR_unlinkat = __NR_unlinkat,
#else
  SYSLET_NR_unlinkat = -1,
#endif
#ifdef __NR_renameat
  SYSLET_NR_renameat = __NR_renameat,
#else
  SYSLET_NR_renameat = -1,
#endif
#ifdef __NR_linkat
  SYSLET_NR_linkat = __NR_linkat,
#else
  SYSLET_NR_linkat = -1,
#endif
#ifdef __NR_symlinkat
  SYSLET_NR_symlinkat = __NR_symlinkat,
#else
  SYSLET_NR_symlinkat = -1,
#endif
#ifdef __NR_readlinkat
  SYSLET_NR_readlinkat = __NR_readlinkat,
#else
  SYSLET_NR_readlinkat = -1,
#endif
#ifdef __NR_fchmodat
  SYSLET_NR_fchmodat = __NR_fchmodat,
#else
  SYSLET_NR_fchmodat = -1,
#endif
#ifdef __NR_faccessat
  SYSLET_NR_faccessat = __NR_faccessat,
#else
  SYSLET_NR_faccessat = -1,
#endif
#ifdef __NR_pselect6
  SYSLET_NR_pselect6 = __NR_pselect6,
#else
  SYSLET_NR_pselect6 = -1,
#endif
#ifdef __NR_ppoll
  SYSLET_NR_ppoll = __NR_ppoll,
#else
  SYSLET_NR_ppoll = -1,
#endif
#ifdef __NR_unshare
  SYSLET_NR_unshare = __NR_unshare,
#else
  SYSLET_NR_unshare = -1,
#endif
#ifdef __NR_set_robust_list
  SYSLET_NR_set_robust_list = __NR_set_robust_list,
#else
  SYSLET_NR_set_robust_list = -1,
#endif
#ifdef __NR_get_robust_list
  SYSLET_NR_get_robust_list = __NR_get_robust_list,
#else
  SYSLET_NR_get_robust_list = -1,
#endif
#ifdef __NR_splice
  SYSLET_NR_splice = __NR_splice,
#else
  SYSLET_NR_splice = -1,
#endif
#ifdef __NR_tee
  SYSLET_NR_tee = __NR_tee,
#else
  SYSLET_NR_tee = -1,
#endif
#ifdef __NR_sync_file_range
  SYSLET_NR_sync_file_range = __NR_sync_file_range,
#else
  SYSLET_NR_sync_file_range = -1,
#endif
#ifdef __NR_vmsplice
  SYSLET_NR_vmsplice = __NR_vmsplice,
#else
  SYSLET_NR_vmsplice = -1,
#endif
#ifdef __NR_move_pages
  SYSLET_NR_move_pages = __NR_move_pages,
#else
  SYSLET_NR_move_pages = -1,
#endif
#ifdef __NR_utimensat
  SYSLET_NR_utimensat = __NR_utimensat,
#else
  SYSLET_NR_utimensat = -1,
#endif
#ifdef __NR_epoll_pwait
  SYSLET_NR_epoll_pwait = __NR_epoll_pwait,
#else
  SYSLET_NR_epoll_pwait = -1,
#endif
#ifdef __NR_signalfd
  SYSLET_NR_signalfd = __NR_signalfd,
#else
  SYSLET_NR_signalfd = -1,
#endif
#ifdef __NR_timerfd_create
  SYSLET_NR_timerfd_create = __NR_timerfd_create,
#else
  SYSLET_NR_timerfd_create = -1,
#endif
#ifdef __NR_eventfd
  SYSLET_NR_eventfd = __NR_eventfd,
#else
  SYSLET_NR_eventfd = -1,
#endif
#ifdef __NR_fallocate
  SYSLET_NR_fallocate = __NR_fallocate,
#else
  SYSLET_NR_fallocate = -1,
#endif
#ifdef __NR_timerfd_settime
  SYSLET_NR_timerfd_settime = __NR_timerfd_settime,
#else
  SYSLET_NR_timerfd_settime = -1,
#endif
#ifdef __NR_timerfd_gettime
  SYSLET_NR_timerfd_gettime = __NR_timerfd_gettime,
#else
  SYSLET_NR_timerfd_gettime = -1,
#endif
#ifdef __NR_accept4
  SYSLET_NR_accept4 = __NR_accept4,
#else
  SYSLET_NR_accept4 = -1,
#endif
#ifdef __NR_signalfd4
  SYSLET_NR_signalfd4 = __NR_signalfd4,
#else
  SYSLET_NR_signalfd4 = -1,
#endif
#ifdef __NR_eventfd2
  SYSLET_NR_eventfd2 = __NR_eventfd2,
#else
  SYSLET_NR_eventfd2 = -1,
#endif
#ifdef __NR_epoll_create1
  SYSLET_NR_epoll_create1 = __NR_epoll_create1,
#else
  SYSLET_NR_epoll_create1 = -1,
#endif
#ifdef __NR_dup3
  SYSLET_NR_dup3 = __NR_dup3,
#else
  SYSLET_NR_dup3 = -1,
#endif
#ifdef __NR_pipe2
  SYSLET_NR_pipe2 = __NR_pipe2,
#else
  SYSLET_NR_pipe2 = -1,
#endif
#ifdef __NR_inotify_init1
  SYSLET_NR_inotify_init1 = __NR_inotify_init1,
#else
  SYSLET_NR_inotify_init1 = -1,
#endif
#ifdef __NR_preadv
  SYSLET_NR_preadv = __NR_preadv,
#else
  SYSLET_NR_preadv = -1,
#endif
#ifdef __NR_pwritev
  SYSLET_NR_pwritev = __NR_pwritev,
#else
  SYSLET_NR_pwritev = -1,
#endif
#ifdef __NR_rt_tgsigqueueinfo
  SYSLET_NR_rt_tgsigqueueinfo = __NR_rt_tgsigqueueinfo,
#else
  SYSLET_NR_rt_tgsigqueueinfo = -1,
#endif
#ifdef __NR_perf_event_open
  SYSLET_NR_perf_event_open = __NR_perf_event_open,
#else
  SYSLET_NR_perf_event_open = -1,
#endif
#ifdef __NR_recvmmsg
  SYSLET_NR_recvmmsg = __NR_recvmmsg,
#else
  SYSLET_NR_recvmmsg = -1,
#endif
#ifdef __NR_fanotify_init
  SYSLET_NR_fanotify_init = __NR_fanotify_init,
#else
  SYSLET_NR_fanotify_init = -1,
#endif
#ifdef __NR_fanotify_mark
  SYSLET_NR_fanotify_mark = __NR_fanotify_mark,
#else
  SYSLET_NR_fanotify_mark = -1,
#endif
#ifdef __NR_prlimit64
  SYSLET_NR_prlimit64 = __NR_prlimit64,
#else
  SYSLET_NR_prlimit64 = -1,
#endif
#ifdef __NR_name_to_handle_at
  SYSLET_NR_name_to_handle_at = __NR_name_to_handle_at,
#else
  SYSLET_NR_name_to_handle_at = -1,
#endif
#ifdef __NR_open_by_handle_at
  SYSLET_NR_open_by_handle_at = __NR_open_by_handle_at,
#else
  SYSLET_NR_open_by_handle_at = -1,
#endif
#ifdef __NR_clock_adjtime
  SYSLET_NR_clock_adjtime = __NR_clock_adjtime,
#else
  SYSLET_NR_clock_adjtime = -1,
#endif
#ifdef __NR_syncfs
  SYSLET_NR_syncfs = __NR_syncfs,
#else
  SYSLET_NR_syncfs = -1,
#endif
#ifdef __NR_sendmmsg
  SYSLET_NR_sendmmsg = __NR_sendmmsg,
#else
  SYSLET_NR_sendmmsg = -1,
#endif
#ifdef __NR_setns
  SYSLET_NR_setns = __NR_setns,
#else
  SYSLET_NR_setns = -1,
#endif
#ifdef __NR_getcpu
  SYSLET_NR_getcpu = __NR_getcpu,
#else
  SYSLET_NR_getcpu = -1,
#endif
#ifdef __NR_process_vm_readv
  SYSLET_NR_process_vm_readv = __NR_process_vm_readv,
#else
  SYSLET_NR_process_vm_readv = -1,
#endif
#ifdef __NR_process_vm_writev
  SYSLET_NR_process_vm_writev = __NR_process_vm_writev,
#else
  SYSLET_NR_process_vm_writev = -1,
#endif
#ifdef __NR_kcmp
  SYSLET_NR_kcmp = __NR_kcmp,
#else
  SYSLET_NR_kcmp = -1,
#endif
#ifdef __NR_finit_module
  SYSLET_NR_finit_module = __NR_finit_module,
#else
  SYSLET_NR_finit_module = -1,
#endif
#ifdef __NR_sched_setattr
  SYSLET_NR_sched_setattr = __NR_sched_setattr,
#else
  SYSLET_NR_sched_setattr = -1,
#endif
#ifdef __NR_sched_getattr
  SYSLET_NR_sched_getattr = __NR_sched_getattr,
#else
  SYSLET_NR_sched_getattr = -1,
#endif
#ifdef __NR_renameat2
  SYSLET_NR_renameat2 = __NR_renameat2,
#else
  SYSLET_NR_renameat2 = -1,
#endif
#ifdef __NR_seccomp
  SYSLET_NR_seccomp = __NR_seccomp,
#else
  SYSLET_NR_seccomp = -1,
#endif
#ifdef __NR_getrandom
  SYSLET_NR_getrandom = __NR_getrandom,
#else
  SYSLET_NR_getrandom = -1,
#endif
#ifdef __NR_memfd_create
  SYSLET_NR_memfd_create = __NR_memfd_create,
#else
  SYSLET_NR_memfd_create = -1,
#endif
#ifdef __NR_kexec_file_load
  SYSLET_NR_kexec_file_load = __NR_kexec_file_load,
#else
  SYSLET_NR_kexec_file_load = -1,
#endif
#ifdef __NR_bpf
  SYSLET_NR_bpf = __NR_bpf,
#else
  SYSLET_NR_bpf = -1,
#endif
#ifdef __NR_execveat
  SYSLET_NR_execveat = __NR_execveat,
#else
  SYSLET_NR_execveat = -1,
#endif
#ifdef __NR_userfaultfd
  SYSLET_NR_userfaultfd = __NR_userfaultfd,
#else
  SYSLET_NR_userfaultfd = -1,
#endif
#ifdef __NR_membarrier
  SYSLET_NR_membarrier = __NR_membarrier,
#else
  SYSLET_NR_membarrier = -1,
#endif
#ifdef __NR_mlock2
  SYSLET_NR_mlock2 = __NR_mlock2,
#else
  SYSLET_NR_mlock2 = -1,
#endif
#ifdef __NR_copy_file_range
  SYSLET_NR_copy_file_range = __NR_copy_file_range,
#else
  SYSLET_NR_copy_file_range = -1,
#endif
#ifdef __NR_preadv2
  SYSLET_NR_preadv2 = __NR_preadv2,
#else
  SYSLET_NR_preadv2 = -1,
#endif
#ifdef __NR_pwritev2
  SYSLET_NR_pwritev2 = __NR_pwritev2,
#else
  SYSLET_NR_pwritev2 = -1,
#endif
#ifdef __NR_pkey_mprotect
  SYSLET_NR_pkey_mprotect = __NR_pkey_mprotect,
#else
  SYSLET_NR_pkey_mprotect = -1,
#endif
#ifdef __NR_pkey_alloc
  SYSLET_NR_pkey_alloc = __NR_pkey_alloc,
#else
  SYSLET_NR_pkey_alloc = -1,
#endif
#ifdef __NR_pkey_free
  SYSLET_NR_pkey_free = __NR_pkey_free,
#else
  SYSLET_NR_pkey_free = -1,
#endif
#ifdef __NR_statx
  SYSLET_NR_statx = __NR_statx,
#else
  SYSLET_NR_statx = -1,
#endif
#ifdef __NR_io_pgetevents
  SYSLET_NR_io_pgetevents = __NR_io_pgetevents,
#else
  SYSLET_NR_io_pgetevents = -1,
#endif
#ifdef __NR_rseq
  SYSLET_NR_rseq = __NR_rseq,
#else
  SYSLET_NR_rseq = -1,
#endif
#ifdef __NR_pidfd_send_signal
  SYSLET_NR_pidfd_send_signal = __NR_pidfd_send_signal,
#else
  SYSLET_NR_pidfd_send_signal = -1,
#endif
#ifdef __NR_io_uring_setup
  SYSLET_NR_io_uring_setup = __NR_io_uring_setup,
#else
  SYSLET_NR_io_uring_setup = -1,
#endif
#ifdef __NR_io_uring_enter
  SYSLET_NR_io_uring_enter = __NR_io_uring_enter,
#else
  SYSLET_NR_io_uring_enter = -1,
#endif
#ifdef __NR_io_uring_register
  SYSLET_NR_io_uring_register = __NR_io_uring_register,
#else
  SYSLET_NR_io_uring_register = -1,
#endif
#ifdef __NR_open_tree
  SYSLET_NR_open_tree = __NR_open_tree,
#else
  SYSLET_NR_open_tree = -1,
#endif
#ifdef __NR_move_mount
  SYSLET_NR_move_mount = __NR_move_mount,
#else
  SYSLET_NR_move_mount = -1,
#endif
#ifdef __NR_fsopen
  SYSLET_NR_fsopen = __NR_fsopen,
#else
  SYSLET_NR_fsopen = -1,
#endif
#ifdef __NR_fsconfig
  SYSLET_NR_fsconfig = __NR_fsconfig,
#else
  SYSLET_NR_fsconfig = -1,
#endif
#ifdef __NR_fsmount
  SYSLET_NR_fsmount = __NR_fsmount,
#else
  SYSLET_NR_fsmount = -1,
#endif
#ifdef __NR_fspick
  SYSLET_NR_fspick = __NR_fspick,
#else
  SYSLET_NR_fspick = -1,
#endif
#ifdef __NR_pidfd_open
  SYSLET_NR_pidfd_open = __NR_pidfd_open,
#else
  SYSLET_NR_pidfd_open = -1,
#endif
#ifdef __NR_clone3
  SYSLET_NR_clone3 = __NR_clone3,
#else
  SYSLET_NR_clone3 = -1,
#endif
#ifdef __NR_close_range
  SYSLET_NR_close_range = __NR_close_range,
#else
  SYSLET_NR_close_range = -1,
#endif
#ifdef __NR_openat2
  SYSLET_NR_openat2 = __NR_openat2,
#else
  SYSLET_NR_openat2 = -1,
#endif
#ifdef __NR_pidfd_getfd
  SYSLET_NR_pidfd_getfd = __NR_pidfd_getfd,
#else
  SYSLET_NR_pidfd_getfd = -1,
#endif
#ifdef __NR_faccessat2
  SYSLET_NR_faccessat2 = __NR_faccessat2,
#else
  SYSLET_NR_faccessat2 = -1,
#endif
#ifdef __NR_process_madvise
  SYSLET_NR_process_madvise = __NR_process_madvise,
#else
  SYSLET_NR_process_madvise = -1,
#endif
#ifdef __NR_epoll_pwait2
  SYSLET_NR_epoll_pwait2 = __NR_epoll_pwait2,
#else
  SYSLET_NR_epoll_pwait2 = -1,
#endif
#ifdef __NR_mount_setattr
  SYSLET_NR_mount_setattr = __NR_mount_setattr,
#else
  SYSLET_NR_mount_setattr = -1,
#endif
#ifdef __NR_quotactl_fd
  SYSLET_NR_quotactl_fd = __NR_quotactl_fd,
#else
  SYSLET_NR_quotactl_fd = -1,
#endif
#ifdef __NR_landlock_create_ruleset
  SYSLET_NR_landlock_create_ruleset = __NR_landlock_create_ruleset,
#else
  SYSLET_NR_landlock_create_ruleset = -1,
#endif
#ifdef __NR_landlock_add_rule
  SYSLET_NR_landlock_add_rule = __NR_landlock_add_rule,
#else
  SYSLET_NR_landlock_add_rule = -1,
#endif
#ifdef __NR_landlock_restrict_self
  SYSLET_NR_landlock_restrict_self = __NR_landlock_restrict_self,
#else
  SYSLET_NR_landlock_restrict_self = -1,
#endif
#ifdef __NR_memfd_secret
  SYSLET_NR_memfd_secret = __NR_memfd_secret,
#else
  SYSLET_NR_memfd_secret = -1,
#endif
#ifdef __NR_process_mrelease
  SYSLET_NR_process_mrelease = __NR_process_mrelease,
#else
  SYSLET_NR_process_mrelease = -1,
#endif
#ifdef __NR_futex_waitv
  SYSLET_NR_futex_waitv = __NR_futex_waitv,
#else
  SYSLET_NR_futex_waitv = -1,
#endif
#ifdef __NR_set_mempolicy_home_node
  SYSLET_NR_set_mempolicy_home_node = __NR_set_mempolicy_home_node,
#else
  SYSLET_NR_set_mempolicy_home_node = -1,
#endif
  SYSLET_NR_absent = -1
};

#endif
