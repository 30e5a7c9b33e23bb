/* What the tests need from C, and share with the library's own C: nothing. */
#ifndef CTESTSUPPORT_H
#define CTESTSUPPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "CTestParity.h"
#include "parity_fuzz.h"

/* Makes system call `nr`: what the kernel returned, a non-negative value or -errno. */
long test_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

/* A word of this process's memory, whatever `address` is: `error` is 0 or -EFAULT. `byte_count` is 1, 2, 4 or 8. */
struct test_word {
  long error;
  uint64_t value;
};
struct test_word test_load(uint64_t address, int byte_count);
/* Stores 8 bytes: 0 or -EFAULT. */
long test_store(uint64_t address, uint64_t value);

/* The calls that docs/SEMANTICS.md refuses by name. */
bool test_is_refused(long nr);
/* Those numbers one by one: -1 past the last. */
long test_refused(int position);

/* The address of a page that stays mapped for the life of the process so that nothing else comes to lie there:
 * with no access at all, or for reading only. */
uint64_t test_inaccessible_page(void);
uint64_t test_read_only_page(void);
/* The address of 8,192 bytes, of which the second half cannot be touched. */
uint64_t test_torn_pages(void);

/* Lets system call `nr` fail with `error` in every thread of this process, for good. 0 or -errno. */
int test_deny(long nr, int error);
/* The number of io_uring_setup. */
long test_setup_number(void);

/* Calls `body` on another thread and waits for it. 0 or -errno. */
int test_on_thread(void (*body)(void *), void *context);
/* Calls `body` in a forked child: its process id, or -errno. */
int test_start_child(int (*body)(void *), void *context);
/* Waits for a child, and gives its exit status: what its body returned. -errno; -1000 - signal if one ended it. */
int test_reap_child(int child);
/* A child that has exited with `status` and waits to be reaped: its process id, or -errno. */
int test_exited_child(int status);
/* A child that does nothing until test_end_child ends and reaps it: its process id, or -errno; 0 or -errno. */
int test_living_child(void);
int test_end_child(int child);

/* Starts a thread that wakes waiters of the futex at `address` until one has been woken. 0 or -errno. */
int test_wake_one_waiter(uint64_t address);
/* Whether thread `thread` of this process sleeps. */
bool test_sleeps(int thread);
/* Starts a thread that waits on the futex at `address` while it is 0, and returns once it sleeps there. 0 or -errno.
 * The thread ends when it is woken. */
int test_one_waiter(uint64_t address);

/* Writes `byte_count` zero bytes to `descriptor` from another thread after `milliseconds`. 0 or -errno. */
int test_write_later(int descriptor, int byte_count, int milliseconds);

/* A write to a closed pipe must not end the test process. */
void test_ignore_broken_pipes(void);

/* What the entries of a directory of /proc/self, such as "fd" or "task", are now: how many. */
int test_count_entries(const char *directory);

/* Writes a line for each open descriptor, "fd NUMBER TARGET", and each thread, "task ID NAME": the length of the text, or -errno. */
int test_list_resources(char *text, int size);

/* Sets the soft limit of open descriptors. 0 or -errno. */
int test_limit_descriptors(unsigned long count);

/* Sets both limits of locked memory, and gives up the capability to exceed them on this thread and those it starts. 0 or -errno. */
int test_limit_locked_memory(unsigned long byte_count);

/* Sets the limit of a file's size, for good, and ignores the signal that goes with it: what exceeds it is -EFBIG. 0 or -errno. */
int test_limit_file_size(unsigned long byte_count);

/* The root of a new file system in memory of `byte_count` bytes, which is mounted nowhere and goes when nobody has it open: a
 * descriptor, or -errno where this machine lets nobody mount, not even in a user namespace of his own. */
int test_small_disk(unsigned long byte_count);

/* Which sanitizer watches this process. */
bool test_has_address_sanitizer(void);
bool test_has_thread_sanitizer(void);

/* What a program does with all real-time signals: their default, ignored, or a handler with SA_RESTART that counts them, and those of them that were
 * sent to a thread. */
enum test_signal_use { TEST_SIGNALS_DEFAULT, TEST_SIGNALS_IGNORED, TEST_SIGNALS_HANDLED };
void test_set_real_time_signals(enum test_signal_use use);
int test_real_time_signals_other_than(enum test_signal_use use);
int test_signals_handled(void);
int test_signals_foreign(void);

/* Blocks every signal in the calling thread, or none. */
void test_mask_all_signals(bool is_masked);
/* A signalfd for all signals that does not block: a descriptor or -1. */
int test_signal_descriptor(void);
/* Queues each real-time signal to the process, with a value: how many. Takes them from a signalfd: how many, or -1 if one of them is no such. */
int test_queue_real_time_signals(bool is_downwards);
int test_take_real_time_signals(int descriptor);
int test_first_real_time_signal(void);
int test_last_real_time_signal(void);

/* In the calling thread: unblocks a signal and gives it its default action; blocks it; whether it does; whether one is pending. */
void test_use_default_action(int number);
void test_block_signal(int number);
bool test_blocks_signal(int number);
bool test_signal_is_pending(int number);
/* To the calling thread. */
int test_raise(int number);

/* The threads of this process whose file in /proc, such as "comm" or "syscall", begins so. */
int test_count_threads(const char *file, const char *beginning);

/* Sets a soft limit of this process, up to the hard one. 0 or -errno. */
enum test_limit { TEST_LIMIT_FILE_SIZE, TEST_LIMIT_PROCESSES, TEST_LIMIT_LOCKED_MEMORY, TEST_LIMIT_ADDRESS_SPACE, TEST_LIMIT_DESCRIPTORS };
int test_set_limit(enum test_limit limit, unsigned long value);

/* Gives up root's rights for those of `user`, in all threads, for good. 0 or -errno. */
int test_become_nobody(unsigned user);

/* CLOCK_MONOTONIC in milliseconds. */
int64_t test_milliseconds(void);

#endif
