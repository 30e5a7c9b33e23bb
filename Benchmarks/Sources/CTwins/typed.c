/* The six programs of the typed API by hand: plain system calls, one after the other, as a program would make them that has nothing else to do. */
#include "CTwins.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int64_t failed(void) { return -(int64_t)errno; }

int64_t twin_status(const struct twin_paths *paths, unsigned rounds, uint64_t *bytes) {
  int64_t begin = twin_now().wall;
  for (unsigned round = 0; round < rounds; round++) {
    struct statx status;
    if (statx(AT_FDCWD, paths->source, 0, STATX_BASIC_STATS | STATX_BTIME, &status) < 0) return failed();
    *bytes += status.stx_size;
  }
  return twin_now().wall - begin;
}

static int64_t read_all(int file, char *buffer, unsigned size) {
  unsigned count = 0;
  while (count < size) {
    ssize_t got = read(file, buffer + count, size - count);
    if (got < 0) return failed();
    if (got == 0) break;
    count += (unsigned)got;
  }
  return count;
}

static int64_t write_all(int file, const char *buffer, unsigned size) {
  unsigned count = 0;
  while (count < size) {
    ssize_t put = write(file, buffer + count, size - count);
    if (put < 0) return failed();
    count += (unsigned)put;
  }
  return count;
}

int64_t twin_read(const struct twin_paths *paths, char *buffer, unsigned size, unsigned rounds, uint64_t *bytes) {
  int64_t begin = twin_now().wall;
  for (unsigned round = 0; round < rounds; round++) {
    int file = open(paths->source, O_RDONLY | O_CLOEXEC);
    if (file < 0) return failed();
    int64_t got = read_all(file, buffer, size);
    if (close(file) < 0 || got < 0) return got < 0 ? got : failed();
    *bytes += (uint64_t)got;
  }
  return twin_now().wall - begin;
}

int64_t twin_copy(const struct twin_paths *paths, char *buffer, unsigned size, unsigned rounds, uint64_t *bytes) {
  int64_t begin = twin_now().wall;
  for (unsigned round = 0; round < rounds; round++) {
    int from = open(paths->source, O_RDONLY | O_CLOEXEC);
    int to = open(paths->target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (from < 0 || to < 0) return failed();
    for (;;) {
      ssize_t got = read(from, buffer, size);
      if (got < 0) return failed();
      if (got == 0) break;
      int64_t put = write_all(to, buffer, (unsigned)got);
      if (put < 0) return put;
      *bytes += (uint64_t)put;
    }
    if (fsync(to) < 0 || close(to) < 0 || close(from) < 0) return failed();
  }
  return twin_now().wall - begin;
}

int64_t twin_replace(const struct twin_paths *paths, const char *buffer, unsigned size, unsigned rounds, uint64_t *bytes) {
  int64_t begin = twin_now().wall;
  for (unsigned round = 0; round < rounds; round++) {
    int folder = open(paths->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int file = open(paths->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (folder < 0 || file < 0) return failed();
    int64_t put = write_all(file, buffer, size);
    if (put < 0) return put;
    if (fsync(file) < 0 || close(file) < 0 || rename(paths->temporary, paths->target) < 0 || fsync(folder) < 0 || close(folder) < 0) return failed();
    *bytes += (uint64_t)put;
  }
  return twin_now().wall - begin;
}

int64_t twin_append(int log, const char *buffer, unsigned size, unsigned rounds, uint64_t *bytes) {
  int64_t begin = twin_now().wall;
  for (unsigned round = 0; round < rounds; round++) {
    off_t end = lseek(log, 0, SEEK_END);
    if (end < 0) return failed();
    for (unsigned count = 0; count < size;) {
      ssize_t put = pwrite(log, buffer + count, size - count, end + count);
      if (put < 0) return failed();
      count += (unsigned)put;
    }
    if (fdatasync(log) < 0) return failed();
    *bytes += size;
  }
  return twin_now().wall - begin;
}

int twin_ask(int client, const char *name) {
  size_t length = strlen(name) + 1;
  return send(client, name, length, 0) == (ssize_t)length ? 0 : -EIO;
}

int64_t twin_take(int client, char *buffer, unsigned size, int64_t count) {
  int64_t left = count;
  while (left > 0) {
    ssize_t got = recv(client, buffer, left < size ? (size_t)left : size, 0);
    if (got <= 0) return got < 0 ? failed() : -EIO;
    left -= got;
  }
  return count;
}

static int64_t respond(int server, int root, char *buffer, unsigned size) {
  char request[4096];
  if (recv(server, request, sizeof request, 0) <= 0) return -EIO;
  struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
  int file = (int)syscall(SYS_openat2, root, request, &how, sizeof how);
  if (file < 0) return failed();
  struct statx status;
  if (statx(file, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &status) < 0) return failed();
  int64_t sent = 0;
  for (;;) {
    ssize_t got = read(file, buffer, size);
    if (got < 0) return failed();
    if (got == 0) break;
    for (ssize_t count = 0; count < got;) {
      ssize_t put = send(server, buffer + count, (size_t)(got - count), MSG_NOSIGNAL);
      if (put < 0) return failed();
      count += put;
    }
    sent += got;
  }
  return close(file) < 0 ? failed() : sent;
}

int64_t twin_respond(int server, int client, int root, const char *name, char *buffer, unsigned size, unsigned rounds, uint64_t *bytes) {
  int64_t begin = twin_now().wall;
  for (unsigned round = 0; round < rounds; round++) {
    int asked = twin_ask(client, name);
    if (asked < 0) return asked;
    int64_t sent = respond(server, root, buffer, size);
    if (sent < 0) return sent;
    int64_t taken = twin_take(client, buffer, size, sent);
    if (taken < 0) return taken;
    *bytes += (uint64_t)taken;
  }
  return twin_now().wall - begin;
}
