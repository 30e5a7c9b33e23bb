/* As many reads in flight as asked for; whichever is done is replaced. glibc serves them with threads of its own, and those of one descriptor one
 * after the other. */
#include "CPeers.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct job {
  int descriptor;
  const uint64_t *offsets;
  const char *const *paths; /* NULL: `descriptor` is read at `offsets` */
  unsigned items;
};

static int start(const struct job *job, struct aiocb *block, unsigned item, char *buffer) {
  memset(block, 0, sizeof *block);
  block->aio_fildes = job->paths ? open(job->paths[item], O_RDONLY | O_CLOEXEC) : job->descriptor;
  if (block->aio_fildes < 0) return -errno;
  block->aio_buf = buffer;
  block->aio_nbytes = peer_block;
  block->aio_offset = job->paths ? 0 : (off_t)job->offsets[item];
  return aio_read(block) == 0 ? 0 : -errno;
}

static int64_t run(const struct job *job, unsigned first, unsigned count, unsigned depth, char *buffers) {
  struct aiocb *blocks = calloc(depth, sizeof *blocks);
  const struct aiocb **list = calloc(depth, sizeof *list); /* NULL where nothing is in flight, which aio_suspend ignores */
  unsigned item = first % job->items, started = 0, finished = 0;
  int64_t bytes = 0;
  int64_t result = blocks && list ? 0 : -ENOMEM;
  while (result == 0 && finished < count) {
    for (unsigned i = 0; i < depth && result == 0; i++) {
      if (list[i]) {
        ssize_t got;
        int error = aio_error(list[i]);
        if (error == EINPROGRESS) continue;
        got = aio_return(&blocks[i]);
        if (job->paths) close(blocks[i].aio_fildes);
        list[i] = NULL;
        finished++;
        if (error) result = -error;
        bytes += got;
      }
      if (started < count && result == 0) {
        result = start(job, &blocks[i], item, buffers + (size_t)i * peer_block);
        if (result < 0) break;
        list[i] = &blocks[i];
        started++;
        if (++item == job->items) item = 0;
      }
    }
    if (result == 0 && finished < count && aio_suspend(list, (int)depth, NULL) < 0 && errno != EINTR) result = -errno;
  }
  /* What is in flight writes into `buffers`: it must end before they may go. */
  for (unsigned i = 0; list && i < depth; i++)
    while (list[i] && aio_error(list[i]) == EINPROGRESS) aio_suspend(&list[i], 1, NULL);
  free(blocks);
  free(list);
  return result < 0 ? result : bytes;
}

int64_t peer_aio_reads(int descriptor, const uint64_t *offsets, unsigned items, unsigned first, unsigned count, unsigned depth, char *buffers) {
  const struct job job = {.descriptor = descriptor, .offsets = offsets, .items = items};
  return run(&job, first, count, depth, buffers);
}

int64_t peer_aio_files(const char *const *paths, unsigned items, unsigned first, unsigned count, unsigned depth, char *buffers) {
  const struct job job = {.descriptor = -1, .paths = paths, .items = items};
  return run(&job, first, count, depth, buffers);
}
