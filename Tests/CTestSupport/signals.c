/* What the tests do to their process's signals and limits. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "CTestSupport.h"

static int handled, foreign;
static void handle(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)context;
  __atomic_add_fetch(&handled, 1, __ATOMIC_SEQ_CST);
  /* The tests queue theirs to the process; what is sent to a thread is somebody else's. */
  if (info->si_code == SI_TKILL) __atomic_add_fetch(&foreign, 1, __ATOMIC_SEQ_CST);
}
int test_signals_handled(void) { return __atomic_load_n(&handled, __ATOMIC_SEQ_CST); }
int test_signals_foreign(void) { return __atomic_load_n(&foreign, __ATOMIC_SEQ_CST); }

void test_set_real_time_signals(enum test_signal_use use) {
  struct sigaction action = {.sa_handler = SIG_DFL};
  if (use == TEST_SIGNALS_IGNORED) action.sa_handler = SIG_IGN;
  if (use == TEST_SIGNALS_HANDLED) action = (struct sigaction){.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
  for (int number = SIGRTMIN; number <= SIGRTMAX; number++) sigaction(number, &action, NULL);
}

int test_real_time_signals_other_than(enum test_signal_use use) {
  int count = 0;
  for (int number = SIGRTMIN; number <= SIGRTMAX; number++) {
    struct sigaction now;
    sigaction(number, NULL, &now);
    switch (use) {
    case TEST_SIGNALS_DEFAULT: count += now.sa_handler != SIG_DFL; break;
    case TEST_SIGNALS_IGNORED: count += now.sa_handler != SIG_IGN; break;
    case TEST_SIGNALS_HANDLED: count += now.sa_sigaction != handle || !(now.sa_flags & SA_RESTART); break;
    }
  }
  return count;
}

void test_mask_all_signals(bool is_masked) {
  sigset_t set;
  sigfillset(&set);
  sigprocmask(is_masked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

int test_signal_descriptor(void) {
  sigset_t set;
  sigfillset(&set);
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int test_queue_real_time_signals(bool is_downwards) {
  int count = 0;
  for (int number = SIGRTMIN; number <= SIGRTMAX; number++) {
    int signal = is_downwards ? SIGRTMAX + SIGRTMIN - number : number;
    union sigval value = {.sival_int = signal * 7};
    count += sigqueue(getpid(), signal, value) == 0;
  }
  return count;
}

int test_take_real_time_signals(int descriptor) {
  struct signalfd_siginfo info;
  int count = 0;
  while (read(descriptor, &info, sizeof info) == sizeof info) {
    if (info.ssi_code != SI_QUEUE || info.ssi_int != (int)info.ssi_signo * 7) return -1;
    count++;
  }
  return count;
}

int test_first_real_time_signal(void) { return SIGRTMIN; }
int test_last_real_time_signal(void) { return SIGRTMAX; }

void test_use_default_action(int number) {
  sigset_t set;
  signal(number, SIG_DFL);
  sigemptyset(&set);
  sigaddset(&set, number);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void test_block_signal(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
}

bool test_blocks_signal(int number) {
  sigset_t set;
  pthread_sigmask(SIG_BLOCK, NULL, &set);
  return sigismember(&set, number);
}

bool test_signal_is_pending(int number) {
  sigset_t set;
  return sigpending(&set) == 0 && sigismember(&set, number);
}

int test_raise(int number) { return raise(number); }

int test_set_limit(enum test_limit limit, unsigned long value) {
  struct rlimit both;
  int resource = limit == TEST_LIMIT_FILE_SIZE        ? RLIMIT_FSIZE
                 : limit == TEST_LIMIT_PROCESSES      ? RLIMIT_NPROC
                 : limit == TEST_LIMIT_LOCKED_MEMORY  ? RLIMIT_MEMLOCK
                 : limit == TEST_LIMIT_ADDRESS_SPACE  ? RLIMIT_AS
                                                      : RLIMIT_NOFILE;
  if (getrlimit(resource, &both) != 0) return -errno;
  both.rlim_cur = value < both.rlim_max ? value : both.rlim_max;
  return setrlimit(resource, &both) == 0 ? 0 : -errno;
}

int test_count_threads(const char *file, const char *beginning) {
  DIR *threads = opendir("/proc/self/task");
  int count = 0;
  if (!threads) return -errno;
  for (struct dirent *entry; (entry = readdir(threads));) {
    char path[288], line[64] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/%s", entry->d_name, file);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) continue; /* it has ended */
    if (read(descriptor, line, sizeof line - 1) > 0) count += strncmp(line, beginning, strlen(beginning)) == 0;
    close(descriptor);
  }
  closedir(threads);
  return count;
}

int test_become_nobody(unsigned user) {
  if (geteuid() != 0) return -EPERM;
  if (setresgid(65534, 65534, 65534) != 0 || setresuid(user, user, user) != 0) return -errno;
  return 0;
}
