/* Names that exist with _GNU_SOURCE only, which Swift's Glibc module is built without. */
#define _GNU_SOURCE
#include "CSysletBench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

int syslet_bench_limit(int which, uint64_t *soft, uint64_t *hard) {
  struct rlimit limit;
  int resource = which == SYSLET_BENCH_MEMLOCK ? RLIMIT_MEMLOCK : which == SYSLET_BENCH_NOFILE ? RLIMIT_NOFILE : RLIMIT_NPROC;
  if (getrlimit(resource, &limit) != 0) return -errno;
  *soft = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
  *hard = limit.rlim_max == RLIM_INFINITY ? UINT64_MAX : limit.rlim_max;
  return 0;
}

int syslet_bench_raise_nofile(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -errno;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? 0 : -errno;
}

int syslet_bench_cpus(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int syslet_bench_o_direct(void) { return O_DIRECT; }
