/* Worker threads, and the signal that interrupts a worker's call, which is nobody else's business.
 *
 * Each worker has one real-time signal that it does not block, with the handler `interrupted`. The disposition is the process's,
 * so it is looked at before each use:
 *
 * - SIG_DFL: nobody's, and ours from then on;
 * - SIG_IGN or a handler: the program's, which lends it until the workers have had their signals, and gets it back. In between `interrupted`
 *   calls the program's handler for whatever is not ours.
 *
 * A signal to the process may be given to a worker. There it is sent on: the worker blocks that number from then on, goes on with another one, and the
 * signal is queued again, for the threads, the sigwait or the signalfd that it was meant for.
 *
 * The handler itself makes the call return -EINTR (worker_call.c). */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "signals.h"
#include "syslet_call.h"

/* Nothing that the handler calls may call the thread sanitizer, which it may have interrupted. */
#if defined(IS_THREAD_SANITIZED)
#pragma clang attribute push(UNSANITIZED, apply_to = function)
#endif

#if defined(LEAVES_CALLS)
enum { restarts = SA_RESTART };
#else
enum { restarts = 0 };
#endif

/* MARK: dispositions */

/* As the kernel has them, by its own call: a sanitizer that wraps the C library's would put our handler off until the call had ended. */
struct action {
  void *handler;
  unsigned long flags;
#if defined(__x86_64__) || defined(__aarch64__)
  void *restorer;
#endif
  uint64_t mask;
};
typedef void full_handler(int number, siginfo_t *info, void *context);
static void interrupted(int number, siginfo_t *info, void *context);

static struct action action_of(int number) {
  struct action now = {.handler = SIG_DFL};
  syslet_call(SYS_rt_sigaction, (uint64_t)number, 0, (uintptr_t)&now, sizeof now.mask, 0, 0);
  return now;
}
static void set_action(int number, const struct action *action) {
  syslet_call(SYS_rt_sigaction, (uint64_t)number, (uintptr_t)action, 0, sizeof action->mask, 0, 0);
}
static struct action our_action(unsigned long flags, uint64_t mask) {
  struct action action = {.handler = (void *)interrupted, .flags = SA_SIGINFO | flags, .mask = mask};
#if defined(__x86_64__) /* SA_RESTORER */
  action.flags |= 0x04000000;
  action.restorer = (void *)syslet_signal_return;
#endif
  return action;
}
static bool is_ours(const struct action *action) { return action->handler == (void *)interrupted; }
static bool is_free(const struct action *action) { return action->handler == (void *)SIG_DFL; }
static bool is_handled(const struct action *action) { return !is_free(action) && action->handler != (void *)SIG_IGN; }

/* All but the C library's own, which it needs in every thread. */
#define ALL_SIGNALS (~(SIGNAL_BIT(32) | SIGNAL_BIT(33)))

/* MARK: interrupting */

/* A worker as the others see it: in its own thread-local memory, linked while it is at work. */
struct worker {
  struct worker *next;
  int tid;
  int signal; /* what interrupts it; 0 on threads that are no workers */
  int owner;  /* the thread of the program's that it works for */
  uint64_t owner_blocks;
  int wanted;    /* by the option; 0: whichever is free */
  unsigned sent; /* signals of ours that it has not had. The sender adds, under the lock; the handler subtracts */
};
static __thread struct worker self;
__thread bool syslet_is_worker;

/* Guards the list, the dispositions that we change and what is noted about them. A spin lock, because a worker's handler takes it too: the worker
 * itself holds it only with every signal blocked. Held for a few system calls. */
static int lock;
static struct worker *workers;
/* What the program had installed for each number when we looked last; `is_lent` while ours is there in its place. Read without the lock by the handler on
 * the program's threads: they have entered it because ours was there, which was noted before that. */
static struct {
  struct action action;
  bool is_lent;
} program[65];

static void take_lock(void) {
  while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) sched_yield();
}
static void free_lock(void) { __atomic_store_n(&lock, 0, __ATOMIC_RELEASE); }

/* Under the lock: sees to it that our handler is there; false if it was. */
static bool claim(int number) {
  struct action now = action_of(number);
  if (is_ours(&now)) return false;
  program[number].action = now;
  program[number].is_lent = !is_free(&now);
  /* In place of a handler, as the program's threads expect it of theirs. */
  struct action ours = is_handled(&now) ? our_action(now.flags & (SA_ONSTACK | restarts), now.mask) : our_action(restarts, ALL_SIGNALS);
  set_action(number, &ours);
  return true;
}

/* Under the lock: gives the number back to the program if no worker needs it for now, or at all. */
static void release(int number) {
  struct action now;
  for (struct worker *worker = workers; worker; worker = worker->next)
    if (worker->signal == number && (!program[number].is_lent || __atomic_load_n(&worker->sent, __ATOMIC_RELAXED) > 0)) return;
  now = action_of(number);
  if (is_ours(&now)) set_action(number, &program[number].action);
  program[number].is_lent = false;
}

/* Under the lock: the number for a worker: the one that the others have, or a free one, rather one that the program does not block, because a blocked
 * one may be for a signalfd. Without any, the last, which the program will have to lend. None of `avoided`. */
static int choose(int wanted, uint64_t blocked, uint64_t avoided) {
  int chosen = 0;
  if (wanted) return wanted;
  if (workers && !(avoided & SIGNAL_BIT(workers->signal)) && !program[workers->signal].is_lent) {
    struct action now = action_of(workers->signal);
    if (is_ours(&now)) return workers->signal;
  }
  for (int number = SIGRTMAX; number >= SIGRTMIN; number--) {
    struct action now;
    if (avoided & SIGNAL_BIT(number)) continue;
    now = action_of(number);
    if (!is_free(&now) && (!is_ours(&now) || program[number].is_lent)) continue;
    if (!(blocked & SIGNAL_BIT(number))) return number;
    if (!chosen) chosen = number;
  }
  return chosen || avoided ? chosen : SIGRTMAX;
}

/* The default action: the process ends, as it would without us. */
static void end_by(int number) {
  const struct action standard = {.handler = SIG_DFL};
  uint64_t set = SIGNAL_BIT(number);
  set_action(number, &standard);
  syslet_call(SYS_tgkill, (uint64_t)getpid(), (uint64_t)syscall(SYS_gettid), (uint64_t)number, 0, 0, 0);
  syslet_call(SYS_rt_sigprocmask, SIG_UNBLOCK, (uintptr_t)&set, 0, sizeof set, 0, 0);
}

/* Does what the program would have done. */
static void deliver(int number, siginfo_t *info, void *context) {
  struct action action = program[number].action;
  if (is_free(&action)) return end_by(number);
  if (!is_handled(&action)) return;
  if (action.flags & SA_RESETHAND) program[number].action = (struct action){.handler = SIG_DFL};
  /* A handler that asks for the signal's number only is given more by the kernel, too. */
  ((full_handler *)action.handler)(number, info, context);
}

/* On a worker: the signal is the program's. */
static void pass_on(int number, siginfo_t *info, ucontext_t *context) {
  uint64_t pending = 0;
  take_lock();
  syslet_call(SYS_rt_sigpending, (uintptr_t)&pending, sizeof pending, 0, 0, 0, 0);
  int other = choose(0, self.owner_blocks, pending | SIGNAL_BIT(number));
  if (other) {
    claim(other);
    self.signal = other;
    sigaddset(&context->uc_sigmask, number);
    sigdelset(&context->uc_sigmask, other);
    release(number);
  }
  bool is_lent = program[number].is_lent;
  free_lock();
  /* Without another number this one cannot remain blocked, as it is until the handler returns. The program's own handler may run on any thread that does not
   * block it; for a sigwait or a signalfd the owner's thread is given the signal. */
  if (!other && is_lent) return deliver(number, info, context);
  if (!other && syslet_call(SYS_rt_tgsigqueueinfo, (uint64_t)getpid(), (uint64_t)self.owner, (uint64_t)number, (uintptr_t)info, 0, 0) == 0)
    return;
  if (!other) sigaddset(&context->uc_sigmask, number);
  syslet_call(SYS_rt_sigqueueinfo, (uint64_t)getpid(), (uint64_t)number, (uintptr_t)info, 0, 0, 0);
}

static void interrupted(int number, siginfo_t *info, void *context) {
  int saved = errno; /* of whatever was interrupted */
  if (!self.signal) {
    deliver(number, info, context);
  } else if (info->si_code == SI_TKILL) {
    /* To this very thread. Whoever else sends it that interrupts a call as well. */
    if (__atomic_load_n(&self.sent, __ATOMIC_RELAXED) > 0) __atomic_sub_fetch(&self.sent, 1, __ATOMIC_RELAXED);
    syslet_leave_call(context);
    take_lock();
    if (program[number].is_lent) release(number);
    free_lock();
  } else {
    pass_on(number, info, context);
  }
  errno = saved;
}

int syslet_thread_interrupt(int tid) {
  struct worker *worker;
  int result = -ESRCH;
  take_lock();
  for (worker = workers; worker && worker->tid != tid; worker = worker->next) continue;
  if (worker) {
    /* One that it has not had is on its way, unless the program has ignored it meanwhile, which removes it. */
    bool is_removed = claim(worker->signal);
    result = 0;
    if (is_removed || __atomic_load_n(&worker->sent, __ATOMIC_RELAXED) == 0) {
      __atomic_add_fetch(&worker->sent, 1, __ATOMIC_RELAXED);
      result = (int)syslet_call(SYS_tgkill, (uint64_t)getpid(), (uint64_t)tid, (uint64_t)worker->signal, 0, 0, 0);
    }
  }
  free_lock();
  return result;
}

void syslet_thread_settle(void) {
  uint64_t all = ALL_SIGNALS, before;
  /* What is on its way is taken on the way out of a system call, at the latest. This one cannot be hurt. */
  syslet_call(SYS_getppid, 0, 0, 0, 0, 0, 0);
  if (__atomic_load_n(&self.sent, __ATOMIC_RELAXED) == 0) return;
  /* What has not come was removed. */
  syslet_call(SYS_rt_sigprocmask, SIG_SETMASK, (uintptr_t)&all, (uintptr_t)&before, sizeof all, 0, 0);
  take_lock();
  __atomic_store_n(&self.sent, 0, __ATOMIC_RELAXED);
  if (program[self.signal].is_lent) release(self.signal);
  free_lock();
  syslet_call(SYS_rt_sigprocmask, SIG_SETMASK, (uintptr_t)&before, 0, sizeof before, 0, 0);
}

/* MARK: threads */

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
/* A forked child has no workers, and the lock may have been another thread's. */
static void begin_child(void) {
  lock = 0;
  workers = NULL;
  for (int number = SIGRTMIN; number <= SIGRTMAX; number++) {
    struct action now = action_of(number);
    if (is_ours(&now)) set_action(number, &program[number].action);
    program[number].is_lent = false;
  }
}
static void watch_forks(void) { pthread_atfork(NULL, NULL, begin_child); }

struct start {
  void *(*body)(void *);
  void *context;
  struct worker worker;
};

/* All signals are blocked when it begins and when it ends. */
static void *run_worker(void *argument) {
  struct start start = *(struct start *)argument;
  struct action now;
  uint64_t all = ALL_SIGNALS, set;
  void *result;
  free(argument);
  self = start.worker;
  syslet_is_worker = true;
  self.tid = (int)syscall(SYS_gettid);
  take_lock();
  self.signal = choose(self.wanted, self.owner_blocks, 0);
  /* One that the program has is borrowed only when it is needed. */
  now = action_of(self.signal);
  if (is_free(&now)) claim(self.signal);
  self.next = workers;
  workers = &self;
  free_lock();
  set = SIGNAL_BIT(self.signal);
  syslet_call(SYS_rt_sigprocmask, SIG_UNBLOCK, (uintptr_t)&set, 0, sizeof set, 0, 0);
  result = start.body(start.context);
  syslet_call(SYS_rt_sigprocmask, SIG_SETMASK, (uintptr_t)&all, 0, sizeof all, 0, 0);
  take_lock();
  for (struct worker **place = &workers; *place; place = &(*place)->next)
    if (*place == &self) {
      *place = self.next;
      break;
    }
  release(self.signal);
  free_lock();
  return result;
}

int syslet_thread_start(enum syslet_thread_kind kind, int interrupt_signal, void *(*body)(void *), void *context) {
  static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS};
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t blocked, before;
  struct start *start = NULL;
  int result;
  pthread_once(&fork_once, watch_forks);
  result = pthread_attr_init(&attributes);
  if (result) return -result;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  /* System calls need little stack; 256 KiB keeps many workers cheap in address space. */
  if (kind == SYSLET_THREAD_WORKER) pthread_attr_setstacksize(&attributes, 256 * 1024);
  sigfillset(&blocked);
  for (size_t i = 0; kind == SYSLET_THREAD_TASKS && i < sizeof faults / sizeof *faults; i++) sigdelset(&blocked, faults[i]);
  /* A new thread inherits the mask, so it must be in place before the thread exists. */
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  if (kind == SYSLET_THREAD_WORKER && (start = malloc(sizeof *start))) {
    *start = (struct start){body, context, {.wanted = interrupt_signal, .owner = self.owner, .owner_blocks = self.owner_blocks}};
    if (!self.signal) {
      start->worker.owner = (int)syscall(SYS_gettid);
      memcpy(&start->worker.owner_blocks, &before, sizeof start->worker.owner_blocks);
    }
    body = run_worker;
    context = start;
  }
  result = kind == SYSLET_THREAD_WORKER && !start ? ENOMEM : pthread_create(&thread, &attributes, body, context);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if (result) free(start);
  return -result;
}

int syslet_signal_is_real_time(int number) { return number >= SIGRTMIN && number <= SIGRTMAX; }

#if defined(IS_THREAD_SANITIZED)
#pragma clang attribute pop
#endif
