/* Plain system calls, and what a thread asks about itself and others. */
#include "syslet_call.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

static long (*simulated_call)(long nr, const uint64_t arguments[6]);
void syslet_call_simulate(long (*call)(long nr, const uint64_t arguments[6])) { simulated_call = call; }
int syslet_call_is_simulated(uint64_t a0) { return simulated_call && a0 >> SYSLET_SIMULATED_BIT == 1; }

/* A signal handler makes calls too, and may have interrupted the sanitizer itself. */
#define IN_HANDLERS __attribute__((no_sanitize("thread")))

/* The result as the kernel gives it: -errno, without errno itself, which is the caller's. */
IN_HANDLERS static long kernel_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
#if defined(__x86_64__) && defined(__LP64__)
  /* syscall(2)'s own registers: through the C library, with errno there and back, a call takes 40 instructions more. */
  register uint64_t r10 __asm__("r10") = a3;
  register uint64_t r8 __asm__("r8") = a4;
  register uint64_t r9 __asm__("r9") = a5;
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
#else
  int saved = errno;
  long result = syscall(nr, a0, a1, a2, a3, a4, a5);
  if (result == -1) {
    result = -(long)errno;
    errno = saved;
  }
  return result;
#endif
}

IN_HANDLERS long syslet_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
  if (simulated_call && a0 >> SYSLET_SIMULATED_BIT == 1)
    return simulated_call(nr, (uint64_t[]){a0, a1, a2, a3, a4, a5});
  return kernel_call(nr, a0, a1, a2, a3, a4, a5);
}

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif
/* struct open_how, whose header clashes with fcntl.h's. */
struct how {
  uint64_t flags, mode, resolve;
};

long syslet_open_cached(int directory, const char *path, int flags) {
  /* What io_uring does for its first try: a FIFO that is opened with O_NONBLOCK does not wait for its other end. */
  struct how how = {.flags = (uint32_t)(flags | O_NONBLOCK), .resolve = RESOLVE_CACHED};
  long result = syslet_call(SYS_openat2, (uint64_t)(int64_t)directory, (uintptr_t)path, (uintptr_t)&how, sizeof how, 0, 0);
  switch (result) {
  case -EINVAL: /* flags that openat(2) would ignore */
  case -ENOSYS: /* before Linux 5.6, and 5.12 for RESOLVE_CACHED: that is -EINVAL too */
  case -EPERM:  /* a seccomp filter */
  case -ENXIO:  /* a FIFO that nobody reads: openat(2) would wait */
    return -EAGAIN;
  }
  return result;
}

long syslet_open_now(int directory, const char *path, int flags, unsigned mode) {
  long result = syslet_call(SYS_openat, (uint64_t)(int64_t)directory, (uintptr_t)path, (uint64_t)(uint32_t)(flags | O_NONBLOCK), mode, 0, 0);
  return result == -ENXIO ? -EAGAIN : result;
}

void syslet_open_settle(int descriptor, int flags) {
  if (!(flags & O_NONBLOCK)) syslet_call(SYS_fcntl, (uint64_t)descriptor, F_SETFL, (uint64_t)(uint32_t)flags, 0, 0, 0);
}

#ifndef AT_STATX_DONT_SYNC
#define AT_STATX_DONT_SYNC 0x4000
#endif
int syslet_file_facts_get(int descriptor, bool quick, struct syslet_file_facts *facts) {
  struct statx extended;
  struct stat status;
  long result = -ENOSYS;
  if (!quick && !syslet_call_is_simulated((uint64_t)(uint32_t)descriptor)) {
    result = syslet_call(SYS_statx, (uint64_t)descriptor, (uintptr_t) "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO,
                         (uintptr_t)&extended, 0);
    if (result == 0)
      *facts = (struct syslet_file_facts){makedev(extended.stx_dev_major, extended.stx_dev_minor), extended.stx_ino, extended.stx_mode};
  }
  /* Before Linux 4.11, under a seccomp filter that is as old, and for a descriptor that takes no name. */
  if (result == -ENOSYS || result == -EPERM) {
    result = syslet_call(SYS_fstat, (uint64_t)descriptor, (uintptr_t)&status, 0, 0, 0, 0);
    if (result == 0) *facts = (struct syslet_file_facts){status.st_dev, status.st_ino, status.st_mode};
  }
  return (int)result;
}

/* statmount(2), from Linux 6.8 on: what the mount knows, where fstatfs(2) asks the file server. 457 on every architecture. 0 and the type; -ENOENT for a
 * mount that this process does not see, -errno where there is no such call. */
static long mounted_file_system(int descriptor, uint64_t *type) {
  enum { mount_id_unique = 0x4000, basic = 1, nr_statmount = 457 };
  struct statx found;
  struct {
    uint32_t size, reserved;
    uint64_t id, wanted;
  } request = {24, 0, 0, basic};
  /* The beginning of struct statmount, which has 512 bytes. */
  struct {
    uint32_t size, options;
    uint64_t mask;
    uint32_t device_major, device_minor;
    uint64_t magic;
    uint8_t rest[512 - 32];
  } answer;
  memset(&found, 0, sizeof found);
  memset(&answer, 0, sizeof answer);
  long result = syslet_call(SYS_statx, (uint64_t)descriptor, (uintptr_t) "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, mount_id_unique, (uintptr_t)&found, 0);
  if (result != 0) return result;
  if (!(found.stx_mask & mount_id_unique)) return -ENOSYS;
  /* stx_mnt_id, for which older headers have no name. */
  memcpy(&request.id, (const char *)&found + 0x90, sizeof request.id);
  result = syslet_call(nr_statmount, (uintptr_t)&request, (uintptr_t)&answer, sizeof answer, 0, 0, 0);
  if (result == 0) *type = answer.mask & basic ? answer.magic : 0;
  return result;
}

/* F_GET_SEALS: only these files have any. */
int syslet_descriptor_is_memory(int descriptor) { return syslet_call(SYS_fcntl, (uint64_t)descriptor, 1034, 0, 0, 0, 0) >= 0; }

uint64_t syslet_file_system(int descriptor) {
  enum { get_pipe_size = 1032 };
  uint64_t type = 0;
  long result = mounted_file_system(descriptor, &type);
  if (result == 0) return type;
  if (result == -ENOENT) {
    /* A mount of another namespace, which may be a hung server's, or the kernel's own: memory or pipes. */
    if (syslet_descriptor_is_memory(descriptor)) return 0x01021994;
    if (syslet_call(SYS_fcntl, (uint64_t)descriptor, get_pipe_size, 0, 0, 0, 0) < 0) return 0;
  }
  struct statfs status;
  result = syslet_call(SYS_fstatfs, (uint64_t)descriptor, (uintptr_t)&status, 0, 0, 0, 0);
  return result == 0 ? (uint64_t)status.f_type : 0;
}

static long read_now(int descriptor, void *buffer, size_t length) {
  struct iovec whole = {buffer, length};
  long result = syslet_call(SYS_preadv2, (uint64_t)descriptor, (uintptr_t)&whole, 1, (uint64_t)-1, 0, RWF_NOWAIT);
  return result == -EOPNOTSUPP || result == -ENOSYS ? -EAGAIN : result;
}

/* 200 ns for each read that comes to the end of its file. Of anything else, short is all that a read gives: more would be the next packet, or
 * be waited for. */
static bool is_regular(int descriptor) {
  struct stat status;
  return syslet_call(SYS_fstat, (uint64_t)descriptor, (uintptr_t)&status, 0, 0, 0, 0) == 0 && S_ISREG(status.st_mode);
}

long syslet_read_cached(int descriptor, void *buffer, size_t length) {
  long result, rest;
  /* No buffer is so long: read(2) fails without waiting, and with another error than preadv2(2). */
  if (length > SSIZE_MAX) return syslet_call(SYS_read, (uint64_t)descriptor, (uintptr_t)buffer, length, 0, 0, 0);
  result = read_now(descriptor, buffer, length);
  if (result <= 0 || (size_t)result == length || !is_regular(descriptor)) return result;
  /* Less than was asked for: the end of the file, or of what is in memory. What has been read cannot be taken back, so the rest is waited for. */
  rest = read_now(descriptor, (char *)buffer + result, length - (size_t)result);
  while (rest > 0 || rest == -EAGAIN) {
    if (rest > 0) result += rest;
    if ((size_t)result == length) break;
    rest = syslet_call(SYS_read, (uint64_t)descriptor, (uintptr_t)buffer + (size_t)result, length - (size_t)result, 0, 0, 0);
  }
  return result;
}

static pthread_once_t ticks_once = PTHREAD_ONCE_INIT;
static uint64_t ticks_rate = 1;
static void measure_ticks(void) {
  int64_t begin = syslet_now(), now;
  uint64_t ticks = syslet_ticks();
  do now = syslet_now();
  while (now - begin < 20000);
  ticks = (syslet_ticks() - ticks) * 1000 / (uint64_t)(now - begin);
  if (ticks > 0) ticks_rate = ticks;
}
uint64_t syslet_ticks_per_microsecond(void) {
  pthread_once(&ticks_once, measure_ticks);
  return ticks_rate;
}

_Static_assert(SYSLET_O_DIRECT == O_DIRECT, "O_DIRECT");
int syslet_descriptor_is_direct(int descriptor) {
  long flags = syslet_call(SYS_fcntl, (uint64_t)descriptor, F_GETFL, 0, 0, 0, 0);
  return flags < 0 ? (int)flags : (flags & O_DIRECT) != 0;
}

int syslet_descriptor_is_file(int descriptor) {
  struct stat status;
  return syslet_call(SYS_fstat, (uint64_t)descriptor, (uintptr_t)&status, 0, 0, 0, 0) == 0 &&
         (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode));
}

static int copied(ssize_t count, size_t byte_count) {
  if (count == (ssize_t)byte_count) return 0;
  return count < 0 ? -errno : -EFAULT; /* a partial copy ran into an unmapped page */
}

int syslet_memory_read(const void *user, void *local, size_t byte_count) {
  struct iovec here = {local, byte_count}, there = {(void *)(uintptr_t)user, byte_count};
  return copied(process_vm_readv(getpid(), &here, 1, &there, 1, 0), byte_count);
}

int syslet_memory_write(void *user, const void *local, size_t byte_count) {
  struct iovec here = {(void *)(uintptr_t)local, byte_count}, there = {user, byte_count};
  return copied(process_vm_writev(getpid(), &here, 1, &there, 1, 0), byte_count);
}

int syslet_memory_add(long *word, long increment, int checked, long *sum) {
  /* Checked additions go through the kernel's copies, which are not atomic: this lock makes them so among themselves. */
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  int result;
  if ((uintptr_t)word < 4096) return -EFAULT;
  if (!checked) {
    *sum = increment ? __atomic_add_fetch(word, increment, __ATOMIC_RELAXED) : __atomic_load_n(word, __ATOMIC_RELAXED);
    return 0;
  }
  pthread_mutex_lock(&lock);
  result = syslet_memory_read(word, sum, sizeof *sum);
  if (result == 0 && increment) {
    *sum = (long)((unsigned long)*sum + (unsigned long)increment);
    result = syslet_memory_write(word, sum, sizeof *sum);
  }
  pthread_mutex_unlock(&lock);
  return result;
}

int syslet_futex_wait(uint32_t *word, uint32_t expected, int64_t timeout_ns) {
  struct timespec limit = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
  long result = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout_ns < 0 ? NULL : &limit, NULL, 0);
  if (result == 0 || errno == EAGAIN) return 0;
  return -errno;
}

void syslet_futex_wake(uint32_t *word, int count) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0); }

int syslet_doorbell_open(void) {
  int descriptor = eventfd(0, EFD_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

void syslet_doorbell_ring(int descriptor) {
  uint64_t one = 1;
  /* It cannot fail but for a full counter, and then the doorbell has been rung. */
  ssize_t written = write(descriptor, &one, sizeof one);
  (void)written;
}

void syslet_doorbell_clear(int descriptor) {
  uint64_t rings;
  struct iovec all = {&rings, sizeof rings};
  /* It was rung, but a read that the ring has may have taken that already. Where an eventfd has no such try, before Linux 5.8, there is none. */
  long taken = syscall(SYS_preadv2, descriptor, &all, 1, -1L, -1L, RWF_NOWAIT);
  if (taken < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) taken = read(descriptor, &rings, sizeof rings);
  (void)taken;
}

__thread uint64_t syslet_token;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static unsigned fork_generation;

/* The one thread that a forked child has keeps its number and gets the child's generation. */
static void count_fork(void) {
  fork_generation++;
  syslet_token = (syslet_token & SYSLET_TOKEN_THREAD) | (uint64_t)fork_generation << SYSLET_TOKEN_BITS;
}
static void watch_forks(void) { pthread_atfork(NULL, NULL, count_fork); }

uint64_t syslet_thread_token(void) {
  static uint64_t last;
  pthread_once(&fork_once, watch_forks);
  if (!(syslet_token & SYSLET_TOKEN_THREAD))
    syslet_token = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED) | (uint64_t)fork_generation << SYSLET_TOKEN_BITS;
  return syslet_token;
}

int syslet_thread_run(void *(*body)(void *), void *context) {
  pthread_t thread;
  sigset_t blocked, before;
  int result;
  sigfillset(&blocked);
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  result = pthread_create(&thread, NULL, body, context);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (result == 0) result = pthread_join(thread, NULL);
  return -result;
}

int syslet_thread_begin(const char *name) {
  prctl(PR_SET_NAME, name);
  return (int)syscall(SYS_gettid);
}

void syslet_processors_get(struct syslet_processors *processors) {
  *processors = (struct syslet_processors){{0}};
  /* With more processors than there are bits it fails, and leaves none: then no thread is moved. */
  if (syscall(SYS_sched_getaffinity, 0, sizeof *processors, processors) < 0) *processors = (struct syslet_processors){{0}};
}

int syslet_processor(void) { return sched_getcpu(); }

int syslet_thread_move(int tid, int processor) {
  struct syslet_processors one = {{0}};
  if (processor < 0 || processor >= 64 * 16) return -EINVAL;
  one.bits[processor / 64] = UINT64_C(1) << (processor % 64);
  return syslet_thread_release(tid, &one);
}

int syslet_thread_release(int tid, const struct syslet_processors *processors) {
  return syscall(SYS_sched_setaffinity, tid, sizeof *processors, processors) < 0 ? -errno : 0;
}

int64_t syslet_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
