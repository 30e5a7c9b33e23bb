/* What syslet-bench needs and Swift cannot do: count the heap allocations of the process, note a signal, name a few constants. */
#ifndef CSYSLETBENCH_H
#define CSYSLETBENCH_H

#include <stdbool.h>
#include <stdint.h>

/* Whether this program's malloc family is interposed, so that allocations are counted. False under a sanitizer, which interposes
 * it itself, and where the C library is not glibc. */
bool syslet_bench_counts_allocations(void);

/* Heap allocations of the whole process so far, by all of its threads. 0 where they are not counted. */
uint64_t syslet_bench_allocations(void);

/* From now on SIGINT, SIGTERM and SIGHUP are noted instead of ending the process; a second one ends it. 0 or -errno. */
int syslet_bench_note_interrupts(void);

/* The signal that was noted, or 0. */
int syslet_bench_interrupt(void);

/* Notes `signal` as if it had arrived; 0 forgets. */
void syslet_bench_set_interrupt(int signal);

/* A resource limit that Swift cannot name. 0 or -errno; UINT64_MAX is unlimited. */
enum { SYSLET_BENCH_MEMLOCK, SYSLET_BENCH_NOFILE, SYSLET_BENCH_NPROC };
int syslet_bench_limit(int which, uint64_t *soft, uint64_t *hard);

/* Raises the soft limit of open files to the hard one. 0 or -errno. */
int syslet_bench_raise_nofile(void);

/* Processors that this process may run on. */
int syslet_bench_cpus(void);

/* Keeps the calling thread on the processor at `position` (from 0) of those that it may run on. That processor's number, or -errno. */
int syslet_bench_pin(int position);

/* From now on large blocks go back to the system when they are freed, and so does what lies free now. */
void syslet_bench_keep_no_free_memory(void);

/* O_DIRECT, which differs between architectures. */
int syslet_bench_o_direct(void);

/* A word that another thread may be writing. Pairs with nothing: what it says is all that is read. */
static inline long syslet_bench_load(const long *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }

#endif
