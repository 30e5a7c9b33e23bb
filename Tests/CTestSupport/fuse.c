/* A small FUSE file system for tests: one folder of small files in memory. Any request can be told to fail or to be kept unanswered.
 *
 * The server is a process of its own. Were it a thread of the test's, a test process that ends with files open there would wait for ever:
 * the kernel closes the files when the server's thread has gone already. */

#include "CTestSupport.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { opcodes_max = 64, files_max = 32, file_size_max = 16384, held_max = 64, request_size = 1 << 18, hold_milliseconds_max = 30000 };

/* Shared between the test's process and the server's; every member is read and written atomically but the files, which the test adds
 * before anybody asks for them. */
struct shared {
  _Atomic int seen[opcodes_max];
  _Atomic int fails[opcodes_max];
  _Atomic int holds[opcodes_max];
  _Atomic int held, stops;
  struct file {
    char name[32];
    int size, is_used;
    unsigned mode;
    char content[file_size_max];
  } files[files_max];
};

struct test_fuse {
  struct shared *shared;
  int device, root;
  pid_t server;
};

/* A request that waits for its answer. */
struct held {
  struct fuse_in_header header;
  int64_t end;
  char body[512];
};

struct server {
  struct shared *shared;
  int device;
  struct held held[held_max];
  int held_count;
  char request[request_size];
};

static void answer(struct server *server, uint64_t unique, int error, const void *body, size_t byte_count) {
  static char out[sizeof(struct fuse_out_header) + file_size_max];
  struct fuse_out_header header = {(uint32_t)(sizeof header + (error ? 0 : byte_count)), -error, unique};
  memcpy(out, &header, sizeof header);
  if (!error && byte_count) memcpy(out + sizeof header, body, byte_count);
  /* ENOENT: the request was given up meanwhile. */
  ssize_t written = write(server->device, out, header.len);
  (void)written;
}

static struct file *file_of(struct server *server, uint64_t node) {
  return node >= 2 && node < 2 + files_max && server->shared->files[node - 2].is_used ? &server->shared->files[node - 2] : NULL;
}

static struct file *named(struct shared *shared, const char *name) {
  for (int index = 0; index < files_max; index++)
    if (shared->files[index].is_used && strcmp(shared->files[index].name, name) == 0) return &shared->files[index];
  return NULL;
}

static struct file *make(struct shared *shared, const char *name, int size, unsigned mode) {
  for (int index = 0; index < files_max; index++) {
    struct file *file = &shared->files[index];
    if (file->is_used) continue;
    snprintf(file->name, sizeof file->name, "%s", name);
    (file->size = size, file->mode = mode);
    for (int offset = 0; offset < size; offset++) file->content[offset] = (char)('a' + offset % 26);
    file->is_used = 1;
    return file;
  }
  return NULL;
}

static struct fuse_attr attributes(struct server *server, uint64_t node) {
  struct file *file = file_of(server, node);
  struct fuse_attr attributes = {.ino = node, .nlink = file ? 1 : 2, .blksize = 4096};
  attributes.mode = file ? S_IFREG | file->mode : S_IFDIR | 0755;
  attributes.size = file ? (uint64_t)file->size : 0;
  attributes.blocks = (attributes.size + 511) / 512;
  return attributes;
}

static struct fuse_entry_out entry(struct server *server, struct file *file) {
  uint64_t node = 2 + (uint64_t)(file - server->shared->files);
  /* Valid for no time: each look-up and each question for attributes gets here. */
  struct fuse_entry_out entry = {.nodeid = node, .attr = attributes(server, node)};
  return entry;
}

static void do_read(struct server *server, const struct fuse_in_header *header, const void *body, int error) {
  const struct fuse_read_in *in = body;
  struct file *file = file_of(server, header->nodeid);
  if (!file) return answer(server, header->unique, EISDIR, NULL, 0);
  uint64_t offset = in->offset < (uint64_t)file->size ? in->offset : (uint64_t)file->size;
  uint64_t rest = (uint64_t)file->size - offset;
  answer(server, header->unique, error, file->content + offset, rest < in->size ? rest : in->size);
}

static void do_write(struct server *server, const struct fuse_in_header *header, const void *body, int error) {
  const struct fuse_write_in *in = body;
  struct file *file = file_of(server, header->nodeid);
  if (!file || in->offset + in->size > file_size_max) return answer(server, header->unique, ENOSPC, NULL, 0);
  memcpy(file->content + in->offset, in + 1, in->size);
  if ((int)(in->offset + in->size) > file->size) file->size = (int)(in->offset + in->size);
  struct fuse_write_out out = {.size = in->size};
  answer(server, header->unique, error, &out, sizeof out);
}

static void do_setattr(struct server *server, const struct fuse_in_header *header, const void *body, int error) {
  const struct fuse_setattr_in *in = body;
  struct file *file = file_of(server, header->nodeid);
  if (file && in->valid & FATTR_SIZE && in->size <= file_size_max) {
    if ((int)in->size > file->size) memset(file->content + file->size, 0, in->size - (uint64_t)file->size);
    file->size = (int)in->size;
  }
  if (file && in->valid & FATTR_MODE) file->mode = in->mode & 07777;
  struct fuse_attr_out out = {.attr = attributes(server, header->nodeid)};
  answer(server, header->unique, error, &out, sizeof out);
}

static void do_create(struct server *server, const struct fuse_in_header *header, const void *body, int error) {
  const struct fuse_create_in *in = body;
  const char *name = (const char *)(in + 1);
  struct file *file = named(server->shared, name);
  if (!file) file = make(server->shared, name, 0, in->mode & 07777);
  if (!file) return answer(server, header->unique, ENOSPC, NULL, 0);
  struct {
    struct fuse_entry_out entry;
    struct fuse_open_out open;
  } out = {entry(server, file), {.open_flags = FOPEN_DIRECT_IO}};
  answer(server, header->unique, error, &out, sizeof out);
}

/* What a request does happens also if its answer is to be an error. */
static void serve(struct server *server, const struct fuse_in_header *header, const void *body) {
  int error = header->opcode < opcodes_max ? server->shared->fails[header->opcode] : 0;
  switch (header->opcode) {
  case FUSE_INIT: {
    const struct fuse_init_in *in = body;
    struct fuse_init_out out = {.major = 7, .minor = 31, .max_readahead = in->max_readahead, .max_write = 65536, .time_gran = 1};
    out.flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES;
    return answer(server, header->unique, 0, &out, sizeof out);
  }
  case FUSE_LOOKUP: {
    struct file *file = named(server->shared, body);
    if (!file) return answer(server, header->unique, error ? error : ENOENT, NULL, 0);
    struct fuse_entry_out out = entry(server, file);
    return answer(server, header->unique, error, &out, sizeof out);
  }
  case FUSE_GETATTR: {
    struct fuse_attr_out out = {.attr = attributes(server, header->nodeid)};
    return answer(server, header->unique, error, &out, sizeof out);
  }
  case FUSE_OPEN:
  case FUSE_OPENDIR: {
    struct fuse_open_out out = {.open_flags = FOPEN_DIRECT_IO};
    return answer(server, header->unique, error, &out, sizeof out);
  }
  case FUSE_SETATTR: return do_setattr(server, header, body, error);
  case FUSE_CREATE: return do_create(server, header, body, error);
  case FUSE_READ: return do_read(server, header, body, error);
  case FUSE_WRITE: return do_write(server, header, body, error);
  case FUSE_STATFS: {
    struct fuse_statfs_out out = {.st = {.bsize = 4096, .namelen = 31}};
    return answer(server, header->unique, error, &out, sizeof out);
  }
  case FUSE_UNLINK: {
    struct file *file = named(server->shared, body);
    if (!file) error = ENOENT;
    else file->is_used = 0;
    return answer(server, header->unique, error, NULL, 0);
  }
  case FUSE_FLUSH:
  case FUSE_RELEASE:
  case FUSE_RELEASEDIR:
  case FUSE_FSYNC:
  case FUSE_FALLOCATE:
  case FUSE_SETLKW:
  case FUSE_DESTROY: return answer(server, header->unique, error, NULL, 0);
  case FUSE_FORGET:
  case FUSE_BATCH_FORGET:
  case FUSE_INTERRUPT: return; /* none of them has an answer; what is interrupted is not given up, as with a disk */
  default: return answer(server, header->unique, error ? error : ENOSYS, NULL, 0);
  }
}

static bool is_held(struct server *server, uint32_t opcode) { return opcode < opcodes_max && server->shared->holds[opcode]; }

/* Serves what is held no longer. */
static void release(struct server *server) {
  for (int index = 0; index < server->held_count;) {
    struct held *held = &server->held[index];
    if (is_held(server, held->header.opcode) && !server->shared->stops && test_milliseconds() < held->end) {
      index++;
      continue;
    }
    struct held released = *held;
    *held = server->held[--server->held_count];
    server->shared->held = server->held_count;
    serve(server, &released.header, released.body);
  }
}

static void run(struct server *server) {
  while (true) {
    struct pollfd entry = {server->device, POLLIN, 0};
    poll(&entry, 1, server->held_count ? 2 : 50);
    release(server);
    if (server->shared->stops && server->held_count == 0 && !(entry.revents & POLLIN)) return;
    if (!entry.revents) continue;
    ssize_t count = read(server->device, server->request, request_size);
    if (count < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT)) continue;
    if (count < (ssize_t)sizeof(struct fuse_in_header)) return; /* ENODEV: nobody has the file system any more */
    struct fuse_in_header header;
    memcpy(&header, server->request, sizeof header);
    if (header.opcode < opcodes_max) server->shared->seen[header.opcode]++;
    struct held *held = &server->held[server->held_count];
    size_t body_size = (size_t)count - sizeof header;
    if (is_held(server, header.opcode) && server->held_count < held_max && body_size <= sizeof held->body) {
      *held = (struct held){.header = header, .end = test_milliseconds() + hold_milliseconds_max};
      memcpy(held->body, server->request + sizeof header, body_size);
      server->held_count++;
      server->shared->held = server->held_count;
    } else {
      serve(server, &header, server->request + sizeof header);
    }
  }
}

/* The new mount calls, by number: headers older than the kernel do not name them. */
static int mount_fuse(int device) {
  char number[16];
  snprintf(number, sizeof number, "%d", device);
  int context = (int)syscall(430 /* fsopen */, "fuse", 1 /* FSOPEN_CLOEXEC */), result;
  if (context < 0) return -errno;
  /* FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE */
  if (syscall(431 /* fsconfig */, context, 1, "fd", number, 0) != 0 || syscall(431, context, 1, "rootmode", "40000", 0) != 0 ||
      syscall(431, context, 1, "user_id", "0", 0) != 0 || syscall(431, context, 1, "group_id", "0", 0) != 0 ||
      syscall(431, context, 6, NULL, NULL, 0) != 0 || (result = (int)syscall(432 /* fsmount */, context, 1 /* FSMOUNT_CLOEXEC */, 0)) < 0)
    result = -errno;
  close(context);
  return result;
}

struct test_fuse *test_fuse_start(int *error) {
  struct test_fuse *fuse = calloc(1, sizeof *fuse);
  if (!fuse) return (*error = -ENOMEM, NULL);
  fuse->shared = mmap(NULL, sizeof *fuse->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (fuse->shared == MAP_FAILED || (fuse->device = open("/dev/fuse", O_RDWR | O_CLOEXEC)) < 0) goto failed;
  /* Before the mount: the server must not have the root open, or the file system would never go. */
  if ((fuse->server = fork()) < 0) goto failed;
  if (fuse->server == 0) {
    prctl(PR_SET_NAME, "test-fuse");
    int device = dup2(fuse->device, 0);
    syscall(SYS_close_range, 1, ~0U, 0);
    static struct server server;
    (server.shared = fuse->shared, server.device = device);
    struct pollfd entry = {device, POLLIN, 0};
    /* Until it is mounted a poll answers POLLERR, and a read EPERM. */
    for (int64_t end = test_milliseconds() + 10000; poll(&entry, 1, 1) >= 0 && !(entry.revents & POLLIN); usleep(500))
      if (fuse->shared->stops || test_milliseconds() > end) _exit(1);
    run(&server);
    _exit(0);
  }
  if ((fuse->root = mount_fuse(fuse->device)) < 0) {
    *error = fuse->root;
    fuse->root = -1;
    test_fuse_stop(fuse);
    return NULL;
  }
  /* The server's copy is the only one now: when the server ends, what waits for it fails. */
  close(fuse->device);
  fuse->device = -1;
  return fuse;
failed:
  *error = -errno;
  if (fuse->shared != MAP_FAILED) munmap(fuse->shared, sizeof *fuse->shared);
  if (fuse->device > 0) close(fuse->device);
  free(fuse);
  return NULL;
}

void test_fuse_stop(struct test_fuse *fuse) {
  fuse->shared->stops = 1;
  if (fuse->root >= 0) close(fuse->root);
  if (fuse->device >= 0) close(fuse->device);
  test_reap_child(fuse->server);
  munmap(fuse->shared, sizeof *fuse->shared);
  free(fuse);
}

int test_fuse_root(const struct test_fuse *fuse) { return fuse->root; }
int test_fuse_add(struct test_fuse *fuse, const char *name, int byte_count) {
  if (byte_count > file_size_max) return -EINVAL;
  return make(fuse->shared, name, byte_count, 0644) ? 0 : -ENOSPC;
}
void test_fuse_fail(struct test_fuse *fuse, int opcode, int error) { fuse->shared->fails[opcode] = error; }
void test_fuse_hold(struct test_fuse *fuse, int opcode, bool holds) { fuse->shared->holds[opcode] = holds; }
int test_fuse_seen(const struct test_fuse *fuse, int opcode) { return fuse->shared->seen[opcode]; }
int test_fuse_held(const struct test_fuse *fuse) { return fuse->shared->held; }
