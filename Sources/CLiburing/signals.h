/* What shield.c, interrupt.c and worker_call.c know of one another. */
#ifndef SYSLET_SIGNALS_H
#define SYSLET_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/* As the kernel's sets have it. */
#define SIGNAL_BIT(number) (UINT64_C(1) << ((number) - 1))

/* The calling thread is a worker, which blocks every signal but one. */
extern __thread bool syslet_is_worker;

/* As syslet_call, on a worker: syslet_thread_interrupt ends it. */
long syslet_worker_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

/* Ends the call that the signal has interrupted, if it is one of those and has not been made: with SYSLET_CALL_LEFT, behind its instruction, so that
 * SA_RESTART does not keep it going. Nothing where LEAVES_CALLS is not defined, and there the kernel ends it. */
void syslet_leave_call(ucontext_t *context);
#if defined(__x86_64__) && defined(__LP64__) || defined(__aarch64__)
#define LEAVES_CALLS 1
#endif

#if defined(__x86_64__)
/* What a handler returns to. */
extern const char syslet_signal_return[];
#endif

/* On what a handler runs that may interrupt the thread sanitizer itself, which holds locks then: it may not call that, not for an atomic either, for which
 * no_sanitize("thread") does. */
#define UNSANITIZED
#if defined(__clang__)
#if __has_feature(thread_sanitizer)
#define IS_THREAD_SANITIZED 1
#undef UNSANITIZED
#define UNSANITIZED __attribute__((disable_sanitizer_instrumentation))
#endif
#endif

#endif
