/* What the parity tests need from C: a file system that fails and hangs as it is told to, terminals, sockets, a container's clock, a user
 * with few processes. */
#ifndef CTESTPARITY_H
#define CTESTPARITY_H

#include <stdbool.h>
#include <stdint.h>

/* A FUSE file system in a process of its own, mounted nowhere: it is reached through the descriptor of its root alone. NULL, and in
 * `error` the negative errno, where this machine allows none (no /dev/fuse, not root). */
struct test_fuse;
struct test_fuse *test_fuse_start(int *error);
/* Releases everything that is held, and ends the server: what is open there fails from now on. */
void test_fuse_stop(struct test_fuse *fuse);
/* The root's descriptor, for openat and its kind. It is closed by test_fuse_stop. */
int test_fuse_root(const struct test_fuse *fuse);
/* Adds a file with `byte_count` bytes, before it is looked up. 0 or -errno. */
int test_fuse_add(struct test_fuse *fuse, const char *name, int byte_count);
/* Requests `opcode` (linux/fuse.h) are answered with -`error` from now on, after they have had their effect; 0 for none. */
void test_fuse_fail(struct test_fuse *fuse, int opcode, int error);
/* Requests `opcode` are kept unanswered until this says otherwise, but for no longer than half a minute each. */
void test_fuse_hold(struct test_fuse *fuse, int opcode, bool holds);
/* How many requests `opcode` the server has seen, and how many requests it keeps. */
int test_fuse_seen(const struct test_fuse *fuse, int opcode);
int test_fuse_held(const struct test_fuse *fuse);

/* A block device whose sectors lie in `file`: its descriptor opened with `flags`, or -errno. It goes when it is closed. */
int test_loop_device(int file, int flags);

/* Flags of open that Swift does not see. */
int test_direct_flag(void);
int test_path_flag(void);

/* A terminal: the two descriptors, first the one that the program reads. With `minimum` < 0 it is canonical, else raw, with that VMIN and
 * `tenths` as VTIME; it never echoes. 0 or -errno. */
int test_terminal(int ends[2], int minimum, int tenths);

/* A TCP connection over the loopback. 0 or -errno. */
int test_tcp_pair(int ends[2]);
/* A TCP socket that listens on the loopback; its port goes to `port`. The descriptor, or -errno. */
int test_tcp_listener(int backlog, int *port);
/* Connects `socket` (AF_INET, stream) to a port of the loopback: 0 or -errno. */
int test_tcp_connect(int socket, int port);

/* Raises the soft limit of open descriptors to the hard one, and gives it; or -errno. */
long test_raise_descriptors(void);

/* For the children of this thread, monotonic and boot time are `seconds` later from now on. 0 or -errno. */
int test_shift_clocks(long seconds);

/* memfd_create(2): a file that is in memory and nowhere else. A descriptor, or -1. */
int test_memory_file(void);
/* A file without a name in /tmp. A descriptor, or -1. */
int test_disk_file(void);

/* The soft and hard limit of this user's processes, then another user without capabilities: all threads of the process. 0 or -errno. */
int test_become(unsigned user, unsigned long processes);

#endif
