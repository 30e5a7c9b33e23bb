/* What a C programmer who knows liburing would write: the engine's own set-up flags, one enter per batch, completions reaped in batches. */
#include "CTwins.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { entries = 256, completions = 4096, block = 4096 };

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int open_ring(struct io_uring *ring) {
  struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
                                            IORING_SETUP_DEFER_TASKRUN,
                                   .cq_entries = completions};
  return io_uring_queue_init_params(entries, ring, &params);
}

/* Reaps a batch; a result below `least` is an error. */
static int reap(struct io_uring *ring, unsigned count, int least) {
  struct io_uring_cqe *cqes[entries];
  unsigned got = io_uring_peek_batch_cqe(ring, cqes, count);
  for (unsigned i = 0; i < got; i++)
    if (cqes[i]->res < least) return cqes[i]->res < 0 ? cqes[i]->res : -EIO;
  io_uring_cq_advance(ring, got);
  return (int)got;
}

static int64_t batches(struct io_uring *ring, unsigned depth, unsigned rounds, int descriptor, const uint64_t *offsets,
                       unsigned offset_count, char *buffers) {
  unsigned next = 0;
  int64_t begin = now();
  for (unsigned round = 0; round < rounds; round++) {
    for (unsigned i = 0; i < depth; i++) {
      struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
      if (buffers) {
        io_uring_prep_read(sqe, descriptor, buffers + (size_t)i * block, block, offsets[next]);
        if (++next == offset_count) next = 0;
      } else {
        io_uring_prep_nop(sqe);
      }
      sqe->user_data = i;
    }
    for (unsigned done = 0; done < depth;) {
      int result = io_uring_submit_and_wait(ring, depth - done);
      if (result < 0) return result;
      result = reap(ring, depth - done, buffers ? block : 0);
      if (result < 0) return result;
      done += (unsigned)result;
    }
  }
  return now() - begin;
}

int64_t twin_nop(unsigned depth, unsigned rounds) {
  struct io_uring ring;
  int64_t result = open_ring(&ring);
  if (result < 0) return result;
  result = batches(&ring, depth, rounds, -1, NULL, 0, NULL);
  io_uring_queue_exit(&ring);
  return result;
}

int64_t twin_read(int descriptor, const uint64_t *offsets, unsigned offset_count, unsigned depth, unsigned rounds) {
  struct io_uring ring;
  char *buffers = aligned_alloc(block, (size_t)depth * block);
  int64_t result;
  if (!buffers) return -ENOMEM;
  memset(buffers, 0, (size_t)depth * block);
  result = open_ring(&ring);
  if (result == 0) {
    result = batches(&ring, depth, rounds, descriptor, offsets, offset_count, buffers);
    io_uring_queue_exit(&ring);
  }
  free(buffers);
  return result;
}
