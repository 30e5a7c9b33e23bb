/* An echo server over TCP, as a C programmer would write it, with io_uring and with epoll, and the clients that it serves. */
#include "CTwins.h"
#include "twin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct twin_clients {
  unsigned count;
  int *clients;
  int *servers;
  pthread_t thread;
  unsigned rounds;
  int result;
};

static int64_t nanoseconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void twin_work(int64_t length) {
  int64_t end = nanoseconds(CLOCK_MONOTONIC) + length;
  while (length > 0 && nanoseconds(CLOCK_MONOTONIC) < end) continue;
}

struct twin_times twin_now(void) { return (struct twin_times){nanoseconds(CLOCK_MONOTONIC), nanoseconds(CLOCK_THREAD_CPUTIME_ID)}; }

/* MARK: clients */

static int connect_pair(int listener, const struct sockaddr_in *address, int *client, int *server) {
  /* An answer that does not come is an error, and no hang. */
  const struct timeval patience = {.tv_sec = 5};
  const int on = 1;
  *client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (*client < 0) return -errno;
  if (connect(*client, (const struct sockaddr *)address, sizeof *address) != 0) return -errno;
  *server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (*server < 0) return -errno;
  setsockopt(*client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(*client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(*server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return 0;
}

static int connect_all(struct twin_clients *clients) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int result = 0, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return -errno;
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 16) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0)
    result = -errno;
  for (unsigned i = 0; result == 0 && i < clients->count; i++)
    result = connect_pair(listener, &address, &clients->clients[i], &clients->servers[i]);
  close(listener);
  return result;
}

void twin_clients_close(struct twin_clients *clients) {
  for (unsigned i = 0; i < clients->count; i++) {
    if (clients->clients[i] >= 0) close(clients->clients[i]);
    if (clients->servers[i] >= 0) close(clients->servers[i]);
  }
  free(clients->clients);
  free(clients->servers);
  free(clients);
}

int twin_clients_open(struct twin_clients **out, unsigned count) {
  struct twin_clients *clients = calloc(1, sizeof *clients);
  int result;
  if (!clients) return -ENOMEM;
  clients->clients = malloc(count * sizeof *clients->clients);
  clients->servers = malloc(count * sizeof *clients->servers);
  if (clients->clients && clients->servers) {
    clients->count = count;
    for (unsigned i = 0; i < count; i++) clients->clients[i] = clients->servers[i] = -1;
    result = connect_all(clients);
  } else {
    result = -ENOMEM;
  }
  if (result < 0)
    twin_clients_close(clients);
  else
    *out = clients;
  return result;
}

int twin_clients_server(const struct twin_clients *clients, unsigned index) { return clients->servers[index]; }

/* In each round a message on each connection, and then all of the echoes. */
static void *send_rounds(void *argument) {
  struct twin_clients *clients = argument;
  char message[TWIN_MESSAGE], echo[TWIN_MESSAGE];
  for (unsigned round = 0; round < clients->rounds; round++) {
    memset(message, (int)(round & 0xff), sizeof message);
    for (unsigned i = 0; i < clients->count; i++)
      if (send(clients->clients[i], message, sizeof message, MSG_NOSIGNAL) != sizeof message) goto failed;
    for (unsigned i = 0; i < clients->count; i++)
      if (recv(clients->clients[i], echo, sizeof echo, MSG_WAITALL) != sizeof echo || memcmp(message, echo, sizeof echo) != 0) goto failed;
  }
  return NULL;

failed:
  clients->result = -EIO;
  /* Or the server would wait for ever. */
  for (unsigned i = 0; i < clients->count; i++) shutdown(clients->clients[i], SHUT_RDWR);
  return NULL;
}

int twin_clients_begin(struct twin_clients *clients, unsigned rounds) {
  clients->rounds = rounds;
  clients->result = 0;
  return -pthread_create(&clients->thread, NULL, send_rounds, clients);
}

int twin_clients_end(struct twin_clients *clients) {
  int result = -pthread_join(clients->thread, NULL);
  return result < 0 ? result : clients->result;
}

/* MARK: servers */

/* With the ring: the answer and the wait for the next message are a chain, of which only the end is told. */
static int serve_ring(struct twin *twin, const struct twin_clients *clients, unsigned rounds, int64_t work) {
  struct io_uring *ring = twin_ring(twin);
  struct io_uring_cqe *cqes[256];
  uint64_t left = (uint64_t)clients->count * rounds;
  unsigned *rounds_left = malloc(clients->count * sizeof *rounds_left), answers = 0;
  int result = rounds_left ? 0 : -ENOMEM;
  for (unsigned i = 0; result == 0 && i < clients->count; i++) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    io_uring_prep_recv(sqe, clients->servers[i], twin_buffer(twin, i), TWIN_MESSAGE, 0);
    sqe->user_data = i;
    rounds_left[i] = rounds;
  }
  while (result >= 0 && (left > 0 || answers > 0)) {
    unsigned got;
    result = io_uring_submit_and_wait(ring, 1);
    if (result < 0) break;
    got = io_uring_peek_batch_cqe(ring, cqes, 256);
    for (unsigned n = 0; n < got; n++) {
      unsigned i = (unsigned)cqes[n]->user_data;
      struct io_uring_sqe *sqe;
      if (cqes[n]->res != TWIN_MESSAGE) result = cqes[n]->res < 0 ? cqes[n]->res : -EIO;
      if (rounds_left[i] == 0) {
        answers--;
        continue;
      }
      twin_work(work);
      left--;
      rounds_left[i]--;
      sqe = io_uring_get_sqe(ring);
      io_uring_prep_send(sqe, clients->servers[i], twin_buffer(twin, i), TWIN_MESSAGE, MSG_NOSIGNAL | MSG_WAITALL);
      sqe->user_data = i;
      if (rounds_left[i] == 0) {
        answers++;
        continue;
      }
      sqe->flags = IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
      sqe = io_uring_get_sqe(ring);
      io_uring_prep_recv(sqe, clients->servers[i], twin_buffer(twin, i), TWIN_MESSAGE, 0);
      sqe->user_data = i;
    }
    io_uring_cq_advance(ring, got);
  }
  free(rounds_left);
  return result < 0 ? result : 0;
}

static int serve_epoll(const struct twin_clients *clients, unsigned rounds, int64_t work) {
  struct epoll_event events[256];
  char message[TWIN_MESSAGE];
  uint64_t left = (uint64_t)clients->count * rounds;
  int result = 0, epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return -errno;
  for (unsigned i = 0; i < clients->count; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = clients->servers[i]};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, clients->servers[i], &event) != 0) result = -errno;
  }
  while (result == 0 && left > 0) {
    int got = epoll_wait(epoll, events, 256, -1);
    if (got < 0 && errno != EINTR) result = -errno;
    for (int n = 0; result == 0 && n < got; n++) {
      int descriptor = events[n].data.fd;
      if (recv(descriptor, message, sizeof message, MSG_DONTWAIT) != sizeof message) {
        result = -EIO;
        break;
      }
      twin_work(work);
      if (send(descriptor, message, sizeof message, MSG_NOSIGNAL) != sizeof message) result = -EIO;
      left--;
    }
  }
  close(epoll);
  return result;
}

int twin_echo(struct twin *twin, enum twin_server server, struct twin_clients *clients, unsigned rounds, int64_t work, struct twin_times *times) {
  struct twin_times begin = twin_now(), end;
  int result = twin_clients_begin(clients, rounds), ended;
  if (result < 0) return result;
  result = server == TWIN_RING ? serve_ring(twin, clients, rounds, work) : serve_epoll(clients, rounds, work);
  end = twin_now();
  *times = (struct twin_times){end.wall - begin.wall, end.cpu - begin.cpu};
  ended = twin_clients_end(clients);
  return result < 0 ? result : ended;
}
