#include "parity_fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static timer_t timer;
static atomic_int alarms, signals;
static char story[512];

static void count_alarm(int number) {
  (void)number;
  if (atomic_fetch_add(&alarms, 1) < 2000) return;
  ssize_t written = write(2, story, strlen(story));
  (void)written;
  _exit(98);
}
static void count_signal(int number) {
  (void)number;
  atomic_fetch_add(&signals, 1);
}

int test_alarm_make(void) {
  struct sigaction action = {.sa_handler = count_alarm};
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
  event._sigev_un._tid = (int)syscall(SYS_gettid);
  /* Without SA_RESTART: what waits must end. */
  if (sigaction(SIGUSR1, &action, NULL) != 0) return -errno;
  action.sa_handler = count_signal;
  if (sigaction(SIGPIPE, &action, NULL) != 0 || sigaction(SIGXFSZ, &action, NULL) != 0) return -errno;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGPIPE);
  sigaddset(&set, SIGXFSZ);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  return timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 ? 0 : -errno;
}
void test_alarm_set(int milliseconds) {
  struct itimerspec time = {{0, 10000000}, {milliseconds / 1000, milliseconds % 1000 * 1000000L}};
  if (milliseconds != 0) atomic_store(&alarms, 0);
  timer_settime(timer, 0, &time, NULL);
}
int test_alarm_count(void) { return atomic_load(&alarms); }
void test_alarm_story(const char *text) { strncpy(story, text, sizeof story - 1); }
int test_take_signals(void) { return atomic_exchange(&signals, 0); }

/* The helper: `is_busy` is set by whoever asks and cleared by the helper, both under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int is_started, is_busy, delay, call_count;
static uint64_t calls[2][7];

static pthread_t helper;
static void count_nothing(int number) { (void)number; }
static void *help(void *unused) {
  (void)unused;
  prctl(PR_SET_NAME, "parity-helper");
  /* Of all signals only the one with which test_later_done ends a call of the helper's that waits. */
  sigset_t set;
  sigfillset(&set);
  sigdelset(&set, SIGUSR2);
  struct sigaction action = {.sa_handler = count_nothing};
  sigaction(SIGUSR2, &action, NULL);
  pthread_sigmask(SIG_SETMASK, &set, NULL);
  for (;;) {
    pthread_mutex_lock(&lock);
    while (!is_busy) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    struct timespec time = {0, delay * 1000L};
    nanosleep(&time, NULL);
    for (int call = 0; call < call_count; call++) {
      const uint64_t *w = calls[call];
      syscall((long)w[0], w[1], w[2], w[3], w[4], w[5], w[6]);
    }
    pthread_mutex_lock(&lock);
    is_busy = 0;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}
void test_later(int microseconds, const uint64_t *words, int count) {
  pthread_mutex_lock(&lock);
  if (!is_started) {
    is_started = pthread_create(&helper, NULL, help, NULL) == 0;
  }
  delay = microseconds;
  call_count = count;
  memcpy(calls, words, sizeof calls[0] * (size_t)count);
  is_busy = 1;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}
void test_later_done(void) {
  pthread_mutex_lock(&lock);
  while (is_busy) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += 20000000;
    if (end.tv_nsec >= 1000000000) end.tv_sec++, end.tv_nsec -= 1000000000;
    if (pthread_cond_timedwait(&changed, &lock, &end) == ETIMEDOUT) pthread_kill(helper, SIGUSR2);
  }
  pthread_mutex_unlock(&lock);
}

int test_make_raw(int terminal, int minimum, int tenths) {
  struct termios settings;
  if (tcgetattr(terminal, &settings) != 0) return -errno;
  cfmakeraw(&settings);
  settings.c_cc[VMIN] = (cc_t)minimum;
  settings.c_cc[VTIME] = (cc_t)tenths;
  return tcsetattr(terminal, TCSANOW, &settings) == 0 ? 0 : -errno;
}

long test_first_difference(const void *one, const void *other, long count) {
  if (memcmp(one, other, (size_t)count) == 0) return -1;
  const unsigned char *left = one, *right = other;
  for (long position = 0; position < count; position++)
    if (left[position] != right[position]) return position;
  return -1;
}
uint64_t test_hash(const void *bytes, long count) {
  uint64_t hash = 0xcbf29ce484222325;
  const unsigned char *byte = bytes;
  for (; count >= 8; count -= 8, byte += 8) {
    uint64_t word;
    memcpy(&word, byte, 8);
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 29;
  }
  for (; count > 0; count--, byte++) hash = (hash ^ *byte) * 0x100000001b3;
  return hash;
}

const char *test_error_name(int number) {
  const char *name = strerrorname_np(number);
  return name ? name : "?";
}
