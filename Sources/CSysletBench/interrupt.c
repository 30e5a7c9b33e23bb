/* Ctrl-C asks the measurement to stop between two batches, so that what was measured is printed and the scratch folder removed. */
#define _GNU_SOURCE
#include "CSysletBench.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

/* Written by the handler on whichever thread takes the signal, read by the measuring thread. A lone flag orders nothing else. */
static _Atomic int noted_signal;

static void note(int signal) { atomic_store_explicit(&noted_signal, signal, memory_order_relaxed); }

int syslet_bench_note_interrupts(void) {
  /* SA_RESETHAND: a second Ctrl-C ends the process at once, should the first one find it stuck in the kernel.
   * SA_RESTART: the measured calls must not fail with EINTR because of it. */
  struct sigaction action = {.sa_handler = note, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
  sigemptyset(&action.sa_mask);
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
    struct sigaction inherited;
    if (sigaction(signals[i], NULL, &inherited) != 0) return -errno;
    /* What nohup or a background shell told this process to ignore stays ignored. */
    if (inherited.sa_handler == SIG_IGN) continue;
    if (sigaction(signals[i], &action, NULL) != 0) return -errno;
  }
  return 0;
}

int syslet_bench_interrupt(void) { return atomic_load_explicit(&noted_signal, memory_order_relaxed); }

void syslet_bench_set_interrupt(int signal) { note(signal); }
