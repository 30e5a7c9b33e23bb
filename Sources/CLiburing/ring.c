/* The ring. Set-up, mapping and tear-down are liburing's; the queue is filled and drained here in batches, on the fields that
 * every liburing since 2.1 has, so that Debian 12, Ubuntu 22.04 and newer ones all work. */
/* Before the compiler says that there is no such file, and ends: who builds a program that only uses this package learns so what to install. SwiftPM's own
 * way, a system library with providers, asks pkg-config's files, and warns of a library that is there where pkg-config is not installed. */
#if !__has_include(<liburing.h>)
#error "liburing.h is missing: apt install liburing-dev (Debian, Ubuntu), dnf install liburing-devel (Fedora)"
#endif

#include <errno.h>
#include <liburing.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "syslet_call.h"
#include "syslet_ring.h"

#define SAME(ours, theirs)                                                                       \
  _Static_assert(offsetof(struct syslet_sqe, ours) == offsetof(struct io_uring_sqe, theirs), #ours)
_Static_assert(sizeof(struct syslet_sqe) == sizeof(struct io_uring_sqe), "an SQE is 64 bytes");
SAME(opcode, opcode);
SAME(flags, flags);
SAME(ioprio, ioprio);
SAME(fd, fd);
SAME(off, off);
SAME(addr, addr);
SAME(len, len);
SAME(op_flags, rw_flags);
SAME(user_data, user_data);
SAME(buf_index, buf_index);
SAME(personality, personality);
SAME(file_index, splice_fd_in);
_Static_assert(sizeof(struct syslet_cqe) == sizeof(struct io_uring_cqe), "a CQE is 16 bytes");
_Static_assert(offsetof(struct syslet_cqe, res) == offsetof(struct io_uring_cqe, res), "res");

/* The codes that any supported liburing names; the rest are the kernel's ABI, which does not change. */
#define SAME_OP(name) _Static_assert((int)SYSLET_OP_##name == (int)IORING_OP_##name, #name)
SAME_OP(NOP);
SAME_OP(READV);
SAME_OP(WRITEV);
SAME_OP(FSYNC);
SAME_OP(POLL_ADD);
SAME_OP(SYNC_FILE_RANGE);
SAME_OP(SENDMSG);
SAME_OP(RECVMSG);
SAME_OP(TIMEOUT);
SAME_OP(ACCEPT);
SAME_OP(ASYNC_CANCEL);
SAME_OP(CONNECT);
SAME_OP(FALLOCATE);
SAME_OP(OPENAT);
SAME_OP(CLOSE);
SAME_OP(STATX);
SAME_OP(READ);
SAME_OP(WRITE);
SAME_OP(FADVISE);
SAME_OP(MADVISE);
SAME_OP(SEND);
SAME_OP(RECV);
SAME_OP(OPENAT2);
SAME_OP(EPOLL_CTL);
SAME_OP(SPLICE);
SAME_OP(TEE);
SAME_OP(SHUTDOWN);
SAME_OP(RENAMEAT);
SAME_OP(UNLINKAT);
SAME_OP(MKDIRAT);
SAME_OP(SYMLINKAT);
SAME_OP(LINKAT);
_Static_assert(SYSLET_SQE_LINK == IOSQE_IO_LINK && SYSLET_SQE_HARDLINK == IOSQE_IO_HARDLINK,
               "SQE flags");

/* Newer than the oldest supported liburing. */
#ifndef IORING_SETUP_SUBMIT_ALL
#define IORING_SETUP_SUBMIT_ALL (1U << 7)
#endif
#ifndef IORING_SETUP_COOP_TASKRUN
#define IORING_SETUP_COOP_TASKRUN (1U << 8)
#endif
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif
#ifndef IORING_ENTER_REGISTERED_RING
#define IORING_ENTER_REGISTERED_RING (1U << 4)
#endif
#define REGISTER_PROBE 8
#define REGISTER_RING_FDS 20
#define UNREGISTER_RING_FDS 21
#define REGISTER_IOWQ_MAX_WORKERS 19

struct syslet_ring {
  struct syslet_queues queues;
  unsigned published; /* what *uring.sq.ktail says */
  int enter_fd;       /* what enter is called with: the ring's index among its thread's registered rings, or its descriptor */
  unsigned enter_flags;
  uint64_t owner;
  struct io_uring uring;
  struct syslet_simulation simulation; /* enter is NULL on a ring of the kernel's */
};

/* Counts down to the calls that are to fail. Plain variables: a test sets them while no other thread uses a ring, and counts calls of one
 * thread at a time. */
static struct {
  unsigned skip, count;
  int error;
} faults[SYSLET_ENTRY_COUNT];
static bool has_faults;

void syslet_ring_fail(enum syslet_entry entry, unsigned first, unsigned count, int error) {
  faults[entry].skip = first;
  faults[entry].count = count;
  faults[entry].error = error;
  has_faults = true;
}

static int fault(enum syslet_entry entry) {
  if (!has_faults) return 0;
  if (faults[entry].skip > 0) {
    if (faults[entry].count > 0) faults[entry].skip--;
    return 0;
  }
  if (faults[entry].count == 0) return 0;
  faults[entry].count--;
  return -faults[entry].error;
}

static void find_queues(struct syslet_ring *ring, unsigned entries, unsigned cq_entries) {
  ring->queues = (struct syslet_queues){
      .sqes = (struct syslet_sqe *)ring->uring.sq.sqes,
      .sq_head = ring->uring.sq.khead,
      .sq_mask = entries - 1,
      .sq_entries = entries,
      .cq_mask = cq_entries - 1,
      .cqes = (const struct syslet_cqe *)ring->uring.cq.cqes,
      .cq_head = ring->uring.cq.khead,
      .cq_tail = ring->uring.cq.ktail,
  };
}

struct ring_update { /* struct io_uring_rsrc_update, which liburing 2.1 has not */
  uint32_t offset, reserved;
  uint64_t data;
};

/* Registered, the ring's file is found without counting references to it: 535 ns for a nop alone instead of 610. Kernels before 5.18 refuse,
 * and a thread has 16 places. */
static void register_descriptor(struct syslet_ring *ring) {
  struct ring_update update = {.offset = UINT32_MAX, .data = (uint64_t)ring->uring.ring_fd};
  ring->owner = syslet_thread_token();
  ring->enter_fd = ring->uring.ring_fd;
  ring->enter_flags = IORING_ENTER_GETEVENTS;
  if (fault(SYSLET_ENTRY_REGISTER) ||
      syscall(__NR_io_uring_register, ring->uring.ring_fd, REGISTER_RING_FDS, &update, 1) != 1)
    return;
  ring->enter_fd = (int)update.offset;
  ring->enter_flags |= IORING_ENTER_REGISTERED_RING;
}

/* The place belongs to the thread, and elsewhere the same index is another ring's. It keeps the ring until the thread ends, then. */
static void unregister_descriptor(struct syslet_ring *ring) {
  struct ring_update update = {.offset = (uint32_t)ring->enter_fd};
  if ((ring->enter_flags & IORING_ENTER_REGISTERED_RING) && ring->owner == syslet_thread_token())
    syscall(__NR_io_uring_register, ring->uring.ring_fd, UNREGISTER_RING_FDS, &update, 1);
}

struct syslet_queues *syslet_ring_queues(struct syslet_ring *ring) { return &ring->queues; }

/* The rings that were closed, counted for the thread sanitizer alone: a ring may get the memory of one that another thread has closed, and
 * the sanitizer sees neither of liburing's calls, the unmapping and the mapping, which the kernel orders. The release of each addition,
 * before the memory is given back, meets the acquire of the load that follows getting it. Once each in the life of a ring. */
static unsigned rings_closed;

/* For tests: how many of the best ways to set a ring up are passed over. */
static unsigned setups_skipped;

void syslet_ring_skip_setups(unsigned count) { __atomic_store_n(&setups_skipped, count, __ATOMIC_RELAXED); }

int syslet_ring_open(struct syslet_ring **out, unsigned entries, unsigned cq_entries, struct syslet_ring_facts *facts) {
  static const unsigned wanted[] = {
      IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
      IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN,
      IORING_SETUP_CQSIZE,
  };
  static const unsigned needed =
      IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS | IORING_FEAT_SUBMIT_STABLE;
  struct io_uring_params params;
  struct syslet_ring *ring;
  int result = fault(SYSLET_ENTRY_SETUP);
  if (result) return result;
  ring = calloc(1, sizeof *ring);
  if (!ring) return -ENOMEM;
  for (unsigned i = __atomic_load_n(&setups_skipped, __ATOMIC_RELAXED); i < sizeof wanted / sizeof *wanted; i++) {
    memset(&params, 0, sizeof params);
    params.flags = wanted[i];
    params.cq_entries = cq_entries;
    result = io_uring_queue_init_params(entries, &ring->uring, &params);
    if (result != -EINVAL) break; /* an unknown flag is EINVAL, everything else is final */
  }
  if (result < 0) {
    free(ring);
    return result;
  }
  if ((params.features & needed) != needed) {
    io_uring_queue_exit(&ring->uring);
    free(ring);
    return -EOPNOTSUPP;
  }
  (void)__atomic_load_n(&rings_closed, __ATOMIC_ACQUIRE);
  io_uring_ring_dontfork(&ring->uring);
  register_descriptor(ring);
  find_queues(ring, params.sq_entries, params.cq_entries);
  ring->queues.sq_tail = ring->published = *ring->uring.sq.ktail;
  /* Slot i of the queue is SQE i, for good: nothing here ever needs another order. Absent on rings without the array. */
  if (ring->uring.sq.array)
    for (unsigned i = 0; i < params.sq_entries; i++) ring->uring.sq.array[i] = i;
  facts->sq_entries = params.sq_entries;
  facts->cq_entries = params.cq_entries;
  facts->features = params.features;
  facts->setup_flags = params.flags;
  *out = ring;
  return 0;
}

void syslet_ring_close(struct syslet_ring *ring) {
  if (!ring->simulation.enter) {
    unregister_descriptor(ring);
    __atomic_fetch_add(&rings_closed, 1, __ATOMIC_RELEASE);
    io_uring_queue_exit(&ring->uring);
  } else {
    free(ring->uring.sq.sqes), free(ring->uring.cq.cqes), free(ring->uring.sq.khead);
  }
  free(ring);
}

void syslet_ring_abandon(struct syslet_ring *ring) {
  if (ring->simulation.enter) return syslet_ring_close(ring);
  close(ring->uring.ring_fd);
  free(ring);
}

static unsigned submissions_max;
void syslet_ring_limit_submissions(unsigned count) { submissions_max = count; }

int syslet_ring_enter(struct syslet_ring *ring, unsigned wait_count, int64_t timeout_ns) {
  unsigned submit;
  long result;
  /* The release publishes the SQEs' contents to the kernel's acquire of the tail (without SQPOLL the system call orders them
   * anyway; the store is not on any hot path that would notice). */
  if (ring->published != ring->queues.sq_tail) {
    __atomic_store_n(ring->uring.sq.ktail, ring->queues.sq_tail, __ATOMIC_RELEASE);
    ring->published = ring->queues.sq_tail;
  }
  submit = syslet_queue_queued(&ring->queues);
  if (submissions_max && submit > submissions_max) submit = submissions_max;
  if (ring->simulation.enter) return ring->simulation.enter(ring->simulation.context, submit, wait_count, timeout_ns);
  result = fault(SYSLET_ENTRY_ENTER);
  if (result) return (int)result;
  if (timeout_ns < 0) {
    result = syslet_call(__NR_io_uring_enter, (uint64_t)ring->enter_fd, submit, wait_count, ring->enter_flags, 0, 0);
  } else {
    struct __kernel_timespec limit = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    struct io_uring_getevents_arg extra = {.ts = (uint64_t)(uintptr_t)&limit};
    result = syslet_call(__NR_io_uring_enter, (uint64_t)ring->enter_fd, submit, wait_count, ring->enter_flags | IORING_ENTER_EXT_ARG,
                         (uintptr_t)&extra, sizeof extra);
  }
  int failure = fault(SYSLET_ENTRY_ENTERED);
  return failure ? failure : (int)result;
}

unsigned syslet_ring_mend(struct syslet_ring *ring, uint64_t mark) {
  const struct syslet_queues *queues = &ring->queues;
  unsigned head = syslet_queue_taken(queues), mended = 0;
  /* The SQE before the head is the last one that the kernel took; nothing has filled its slot again. */
  if (head == queues->sq_tail || head == 0 ||
      !(queues->sqes[(head - 1) & queues->sq_mask].flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK)))
    return 0;
  for (unsigned i = head; i != queues->sq_tail; i++) {
    struct syslet_sqe *sqe = &queues->sqes[i & queues->sq_mask];
    unsigned linked = sqe->flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
    uint64_t user_data = sqe->user_data;
    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = IORING_OP_NOP;
    sqe->fd = -1;
    sqe->user_data = user_data | mark;
    mended++;
    if (!linked) break;
  }
  return mended;
}

bool syslet_ring_retract(struct syslet_ring *ring, uint64_t *user_data) {
  struct syslet_queues *queues = &ring->queues;
  if (syslet_queue_queued(queues) == 0) return false;
  /* Without SQPOLL the kernel looks at the tail only inside an enter, and the next one publishes this. */
  *user_data = queues->sqes[--queues->sq_tail & queues->sq_mask].user_data;
  return true;
}

int syslet_ring_probe(struct syslet_ring *ring, uint8_t supported[256]) {
  size_t size = sizeof(struct io_uring_probe) + 256 * sizeof(struct io_uring_probe_op);
  struct io_uring_probe *probe = calloc(1, size);
  long result = fault(SYSLET_ENTRY_REGISTER);
  if (!probe) return -ENOMEM;
  if (result == 0) {
    result = syscall(__NR_io_uring_register, ring->uring.ring_fd, REGISTER_PROBE, probe, 256);
    if (result < 0) result = -errno;
  }
  for (unsigned i = 0; i < 256; i++)
    supported[i] = result >= 0 && i < probe->ops_len && (probe->ops[i].flags & IO_URING_OP_SUPPORTED) ? 1 : 0;
  free(probe);
  return result < 0 ? (int)result : 0;
}

int syslet_ring_limit_workers(struct syslet_ring *ring, unsigned bounded, unsigned unbounded) {
  unsigned limits[2] = {bounded, unbounded};
  int failure = fault(SYSLET_ENTRY_REGISTER);
  if (failure) return failure;
  long result = syscall(__NR_io_uring_register, ring->uring.ring_fd, REGISTER_IOWQ_MAX_WORKERS, limits, 2);
  return result < 0 ? -errno : 0;
}

int syslet_ring_open_simulated(struct syslet_ring **out, unsigned entries, unsigned cq_entries, struct syslet_simulation simulation) {
  struct syslet_ring *ring = calloc(1, sizeof *ring);
  unsigned *indices = calloc(4, sizeof *indices);
  struct io_uring_sqe *sqes = calloc(entries, sizeof *sqes);
  struct io_uring_cqe *cqes = calloc(cq_entries, sizeof *cqes);
  if (!ring || !indices || !sqes || !cqes) {
    free(ring), free(indices), free(sqes), free(cqes);
    return -ENOMEM;
  }
  ring->uring.sq.khead = &indices[0];
  ring->uring.sq.ktail = &indices[1];
  ring->uring.cq.khead = &indices[2];
  ring->uring.cq.ktail = &indices[3];
  ring->uring.sq.sqes = sqes;
  ring->uring.cq.cqes = cqes;
  ring->uring.ring_fd = -1;
  find_queues(ring, entries, cq_entries);
  ring->simulation = simulation;
  *out = ring;
  return 0;
}

bool syslet_ring_take(struct syslet_ring *ring, struct syslet_sqe *sqe) {
  unsigned head = *ring->uring.sq.khead;
  if (head == *ring->uring.sq.ktail) return false;
  memcpy(sqe, &ring->queues.sqes[head & ring->queues.sq_mask], sizeof *sqe);
  *ring->uring.sq.khead = head + 1;
  return true;
}

bool syslet_ring_post(struct syslet_ring *ring, struct syslet_cqe cqe) {
  unsigned tail = *ring->uring.cq.ktail;
  if (tail - *ring->uring.cq.khead > ring->queues.cq_mask) return false;
  memcpy(&ring->uring.cq.cqes[tail & ring->queues.cq_mask], &cqe, sizeof cqe);
  *ring->uring.cq.ktail = tail + 1;
  return true;
}

#define STRING_(x) #x
#define STRING(x) STRING_(x)
const char *syslet_liburing_version(void) {
#if defined(IO_URING_VERSION_MAJOR)
  return STRING(IO_URING_VERSION_MAJOR) "." STRING(IO_URING_VERSION_MINOR);
#else
  return "2.3 or older";
#endif
}
