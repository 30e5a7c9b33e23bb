/* Freed memory must not look like used memory while the process is weighed. */
#include "CSysletBench.h"

#if defined(__GLIBC__)
#include <malloc.h>

void syslet_bench_keep_no_free_memory(void) {
  /* glibc raises the size from which an allocation gets, and gives back, pages of its own as soon as one is freed. Set, it stays. */
  mallopt(M_MMAP_THRESHOLD, 128 << 10);
  malloc_trim(0);
}
#else
void syslet_bench_keep_no_free_memory(void) {}
#endif
