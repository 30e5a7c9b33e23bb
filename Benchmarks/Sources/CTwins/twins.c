/* What a C programmer who knows liburing would write: the engine's own set-up flags, one enter per batch, completions reaped in batches, and
 * no completion for what nobody wants to know. */
#include "CTwins.h"
#include "twin.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { entries = 256, completions = 4096, block = 4096 };

/* Which request of a chain a completion belongs to: the low bits of user_data. */
enum step { step_only, step_open, step_read, step_close };

struct twin {
  struct io_uring ring;
  unsigned depth;
  unsigned next; /* the next offset or path */
  char *buffers;
};

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int twin_open(struct twin **out, unsigned depth) {
  struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
                                            IORING_SETUP_DEFER_TASKRUN,
                                   .cq_entries = completions};
  struct twin *twin = calloc(1, sizeof *twin);
  int result = -ENOMEM;
  if (!twin) return result;
  twin->depth = depth;
  twin->buffers = aligned_alloc(block, (size_t)depth * block);
  if (!twin->buffers) goto no_buffers;
  memset(twin->buffers, 0, (size_t)depth * block);
  result = io_uring_queue_init_params(entries, &twin->ring, &params);
  if (result < 0) goto no_ring;
  result = io_uring_register_files_sparse(&twin->ring, depth);
  if (result < 0) goto no_files;
  *out = twin;
  return 0;

no_files:
  io_uring_queue_exit(&twin->ring);
no_ring:
  free(twin->buffers);
no_buffers:
  free(twin);
  return result;
}

void twin_close(struct twin *twin) {
  io_uring_queue_exit(&twin->ring);
  free(twin->buffers);
  free(twin);
}

struct io_uring *twin_ring(struct twin *twin) { return &twin->ring; }
char *twin_buffer(struct twin *twin, unsigned index) { return twin->buffers + (size_t)index * block; }

/* Submits what is prepared and reaps until `wanted` completions came; a result below `least` is an error. What the requests of step_read
 * gave is added to *bytes. */
static int finish(struct twin *twin, unsigned wanted, int least, uint64_t *bytes) {
  struct io_uring_cqe *cqes[entries];
  while (wanted > 0) {
    unsigned got;
    int result = io_uring_submit_and_wait(&twin->ring, wanted);
    if (result < 0) return result;
    got = io_uring_peek_batch_cqe(&twin->ring, cqes, wanted < entries ? wanted : entries);
    for (unsigned i = 0; i < got; i++) {
      if (cqes[i]->res < least) return cqes[i]->res < 0 ? cqes[i]->res : -EIO;
      if (cqes[i]->user_data == step_read) *bytes += (uint64_t)cqes[i]->res;
    }
    io_uring_cq_advance(&twin->ring, got);
    wanted -= got;
  }
  return 0;
}

int64_t twin_nops(struct twin *twin, unsigned length, unsigned rounds) {
  int64_t begin = now();
  for (unsigned round = 0; round < rounds; round++) {
    int result;
    for (unsigned i = 0; i < twin->depth; i++) {
      for (unsigned link = 1; link <= length; link++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&twin->ring);
        io_uring_prep_nop(sqe);
        if (link < length) sqe->flags = IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
        sqe->user_data = step_only;
      }
    }
    result = finish(twin, twin->depth, 0, NULL);
    if (result < 0) return result;
  }
  return now() - begin;
}

int64_t twin_reads(struct twin *twin, int descriptor, const uint64_t *offsets, unsigned count, unsigned rounds, uint64_t *bytes) {
  int64_t begin = now();
  for (unsigned round = 0; round < rounds; round++) {
    int result;
    for (unsigned i = 0; i < twin->depth; i++) {
      struct io_uring_sqe *sqe = io_uring_get_sqe(&twin->ring);
      io_uring_prep_read(sqe, descriptor, twin->buffers + (size_t)i * block, block, offsets[twin->next]);
      sqe->user_data = step_read;
      if (++twin->next == count) twin->next = 0;
    }
    result = finish(twin, twin->depth, block, bytes);
    if (result < 0) return result;
  }
  return now() - begin;
}

/* The close completes visibly: before it has, the slot is not free for the next chain. A short read severs a soft link, and the close must run
 * all the same, hence the hard one. */
int64_t twin_files(struct twin *twin, const char *const *paths, unsigned count, unsigned rounds, uint64_t *bytes) {
  int64_t begin = now();
  for (unsigned round = 0; round < rounds; round++) {
    int result;
    for (unsigned i = 0; i < twin->depth; i++) {
      struct io_uring_sqe *sqe = io_uring_get_sqe(&twin->ring);
      io_uring_prep_openat_direct(sqe, AT_FDCWD, paths[twin->next], O_RDONLY, 0, i);
      sqe->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
      sqe->user_data = step_open;
      sqe = io_uring_get_sqe(&twin->ring);
      io_uring_prep_read(sqe, (int)i, twin->buffers + (size_t)i * block, block, (uint64_t)-1);
      sqe->flags |= IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK;
      sqe->user_data = step_read;
      sqe = io_uring_get_sqe(&twin->ring);
      io_uring_prep_close_direct(sqe, i);
      sqe->user_data = step_close;
      if (++twin->next == count) twin->next = 0;
    }
    result = finish(twin, 2 * twin->depth, 0, bytes);
    if (result < 0) return result;
  }
  return now() - begin;
}
