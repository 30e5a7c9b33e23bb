/* The signals that calls raise become results (law L12): no syslet kills or interrupts the program by SIGPIPE or SIGXFSZ. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "signals.h"
#include "syslet_call.h"

/* Both are sent to the thread that makes the call. Blocked there, they are taken back when the call has raised one. Blocking and restoring
 * costs 410 ns (Linux 6.18, of a write's 700), so it is done once for all calls of a turn of the owner, at the first that may raise one. RWF_NOSIGNAL (6.18)
 * costs 120 ns for each call, and says nothing about SIGXFSZ; asking for RLIMIT_FSIZE costs what blocking costs. */
#define RAISED (SIGNAL_BIT(SIGPIPE) | SIGNAL_BIT(SIGXFSZ))

enum raises {
  RAISES_NOTHING,
  RAISES_ON_ERROR, /* with -EFBIG only */
  RAISES_ANY_TIME, /* a pipe that loses its reader after some bytes gives those, and the signal too */
  RAISES_IN_IOCTL, /* FICLONE and the like */
  RAISES_FLAGS_2,  /* a send, which MSG_NOSIGNAL keeps from it: the flags' position */
  RAISES_FLAGS_3,
};
static const uint8_t raising[] = {
    [SYS_write] = RAISES_ANY_TIME,     [SYS_writev] = RAISES_ANY_TIME,        [SYS_pwrite64] = RAISES_ANY_TIME,
    [SYS_pwritev] = RAISES_ANY_TIME,   [SYS_pwritev2] = RAISES_ANY_TIME,      [SYS_sendfile] = RAISES_ANY_TIME,
    [SYS_splice] = RAISES_ANY_TIME,    [SYS_tee] = RAISES_ANY_TIME,           [SYS_vmsplice] = RAISES_ANY_TIME,
    [SYS_io_submit] = RAISES_ANY_TIME, [SYS_copy_file_range] = RAISES_ON_ERROR, [SYS_io_uring_enter] = RAISES_ANY_TIME,
    [SYS_truncate] = RAISES_ON_ERROR,  [SYS_ftruncate] = RAISES_ON_ERROR,     [SYS_fallocate] = RAISES_ON_ERROR,
    [SYS_ioctl] = RAISES_IN_IOCTL,     [SYS_sendmsg] = RAISES_FLAGS_2,        [SYS_sendto] = RAISES_FLAGS_3,
    [SYS_sendmmsg] = RAISES_FLAGS_3,
};

__thread bool syslet_shield_is_up;
static __thread struct {
  uint64_t blocked; /* of the two, what was blocked before */
  uint64_t pending; /* and what was pending: that is the program's */
  bool is_hit;      /* a call may have raised one */
} shield;

static void raise_shield(void) {
  uint64_t both = RAISED, before = 0, pending = 0;
  syslet_call(SYS_rt_sigprocmask, SIG_BLOCK, (uintptr_t)&both, (uintptr_t)&before, sizeof both, 0, 0);
  if (before & RAISED) syslet_call(SYS_rt_sigpending, (uintptr_t)&pending, sizeof pending, 0, 0, 0, 0);
  shield.blocked = before & RAISED;
  shield.pending = pending & RAISED;
  shield.is_hit = false;
  syslet_shield_is_up = true;
}

void syslet_shield_raise(void) {
  if (!syslet_shield_is_up) raise_shield();
  shield.is_hit = true;
}

void syslet_shield_take_down(void) {
  uint64_t set = RAISED & ~shield.pending;
  struct timespec no_time = {0};
  siginfo_t info;
  while (shield.is_hit && set) {
    long taken = syslet_call(SYS_rt_sigtimedwait, (uintptr_t)&set, (uintptr_t)&info, (uintptr_t)&no_time, sizeof set, 0, 0);
    if (taken == -EINTR) continue;
    if (taken <= 0) break;
    /* The thread's own are taken first, and those that the kernel sends for a call come from this process. Another's is not ours. */
    if (info.si_code == SI_USER && info.si_pid == getpid()) continue;
    set &= ~SIGNAL_BIT(taken);
    syslet_call(SYS_rt_sigqueueinfo, (uint64_t)getpid(), (uint64_t)taken, (uintptr_t)&info, 0, 0, 0);
  }
  set = RAISED & ~shield.blocked;
  syslet_shield_is_up = false;
  if (set) syslet_call(SYS_rt_sigprocmask, SIG_UNBLOCK, (uintptr_t)&set, 0, sizeof set, 0, 0);
}

/* On a thread of the program's. */
static long call_shielded(enum raises raises, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
  enum { no_signal = 0x4000 }; /* MSG_NOSIGNAL */
  long result;
  if (raises == RAISES_FLAGS_2 && !(a2 & no_signal)) {
    result = syslet_call(nr, a0, a1, a2 | no_signal, a3, a4, a5);
  } else if (raises == RAISES_FLAGS_3 && !(a3 & no_signal)) {
    result = syslet_call(nr, a0, a1, a2, a3 | no_signal, a4, a5);
  } else if (raises == RAISES_FLAGS_2 || raises == RAISES_FLAGS_3) {
    return syslet_call(nr, a0, a1, a2, a3, a4, a5);
  } else {
    result = -EINVAL;
  }
  /* Some protocols (X.25, AX.25, QRTR) refuse the flag, and then nothing has happened. */
  if (result != -EINVAL) return result;
  if (!syslet_shield_is_up) raise_shield();
  result = syslet_call(nr, a0, a1, a2, a3, a4, a5);
  if (result < 0 ? result == -EPIPE || result == -EFBIG
                 : raises == RAISES_ANY_TIME && ((nr != SYS_write && nr != SYS_pwrite64) || (uint64_t)result < a2))
    shield.is_hit = true;
  return result;
}

long syslet_call_for_syslet(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
  enum raises raises;
  if (syslet_call_is_simulated(a0)) return syslet_call(nr, a0, a1, a2, a3, a4, a5);
  /* Workers block what calls raise. */
  if (syslet_is_worker) return syslet_worker_call(nr, a0, a1, a2, a3, a4, a5);
  raises = (unsigned long)nr < sizeof raising ? (enum raises)raising[nr] : RAISES_NOTHING;
  /* Of btrfs and of XFS, as which these go elsewhere too. */
  if (raises == RAISES_IN_IOCTL) raises = (a1 >> 8 & 0xFF) == 0x94 || (a1 >> 8 & 0xFF) == 'X' ? RAISES_ON_ERROR : RAISES_NOTHING;
  if (raises == RAISES_NOTHING) return syslet_call(nr, a0, a1, a2, a3, a4, a5);
  return call_shielded(raises, nr, a0, a1, a2, a3, a4, a5);
}
