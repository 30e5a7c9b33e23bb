/* A thread of a measurement keeps its processor: moved to another's, two engines would be measured on one. */
#define _GNU_SOURCE
#include "CSysletBench.h"

#include <errno.h>
#include <sched.h>

int syslet_bench_pin(int position) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return -errno;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &allowed) || position-- > 0) continue;
    cpu_set_t chosen;
    CPU_ZERO(&chosen);
    CPU_SET(cpu, &chosen);
    return sched_setaffinity(0, sizeof chosen, &chosen) == 0 ? cpu : -errno;
  }
  return -EINVAL;
}
