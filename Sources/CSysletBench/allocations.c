/* Counts heap allocations by standing in front of the C library's malloc family. The linker gives this program's definitions
 * precedence over glibc's for every library in the process, Swift's runtime included. free stays glibc's: the memory is glibc's. */
#include "CSysletBench.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1
#endif

#if defined(__GLIBC__) && !defined(UNDER_SANITIZER)

extern void *__libc_malloc(size_t byte_count);
extern void *__libc_calloc(size_t count, size_t byte_count);
extern void *__libc_realloc(void *memory, size_t byte_count);
extern void *__libc_memalign(size_t alignment, size_t byte_count);

/* Relaxed is enough: the count is read by the measuring thread while no work is in flight, and it orders nothing. */
static _Atomic uint64_t allocation_count;

static inline void count_one(void) { atomic_fetch_add_explicit(&allocation_count, 1, memory_order_relaxed); }

void *malloc(size_t byte_count) {
  count_one();
  return __libc_malloc(byte_count);
}

void *calloc(size_t count, size_t byte_count) {
  count_one();
  return __libc_calloc(count, byte_count);
}

void *realloc(void *memory, size_t byte_count) {
  count_one();
  return __libc_realloc(memory, byte_count);
}

void *aligned_alloc(size_t alignment, size_t byte_count) {
  count_one();
  return __libc_memalign(alignment, byte_count);
}

void *memalign(size_t alignment, size_t byte_count) {
  count_one();
  return __libc_memalign(alignment, byte_count);
}

int posix_memalign(void **memory, size_t alignment, size_t byte_count) {
  if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
  count_one();
  void *block = __libc_memalign(alignment, byte_count);
  if (block == NULL) return ENOMEM;
  *memory = block;
  return 0;
}

bool syslet_bench_counts_allocations(void) { return true; }
uint64_t syslet_bench_allocations(void) { return atomic_load_explicit(&allocation_count, memory_order_relaxed); }

#else

bool syslet_bench_counts_allocations(void) { return false; }
uint64_t syslet_bench_allocations(void) { return 0; }

#endif
