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

#endif
