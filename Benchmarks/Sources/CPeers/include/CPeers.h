/* POSIX AIO and eventfd, whose headers Swift's Glibc module leaves out. */
#ifndef CPEERS_H
#define CPEERS_H

#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

/* An eventfd that does not block, close-on-exec; -1 with errno. */
static inline int peer_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

/* How many bytes a file has, and on its device; -1 with errno. Swift has more than one `stat` where Dispatch is imported. */
static inline int64_t peer_file_size(int descriptor) {
  struct stat status;
  return fstat(descriptor, &status) == 0 ? (int64_t)status.st_size : -1;
}
static inline int64_t peer_bytes_on_device(int descriptor) {
  struct stat status;
  return fstat(descriptor, &status) == 0 ? (int64_t)status.st_blocks * 512 : -1;
}

enum { peer_block = 4096 };

/* Reads 4 KiB at offsets[i % items] of `descriptor`, for i from `first` on, `count` of them and `depth` at once, into `buffers` of 4 KiB each.
 * Returns the bytes read, or -errno. */
int64_t peer_aio_reads(int descriptor, const uint64_t *offsets, unsigned items, unsigned first, unsigned count, unsigned depth, char *buffers);

/* The same with a file that is opened, read once from its start and closed: POSIX AIO has the read only, the rest is plain. */
int64_t peer_aio_files(const char *const *paths, unsigned items, unsigned first, unsigned count, unsigned depth, char *buffers);

/* As many descriptors as this process may have. */
void peer_raise_descriptors(void);

/* A socket that listens on a port of loopback that the kernel has chosen; or -errno. */
int peer_listen(uint16_t *port);

/* Echoes on one thread, with epoll, until the process is killed; or -errno. */
int peer_serve_epoll(int listener);

/* Starts this program again as `serve KIND`, which is to print its port; makes `count` connections to it and sends `rounds` messages of so many bytes
 * through each, one at a time, checking every byte of the answers. Gives nanoseconds of the server's processor time, and of the clock, for each
 * message. Returns 0 or -errno: -EBADMSG for an answer that is not the message. */
int peer_measure_server(const char *kind, unsigned count, unsigned rounds, unsigned bytes, double *cpu, double *elapsed);

#endif
