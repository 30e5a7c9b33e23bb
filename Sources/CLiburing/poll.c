/* Waiting without io_uring: epoll, and tries that do not wait. */
#include "syslet_poll.h"

#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "syslet_call.h"

_Static_assert(SYSLET_POLL_IN == EPOLLIN && SYSLET_POLL_PRI == EPOLLPRI && SYSLET_POLL_OUT == EPOLLOUT && SYSLET_POLL_ERR == EPOLLERR &&
                   SYSLET_POLL_HUP == EPOLLHUP,
               "poll's and epoll's bits");

int syslet_poll_open(void) {
  int descriptor = epoll_create1(EPOLL_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

static int control(int epoll, int operation, int descriptor, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = descriptor};
  return (int)syslet_call(SYS_epoll_ctl, (uint64_t)epoll, (uint64_t)operation, (uint64_t)descriptor, (uintptr_t)&event, 0, 0);
}

int syslet_poll_rearm(int epoll, int descriptor, uint32_t events) {
  return control(epoll, EPOLL_CTL_MOD, descriptor, events | EPOLLONESHOT);
}

int syslet_poll_arm(int epoll, int descriptor, uint32_t events) {
  /* Mostly it has been armed before. The kernel knows a registration by number and file, so one of a file that had the number before is not
   * mistaken for it. */
  int result = syslet_poll_rearm(epoll, descriptor, events);
  return result == -ENOENT ? control(epoll, EPOLL_CTL_ADD, descriptor, events | EPOLLONESHOT) : result;
}

int syslet_poll_watch(int epoll, int descriptor) { return control(epoll, EPOLL_CTL_ADD, descriptor, EPOLLIN); }

int syslet_poll_take(int epoll, struct syslet_ready *ready, int capacity, int64_t timeout_ns) {
  struct epoll_event events[256];
  struct timespec limit = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
  long count;
  if (capacity > 256) capacity = 256;
  if (timeout_ns != 0) {
    /* The epoll is polled: epoll_wait(2) gives -EINTR also when no handler has run, as for what a ring that is being closed leaves its thread to do,
     * while ppoll(2) goes on then. */
    struct pollfd entry = {.fd = epoll, .events = POLLIN};
    int polled = ppoll(&entry, 1, timeout_ns < 0 ? NULL : &limit, NULL);
    if (polled <= 0) return polled < 0 ? -errno : 0;
  }
  count = syslet_call(SYS_epoll_pwait, (uint64_t)epoll, (uintptr_t)events, (uint64_t)capacity, 0, 0, 0);
  for (long i = 0; i < count; i++) ready[i] = (struct syslet_ready){events[i].data.fd, events[i].events};
  return (int)count;
}

uint32_t syslet_poll_look(int descriptor, uint32_t events) {
  struct pollfd entry = {.fd = descriptor, .events = (short)events};
  struct timespec none = {0, 0};
  long result = syslet_call(SYS_ppoll, (uintptr_t)&entry, 1, (uintptr_t)&none, 0, 0, 0);
  return result > 0 ? (uint32_t)(unsigned short)entry.revents : 0;
}

/* The iovecs behind the first `skipped` bytes, of which the first is a copy. Without anything skipped they are the program's own: what the kernel
 * says of them is its answer. */
struct rest {
  struct iovec vector[IOV_MAX];
};
static const struct iovec *skip(const struct iovec *vector, int *count, uint64_t skipped, struct rest *rest) {
  int first = 0;
  if (skipped == 0) return vector;
  while (first < *count && skipped >= vector[first].iov_len) skipped -= vector[first++].iov_len;
  *count -= first;
  memcpy(rest->vector, vector + first, (size_t)*count * sizeof *vector);
  if (*count > 0) {
    rest->vector[0].iov_base = (char *)rest->vector[0].iov_base + skipped;
    rest->vector[0].iov_len -= skipped;
  }
  return rest->vector;
}

static long move_now(long nr, int descriptor, const void *vector, int count, uint64_t skipped) {
  struct rest rest;
  const struct iovec *left = skip(vector, &count, skipped, &rest);
  /* A write may raise a signal, which is to become its result. */
  return syslet_call_for_syslet(nr, (uint64_t)descriptor, (uintptr_t)left, (uint64_t)count, (uint64_t)-1, (uint64_t)-1, RWF_NOWAIT);
}
long syslet_read_now(int descriptor, const void *vector, int count, uint64_t skipped) {
  return move_now(SYS_preadv2, descriptor, vector, count, skipped);
}
long syslet_write_now(int descriptor, const void *vector, int count, uint64_t skipped) {
  return move_now(SYS_pwritev2, descriptor, vector, count, skipped);
}

/* A message behind its first `skipped` bytes, whose control data have gone with those. Without anything skipped it is the program's own. */
static uintptr_t skip_in_message(const void *message, uint64_t skipped, struct msghdr *left, struct rest *rest) {
  int count;
  if (skipped == 0) return (uintptr_t)message;
  *left = *(const struct msghdr *)message;
  count = (int)left->msg_iovlen;
  left->msg_iov = (struct iovec *)skip(left->msg_iov, &count, skipped, rest);
  left->msg_iovlen = (size_t)count;
  left->msg_control = NULL;
  left->msg_controllen = 0;
  return (uintptr_t)left;
}

long syslet_receive_now(int descriptor, void *message, int flags, uint64_t skipped) {
  struct rest rest;
  struct msghdr left;
  uintptr_t tried = skip_in_message(message, skipped, &left, &rest);
  return syslet_call(SYS_recvmsg, (uint64_t)descriptor, tried, (uint64_t)(uint32_t)(flags | MSG_DONTWAIT), 0, 0, 0);
}

long syslet_receive_part(int descriptor, void *buffer, uint64_t length, int flags, int *is_cut) {
  struct iovec whole = {buffer, length};
  struct msghdr message = {.msg_iov = &whole, .msg_iovlen = 1};
  long result = syslet_call(SYS_recvmsg, (uint64_t)descriptor, (uintptr_t)&message, (uint64_t)(uint32_t)(flags | MSG_DONTWAIT), 0, 0, 0);
  *is_cut = result >= 0 && (message.msg_flags & MSG_CTRUNC) != 0;
  return result;
}

long syslet_send_now(int descriptor, const void *message, int flags, uint64_t skipped) {
  struct rest rest;
  struct msghdr left;
  uintptr_t tried = skip_in_message(message, skipped, &left, &rest);
  return syslet_call(SYS_sendmsg, (uint64_t)descriptor, tried, (uint64_t)(uint32_t)(flags | MSG_DONTWAIT | MSG_NOSIGNAL), 0, 0, 0);
}

uint64_t syslet_vector_length(const void *vector, int count) {
  const struct iovec *entry = vector;
  uint64_t length = 0;
  for (int i = 0; i < count; i++) length += entry[i].iov_len;
  return length;
}

uint64_t syslet_message_length(const void *message) {
  const struct msghdr *header = message;
  return syslet_vector_length(header->msg_iov, (int)header->msg_iovlen);
}

int syslet_poll_keeps(int descriptor, int is_write, uint64_t length) {
  /* The names that the kernel gives to what has no inode of its own. Others that have none answer at once, or are not known. */
  static const struct {
    const char *name;
    uint64_t read_min, write_min, write_max;
  } kinds[] = {
      {"anon_inode:[eventfd]", 8, 8, 8},
      {"anon_inode:[timerfd]", 8, 1, 0},
      {"anon_inode:[signalfd]", sizeof(struct signalfd_siginfo), 1, 0},
      {"anon_inode:inotify", 1, 1, 0},
      {"anon_inode:[fanotify]", 1, 1, 0},
  };
  char path[48], name[32];
  struct stat status;
  long count;
  if (syslet_call(SYS_fstat, (uint64_t)descriptor, (uintptr_t)&status, 0, 0, 0, 0) != 0) return 0;
  /* A pipe that is full may have room for a few bytes more. */
  if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) return !is_write && length > 0;
  snprintf(path, sizeof path, "/proc/thread-self/fd/%d", descriptor);
  count = syslet_call(SYS_readlinkat, (uint64_t)AT_FDCWD, (uintptr_t)path, (uintptr_t)name, sizeof name - 1, 0, 0);
  if (count <= 0) return 0;
  name[count] = 0;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    if (strcmp(name, kinds[i].name) == 0)
      return is_write ? length >= kinds[i].write_min && length <= kinds[i].write_max : length >= kinds[i].read_min;
  return 0;
}
