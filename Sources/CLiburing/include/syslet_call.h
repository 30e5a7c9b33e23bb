/* Plain system calls, memory that may be unmapped, and the few things that Swift cannot import. */
#ifndef SYSLET_CALL_H
#define SYSLET_CALL_H

#include <stdbool.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t syslet_now(void);

/* Makes system call `nr` and returns what the kernel returned: a non-negative value or -errno. errno is preserved. */
long syslet_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

/* The same for a call of a syslet's, which cannot kill the process by a signal (law L12): SIGPIPE and SIGXFSZ become -EPIPE and -EFBIG. On a
 * thread of the program's they may be blocked from then on, until syslet_shield_lower; on a worker they always are, and
 * syslet_thread_interrupt ends the call. */
long syslet_call_for_syslet(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

/* What it returns of a worker's call that was ended before the kernel had it, or that the kernel would have begun again. No system call returns it: the
 * kernel keeps it to itself (ERESTARTNOINTR). */
#define SYSLET_CALL_LEFT (-513)

/* Before an enter of the ring in which the kernel may write to a file, a pipe or a socket on the owner's thread. */
void syslet_shield_raise(void);

/* Before the owner's thread returns to the program, or sleeps: takes back what calls have raised, and unblocks what was not blocked before. */
extern __thread bool syslet_shield_is_up;
void syslet_shield_take_down(void);
static inline void syslet_shield_lower(void) {
  if (syslet_shield_is_up) syslet_shield_take_down();
}

/* Opens what can be opened without waiting: names that the kernel has in memory, no FIFO's other end. -EAGAIN where it would have to wait, or
 * where this kernel cannot tell; any other result is that of openat(2) without O_CREAT, O_TRUNC, O_TMPFILE and O_PATH, which `flags` must not
 * have. The descriptor has O_NONBLOCK until syslet_open_settle. */
long syslet_open_cached(int directory, const char *path, int flags);

/* Opens with any flags but O_PATH, and `mode` for what is created. -EAGAIN where another party would have to be waited for, and then nothing has
 * happened; it may wait for a device. The descriptor has O_NONBLOCK until syslet_open_settle. */
long syslet_open_now(int directory, const char *path, int flags, unsigned mode);

/* Gives a descriptor of these two the flags that it was to be opened with. A system call of its own, for which the program need not pay
 * if the descriptor is only read and closed. */
void syslet_open_settle(int descriptor, int flags);

/* Reads at the file's position what can be read without waiting: bytes that are in the page cache. Of a regular file, a result
 * below `length` is the end of the file. -EAGAIN, and nothing has been read, where it would have to wait or where the file system cannot tell. A
 * file opened with O_DIRECT waits for its device all the same. Costs 100 ns more than read(2). */
long syslet_read_cached(int descriptor, void *buffer, size_t length);

/* What a descriptor names. */
struct syslet_file_facts {
  uint64_t device; /* the file system's number */
  uint64_t inode;
  uint32_t mode;
};

/* Asks for it: 0 or -errno. Not `quick` it asks no file server (statx(2), AT_STATX_DONT_SYNC), which may never answer; `quick` it takes two thirds of
 * the time (fstat(2)). */
int syslet_file_facts_get(int descriptor, bool quick, struct syslet_file_facts *facts);

/* The number of the file system that `descriptor` is on (f_type of fstatfs(2)); 0 where it cannot be told. */
uint64_t syslet_file_system(int descriptor);

/* A counter that only grows, read in a third of the time that a clock takes, and how far it gets in a microsecond. */
static inline uint64_t syslet_ticks(void) {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t ticks;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
  return (uint64_t)syslet_now();
#endif
}
uint64_t syslet_ticks_per_microsecond(void);

/* O_DIRECT, whose value is the architecture's and which Swift does not see. */
#if defined(__aarch64__) || defined(__arm__)
enum { SYSLET_O_DIRECT = 0200000 };
#else
enum { SYSLET_O_DIRECT = 040000 };
#endif

/* Whether a descriptor has it: 1, 0 or -errno. */
int syslet_descriptor_is_direct(int descriptor);
/* Whether it names a file that is in memory and nowhere else: on tmpfs, of memfd_create(2), of hugetlbfs. 210 ns, and nobody is ever waited for. */
int syslet_descriptor_is_memory(int descriptor);

/* Whether it names a file, a directory or a block device: a transfer waits for no other party then. False where the kernel does not tell. */
int syslet_descriptor_is_file(int descriptor);

/* For tests: calls whose first argument is a descriptor with this bit as its highest are answered by `call` from now on, on whatever
 * thread they are made; NULL ends it. */
#define SYSLET_SIMULATED_BIT 30
void syslet_call_simulate(long (*call)(long nr, const uint64_t arguments[6]));
int syslet_call_is_simulated(uint64_t a0);

/* Copies between this process's own memory at `user` and `local`, whatever `user` points to.
 * 0, or -EFAULT for memory that is unmapped or not writable; any other -errno means that the kernel refuses such copies here. */
int syslet_memory_read(const void *user, void *local, size_t byte_count);
int syslet_memory_write(void *user, const void *local, size_t byte_count);

/* Adds `increment` to the word at `word` and gives the sum. Atomic, so that syslets on several threads may share a counter.
 * `checked` gives -EFAULT for memory that is unmapped or read-only; otherwise only the first page is recognised as bad. */
int syslet_memory_add(long *word, long increment, int checked, long *sum);

/* Futex wait on a word of this process: 0 when woken or when the word already differs, -ETIMEDOUT, -EINTR.
 * `timeout_ns` < 0 waits without a limit. */
int syslet_futex_wait(uint32_t *word, uint32_t expected, int64_t timeout_ns);
void syslet_futex_wake(uint32_t *word, int count);

/* An eventfd, close-on-exec: the descriptor or -errno. Ring it with syslet_doorbell_ring. */
int syslet_doorbell_open(void);
void syslet_doorbell_ring(int descriptor);
/* Takes its rings back, once it is known to have been rung. */
void syslet_doorbell_clear(int descriptor);

/* A number that no other thread of this process has or has had, below the count of the forks that made the process: an engine compares it to
 * know its thread, and that it was not inherited. pthread_self() is handed on to the next thread when one has ended. */
uint64_t syslet_thread_token(void);
enum { SYSLET_TOKEN_BITS = 40 };
#define SYSLET_TOKEN_THREAD ((UINT64_C(1) << SYSLET_TOKEN_BITS) - 1)

/* The same in one load, 0 for a thread that has never asked: every call into an engine looks at it. */
extern __thread uint64_t syslet_token;
static inline uint64_t syslet_thread_token_if_any(void) { return syslet_token; }

/* A detached thread with every signal blocked but, on a worker, the one that interrupts its calls: `interrupt_signal`, or one that is free where that
 * is 0. 0 or -errno. One that runs code of the program's has a stack as other threads have, and what tells of a fault in that code is not blocked. */
enum syslet_thread_kind { SYSLET_THREAD_WORKER, SYSLET_THREAD_TASKS };
int syslet_thread_start(enum syslet_thread_kind kind, int interrupt_signal, void *(*body)(void *), void *context);
int syslet_signal_is_real_time(int number);

/* Runs `body` on a thread of its own with every signal blocked, and waits for its end. 0 or -errno. */
int syslet_thread_run(void *(*body)(void *), void *context);

/* Names the calling thread, for whoever looks at the process, and gives its kernel id. */
int syslet_thread_begin(const char *name);

/* The processors that the calling thread may use. */
struct syslet_processors {
  uint64_t bits[16];
};
void syslet_processors_get(struct syslet_processors *processors);

/* The processor that the calling thread is on, and moving thread `tid` of this process to it, or to any of `processors`: 0 or -errno. */
int syslet_processor(void);
int syslet_thread_move(int tid, int processor);
int syslet_thread_release(int tid, const struct syslet_processors *processors);

/* Interrupts the call that worker `tid` is making with syslet_call_for_syslet, so that it returns SYSLET_CALL_LEFT or -EINTR. 0 or -errno.
 * It may come before the worker is there, and is to be repeated while the call goes on. */
int syslet_thread_interrupt(int tid);

/* On a worker that may have been interrupted: from here on no interruption is on its way. */
void syslet_thread_settle(void);

/* Publishes a completion ring's slot. Pairs with an acquire load (or a later call into the engine) of whoever reads the slot. */
static inline void syslet_slot_store(void **slot, void *value) {
  __atomic_store_n(slot, value, __ATOMIC_RELEASE);
}
static inline void *syslet_slot_load(void **slot) {
  return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

#endif
