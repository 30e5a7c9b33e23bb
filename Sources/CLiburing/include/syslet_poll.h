/* Waiting for descriptors without io_uring: an epoll whose registrations are one-shot, and tries of calls that would wait. */
#ifndef SYSLET_POLL_H
#define SYSLET_POLL_H

#include <stdbool.h>
#include <stdint.h>

enum {
  SYSLET_POLL_IN = 0x001,
  SYSLET_POLL_PRI = 0x002,
  SYSLET_POLL_OUT = 0x004,
  SYSLET_POLL_ERR = 0x008,
  SYSLET_POLL_HUP = 0x010
};

/* What has become ready: a descriptor and its events. */
struct syslet_ready {
  int32_t descriptor;
  uint32_t events;
};

/* An epoll, close-on-exec: the descriptor or -errno. */
int syslet_poll_open(void);

/* Tells the next time that `descriptor` is ready for `events`, once. 0 or -errno: -EPERM for what cannot be polled, -EBADF. */
int syslet_poll_arm(int epoll, int descriptor, uint32_t events);

/* The same if it is still the file that was armed: 0, or -ENOENT or -EBADF for a number that names another file now, or none. */
int syslet_poll_rearm(int epoll, int descriptor, uint32_t events);

/* Tells each time that `descriptor` can be read, for as long as it can. 0 or -errno. */
int syslet_poll_watch(int epoll, int descriptor);

/* Takes up to `capacity` of what is ready; waits for it for `timeout_ns` nanoseconds, 0 for not at all, below 0 without a limit.
 * How many, or -errno (-EINTR). */
int syslet_poll_take(int epoll, struct syslet_ready *ready, int capacity, int64_t timeout_ns);

/* Whether `descriptor` is ready for one of `events` now: those that it is ready for, 0 for none. */
uint32_t syslet_poll_look(int descriptor, uint32_t events);

/* Whether a read, or a write, of `length` bytes waits while `descriptor` is not ready for it: of what is known to, and would not refuse the length
 * without waiting. For what has no try. */
int syslet_poll_keeps(int descriptor, int is_write, uint64_t length);

/* Read and write without an offset what can be moved without waiting, of memory in `count` iovecs less its first `skipped` bytes. -EAGAIN where
 * it would have to wait, -EOPNOTSUPP where this file or this kernel has no such try; any other result is the call's own. */
long syslet_read_now(int descriptor, const void *vector, int count, uint64_t skipped);
long syslet_write_now(int descriptor, const void *vector, int count, uint64_t skipped);

/* recvmsg(2) and sendmsg(2) of the same memory, without waiting and without a signal, for sockets. With `skipped` bytes moved already the control
 * data have gone too. */
long syslet_receive_now(int descriptor, void *message, int flags, uint64_t skipped);
long syslet_send_now(int descriptor, const void *message, int flags, uint64_t skipped);

/* recvfrom(2) without an address, without waiting. `is_cut` says that control data came along that there was no room for. */
long syslet_receive_part(int descriptor, void *buffer, uint64_t length, int flags, int *is_cut);

/* The bytes that the iovecs, or those of the message, have in all. Only of what the kernel has just read: wild pointers are not caught. */
uint64_t syslet_vector_length(const void *vector, int count);
uint64_t syslet_message_length(const void *message);

#endif
