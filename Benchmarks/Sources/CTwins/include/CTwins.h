/* The same work written by hand in C with liburing: what the engine is measured against. */
#ifndef CTWINS_H
#define CTWINS_H

#include <stdint.h>

/* Runs `rounds` batches of `depth` nops, one io_uring_submit_and_wait per batch: nanoseconds for all of it, or -errno. */
int64_t twin_nop(unsigned depth, unsigned rounds);

/* Runs `rounds` batches of `depth` reads of 4 KiB at offsets[i] of `descriptor`, in turn: nanoseconds for all of it, or -errno (-EIO for
 * a short read). */
int64_t twin_read(int descriptor, const uint64_t *offsets, unsigned offset_count, unsigned depth, unsigned rounds);

#endif
