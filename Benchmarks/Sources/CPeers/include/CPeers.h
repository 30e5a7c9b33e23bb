/* POSIX AIO and eventfd, whose headers Swift's Glibc module leaves out. */
#ifndef CPEERS_H
#define CPEERS_H

#include <stdint.h>
#include <sys/eventfd.h>

/* An eventfd that does not block, close-on-exec; -1 with errno. */
static inline int peer_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

enum { peer_block = 4096 };

/* Reads 4 KiB at offsets[i % items] of `descriptor`, for i from `first` on, `count` of them and `depth` at once, into `buffers` of 4 KiB each.
 * Returns the bytes read, or -errno. */
int64_t peer_aio_reads(int descriptor, const uint64_t *offsets, unsigned items, unsigned first, unsigned count, unsigned depth, char *buffers);

/* The same with a file that is opened, read once from its start and closed: POSIX AIO has the read only, the rest is plain. */
int64_t peer_aio_files(const char *const *paths, unsigned items, unsigned first, unsigned count, unsigned depth, char *buffers);

#endif
