/* The same work written by hand in C with liburing: what the engine is measured against. */
#ifndef CTWINS_H
#define CTWINS_H

#include <stdint.h>

/* A ring with buffers of 4 KiB and file slots for `depth` pieces of work at once. It belongs to the thread that opens it. */
struct twin;

/* 0 or -errno. */
int twin_open(struct twin **out, unsigned depth);
void twin_close(struct twin *twin);

/* Each of the following runs `rounds` batches of `depth` pieces of work, one io_uring_submit_and_wait per batch where the kernel allows it,
 * and returns nanoseconds for all of it, or -errno (-EIO for a wrong result). */

/* A piece of work is a chain of `length` linked nops. */
int64_t twin_nops(struct twin *twin, unsigned length, unsigned rounds);

/* A read of 4 KiB at offsets[i] of `descriptor`, in turn; from one call to the next it goes on where it was. Adds what was read to *bytes. */
int64_t twin_reads(struct twin *twin, int descriptor, const uint64_t *offsets, unsigned count, unsigned rounds, uint64_t *bytes);

/* open -> read up to 4 KiB -> close of paths[i], in turn, as one linked chain on a direct descriptor. Adds what was read to *bytes. */
int64_t twin_files(struct twin *twin, const char *const *paths, unsigned count, unsigned rounds, uint64_t *bytes);

/* MARK: echo (echo.c) */

enum { TWIN_MESSAGE = 64 };

/* Of the calling thread, in nanoseconds. */
struct twin_times {
  int64_t wall, cpu;
};
struct twin_times twin_now(void);

/* Computes for so many nanoseconds. */
void twin_work(int64_t length);

/* `count` TCP connections over loopback, and a thread that is at their other ends: in each round it sends a message of TWIN_MESSAGE bytes on each, and waits
 * for all of the echoes. */
struct twin_clients;
int twin_clients_open(struct twin_clients **out, unsigned count);
void twin_clients_close(struct twin_clients *clients);
int twin_clients_server(const struct twin_clients *clients, unsigned index);
int twin_clients_begin(struct twin_clients *clients, unsigned rounds);
/* 0, or -EIO if an echo was wrong or did not come. */
int twin_clients_end(struct twin_clients *clients);

/* Serves so many rounds, and computes for `work` nanoseconds for each message. 0 or -errno. */
enum twin_server { TWIN_RING, TWIN_EPOLL };
int twin_echo(struct twin *twin, enum twin_server server, struct twin_clients *clients, unsigned rounds, int64_t work, struct twin_times *times);

/* MARK: typed programs (typed.c) */

/* What the typed programs do, by system calls, one after the other, `rounds` times. Nanoseconds, or -errno; adds the bytes that were moved to *bytes. */
struct twin_paths {
  const char *folder, *source, *target, *temporary;
};
int64_t twin_status(const struct twin_paths *paths, unsigned rounds, uint64_t *bytes);
int64_t twin_read(const struct twin_paths *paths, char *buffer, unsigned size, unsigned rounds, uint64_t *bytes);
int64_t twin_copy(const struct twin_paths *paths, char *buffer, unsigned size, unsigned rounds, uint64_t *bytes);
int64_t twin_replace(const struct twin_paths *paths, const char *buffer, unsigned size, unsigned rounds, uint64_t *bytes);
int64_t twin_append(int log, const char *buffer, unsigned size, unsigned rounds, uint64_t *bytes);
/* `client` asks for `name` and takes the answer, which fits into the socket's buffer; what that takes is in the time, on both sides. */
int64_t twin_respond(int server, int client, int root, const char *name, char *buffer, unsigned size, unsigned rounds, uint64_t *bytes);
int twin_ask(int client, const char *name);
int64_t twin_take(int client, char *buffer, unsigned size, int64_t count);

#endif
