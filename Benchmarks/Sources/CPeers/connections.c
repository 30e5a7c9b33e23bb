/* 10,000 connections: the one-thread epoll server that ours is measured against, the load that both have, and a process for the server. */
#include "CPeers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { buffer_size = 4096, events_max = 512 };

void peer_raise_descriptors(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int peer_listen(uint16_t *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  const int on = 1;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return -errno;
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 4096) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
    int error = errno;
    close(listener);
    return -error;
  }
  *port = ntohs(address.sin_port);
  return listener;
}

int peer_serve_epoll(int listener) {
  static char buffer[buffer_size];
  struct epoll_event events[events_max], event = {.events = EPOLLIN, .data.fd = listener};
  int poll = epoll_create1(EPOLL_CLOEXEC);
  if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event) != 0) return -errno;
  for (;;) {
    int count = epoll_wait(poll, events, events_max, -1);
    if (count < 0 && errno != EINTR) return -errno;
    for (int i = 0; i < count; i++) {
      int descriptor = events[i].data.fd;
      if (descriptor == listener) {
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (connection < 0) continue;
        event.data.fd = connection;
        if (epoll_ctl(poll, EPOLL_CTL_ADD, connection, &event) != 0) close(connection);
        continue;
      }
      ssize_t received = recv(descriptor, buffer, sizeof buffer, 0);
      if (received < 0 && errno == EAGAIN) continue;
      /* What the socket does not take at once closes it: the load has one short message on its way. */
      if (received <= 0 || send(descriptor, buffer, (size_t)received, MSG_NOSIGNAL) != received) close(descriptor);
    }
  }
}

static int64_t clock_now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

extern char **environ;

static int start_server(const char *kind, pid_t *server, uint16_t *port) {
  int ends[2];
  char *arguments[] = {(char *)"everyday", (char *)"serve", (char *)kind, NULL}, text[16] = "";
  posix_spawn_file_actions_t actions;
  if (pipe2(ends, 0) != 0) return -errno;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  int error = posix_spawn(server, "/proc/self/exe", &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  ssize_t count = error == 0 ? read(ends[0], text, sizeof text - 1) : 0;
  close(ends[0]);
  *port = (uint16_t)atoi(text);
  if (error != 0) return -error;
  return count > 0 && *port != 0 ? 0 : -ECHILD;
}

/* Each connection has one message on its way; its bytes tell the connection and the round. */
static int load(int *connections, unsigned count, unsigned rounds, unsigned bytes, int poll) {
  char message[buffer_size], answer[buffer_size];
  struct epoll_event events[events_max];
  unsigned *done = calloc(count, sizeof *done), left = count;
  int result = 0;
  if (done == NULL) return -ENOMEM;
#define fill(connection, round) memset(message, (int)((connection) * 31 + (round)), bytes)
  for (unsigned i = 0; i < count && result == 0; i++) {
    fill(i, 0);
    if (send(connections[i], message, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) result = -EIO;
  }
  while (left > 0 && result == 0) {
    int ready = epoll_wait(poll, events, events_max, 10000);
    if (ready <= 0) {
      result = ready == 0 ? -ETIMEDOUT : -errno;
      break;
    }
    for (int i = 0; i < ready && result == 0; i++) {
      unsigned connection = events[i].data.u32;
      ssize_t received = recv(connections[connection], answer, bytes, MSG_WAITALL);
      fill(connection, done[connection]);
      if (received != (ssize_t)bytes || memcmp(message, answer, bytes) != 0) {
        result = -EBADMSG;
        break;
      }
      if (++done[connection] == rounds) {
        left--;
        continue;
      }
      fill(connection, done[connection]);
      if (send(connections[connection], message, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) result = -EIO;
    }
  }
  free(done);
  return result;
}

int peer_measure_server(const char *kind, unsigned count, unsigned rounds, unsigned bytes, double *cpu, double *elapsed) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int *connections = calloc(count, sizeof *connections), poll = epoll_create1(EPOLL_CLOEXEC), on = 1;
  unsigned made = 0;
  pid_t server = 0;
  uint16_t port = 0;
  clockid_t clock;
  int result = connections == NULL || bytes > buffer_size ? -EINVAL : start_server(kind, &server, &port);
  address.sin_port = htons(port);
  while (result == 0 && made < count) {
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = made};
    if (connection < 0) {
      result = -errno;
      break;
    }
    connections[made++] = connection;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0 || epoll_ctl(poll, EPOLL_CTL_ADD, connection, &event) != 0)
      result = -errno;
  }
  /* The first round has the accepts in it. */
  if (result == 0) result = load(connections, count, 1, bytes, poll);
  if (result == 0) result = -clock_getcpuclockid(server, &clock);
  if (result == 0) {
    int64_t began = clock_now(CLOCK_MONOTONIC), used = clock_now(clock);
    result = load(connections, count, rounds, bytes, poll);
    *cpu = (double)(clock_now(clock) - used) / ((double)count * rounds);
    *elapsed = (double)(clock_now(CLOCK_MONOTONIC) - began) / ((double)count * rounds);
  }
  while (made > 0) close(connections[--made]);
  close(poll);
  free(connections);
  if (server > 0) {
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
  }
  return result;
}
