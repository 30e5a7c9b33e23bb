/* What shield.c and interrupt.c know of one another. */
#ifndef SYSLET_SIGNALS_H
#define SYSLET_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

/* As the kernel's sets have it. */
#define SIGNAL_BIT(number) (UINT64_C(1) << ((number) - 1))

/* The calling thread is a worker, which blocks every signal but one. */
extern __thread bool syslet_is_worker;

/* As syslet_call, on a worker: syslet_thread_interrupt ends it. */
long syslet_worker_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

#endif
