/* io_uring in batches: a segment in, a batch of completions out. liburing is included by this module's .c files only. */
#ifndef SYSLET_RING_H
#define SYSLET_RING_H

#include <stdbool.h>
#include <stdint.h>

/* The 64 bytes of struct io_uring_sqe, by the names that this project uses; ring.c asserts the layout. */
struct syslet_sqe {
  uint8_t opcode;
  uint8_t flags;
  uint16_t ioprio;
  int32_t fd;
  uint64_t off;
  uint64_t addr;
  uint32_t len;
  uint32_t op_flags;
  uint64_t user_data;
  uint16_t buf_index;
  uint16_t personality;
  uint32_t file_index;
  uint64_t addr3;
  uint64_t reserved;
};

/* The 16 bytes of struct io_uring_cqe. */
struct syslet_cqe {
  uint64_t user_data;
  int32_t res;
  uint32_t flags;
};

/* SQE flags. */
enum {
  SYSLET_SQE_LINK = 1 << 2,
  SYSLET_SQE_HARDLINK = 1 << 3
};

/* Operation codes, those that the installed liburing is too old to name included. ring.c checks them against its names. */
enum {
  SYSLET_OP_NOP = 0,
  SYSLET_OP_READV = 1,
  SYSLET_OP_WRITEV = 2,
  SYSLET_OP_FSYNC = 3,
  SYSLET_OP_POLL_ADD = 6,
  SYSLET_OP_SYNC_FILE_RANGE = 8,
  SYSLET_OP_SENDMSG = 9,
  SYSLET_OP_RECVMSG = 10,
  SYSLET_OP_TIMEOUT = 11,
  SYSLET_OP_ACCEPT = 13,
  SYSLET_OP_ASYNC_CANCEL = 14,
  SYSLET_OP_CONNECT = 16,
  SYSLET_OP_FALLOCATE = 17,
  SYSLET_OP_OPENAT = 18,
  SYSLET_OP_CLOSE = 19,
  SYSLET_OP_STATX = 21,
  SYSLET_OP_READ = 22,
  SYSLET_OP_WRITE = 23,
  SYSLET_OP_FADVISE = 24,
  SYSLET_OP_MADVISE = 25,
  SYSLET_OP_SEND = 26,
  SYSLET_OP_RECV = 27,
  SYSLET_OP_OPENAT2 = 28,
  SYSLET_OP_EPOLL_CTL = 29,
  SYSLET_OP_SPLICE = 30,
  SYSLET_OP_TEE = 33,
  SYSLET_OP_SHUTDOWN = 34,
  SYSLET_OP_RENAMEAT = 35,
  SYSLET_OP_UNLINKAT = 36,
  SYSLET_OP_MKDIRAT = 37,
  SYSLET_OP_SYMLINKAT = 38,
  SYSLET_OP_LINKAT = 39,
  SYSLET_OP_FSETXATTR = 41,
  SYSLET_OP_SETXATTR = 42,
  SYSLET_OP_FGETXATTR = 43,
  SYSLET_OP_GETXATTR = 44,
  SYSLET_OP_SOCKET = 45,
  SYSLET_OP_SEND_ZC = 47,
  SYSLET_OP_WAITID = 50,
  SYSLET_OP_FUTEX_WAIT = 51,
  SYSLET_OP_FUTEX_WAKE = 52,
  SYSLET_OP_FTRUNCATE = 55,
  SYSLET_OP_BIND = 56,
  SYSLET_OP_LISTEN = 57,
  SYSLET_OP_EPOLL_WAIT = 59,
  SYSLET_OP_PIPE = 62
};

/* Operation-specific flags that the encoder sets. */
enum {
  SYSLET_FSYNC_DATASYNC = 1 << 0,
  SYSLET_TIMEOUT_ABS = 1 << 0,
  SYSLET_TIMEOUT_BOOTTIME = 1 << 2,
  SYSLET_TIMEOUT_REALTIME = 1 << 3,
  SYSLET_TIMEOUT_ETIME_SUCCESS = 1 << 5,
  SYSLET_FUTEX2_SIZE_U32 = 0x02,
  SYSLET_FUTEX2_PRIVATE = 128
};

/* A ring, owned by the thread that opened it. */
struct syslet_ring;

/* A ring's two queues, which the engine fills and drains in place: a copy of each SQE and CQE was a fifth of a nop's cost. The memory is
 * the ring's; only its owner uses it. */
struct syslet_queues {
  struct syslet_sqe *sqes;
  const unsigned *sq_head; /* the kernel's */
  unsigned sq_tail;        /* SQEs filled so far; the next enter publishes them */
  unsigned sq_mask;
  unsigned sq_entries;
  unsigned cq_mask;
  const struct syslet_cqe *cqes;
  unsigned *cq_head;
  const unsigned *cq_tail; /* the kernel's */
};
struct syslet_queues *syslet_ring_queues(struct syslet_ring *ring);

/* The kernel advances the head as it takes SQEs; the acquire pairs with its release, so a slot counted as free is free. */
static inline unsigned syslet_queue_taken(const struct syslet_queues *queues) {
  return __atomic_load_n(queues->sq_head, __ATOMIC_ACQUIRE);
}

/* How many SQEs are filled and not yet taken by the kernel. */
static inline unsigned syslet_queue_queued(const struct syslet_queues *queues) {
  return queues->sq_tail - syslet_queue_taken(queues);
}

/* How many SQEs can be filled before the next enter. */
static inline unsigned syslet_queue_room(const struct syslet_queues *queues) {
  return queues->sq_entries - syslet_queue_queued(queues);
}

/* How many CQEs wait to be taken. The acquire pairs with the kernel's release of the tail: the CQEs before it are complete. */
static inline unsigned syslet_queue_ready(const struct syslet_queues *queues) {
  return __atomic_load_n(queues->cq_tail, __ATOMIC_ACQUIRE) - *queues->cq_head;
}

/* Gives the slots of CQEs back that have been taken: what was read of them must not be read after this. */
static inline void syslet_queue_advance(struct syslet_queues *queues, unsigned count) {
  __atomic_store_n(queues->cq_head, *queues->cq_head + count, __ATOMIC_RELEASE);
}

/* What the kernel granted. */
struct syslet_ring_facts {
  uint32_t sq_entries;
  uint32_t cq_entries;
  uint32_t features;
  uint32_t setup_flags;
};

/* Opens a ring of `entries` SQEs and at least `cq_entries` CQEs with the best set-up flags that this kernel takes
 * (SINGLE_ISSUER|DEFER_TASKRUN, else COOP_TASKRUN, else none). 0 or -errno of io_uring_setup, -EOPNOTSUPP where the kernel's
 * rings lack what the engine needs (EXT_ARG, NODROP, RW_CUR_POS, SUBMIT_STABLE: Linux 5.11). */
int syslet_ring_open(struct syslet_ring **ring, unsigned entries, unsigned cq_entries, struct syslet_ring_facts *facts);
void syslet_ring_close(struct syslet_ring *ring);

/* For tests: rings opened from now on are set up as older kernels have them, 1 for COOP_TASKRUN, 2 for neither; 0 for the best again. */
void syslet_ring_skip_setups(unsigned count);

/* Closes the descriptor only: in a forked child the ring's memory is not there (MADV_DONTFORK), and others may be in its place. */
void syslet_ring_abandon(struct syslet_ring *ring);

/* Submits what was issued and waits until `wait_count` CQEs are there: how many SQEs the kernel took, or -errno
 * (-ETIME when the time ran out). `timeout_ns` < 0 waits without a limit. A failed enter may still have taken SQEs. */
int syslet_ring_enter(struct syslet_ring *ring, unsigned wait_count, int64_t timeout_ns);

/* Call after each enter. If the kernel took only a part of a linked chain, what it left would run unlinked, as the start of a chain of
 * its own: past every stop. This turns that rest into nops whose user_data has `mark` set: how many. */
unsigned syslet_ring_mend(struct syslet_ring *ring, uint64_t mark);

/* Takes back the last SQE that was issued and not yet taken by the kernel, and gives its user_data; false when there is none. */
bool syslet_ring_retract(struct syslet_ring *ring, uint64_t *user_data);

/* supported[op] = 1 for each operation code that this kernel's ring takes. 0 or -errno. */
int syslet_ring_probe(struct syslet_ring *ring, uint8_t supported[256]);

/* Bounds the kernel's own worker threads (io-wq) of this ring: bounded and unbounded work. 0 or -errno. */
int syslet_ring_limit_workers(struct syslet_ring *ring, unsigned bounded, unsigned unbounded);

/* For tests: the calls into the kernel that can be made to fail. */
enum syslet_entry {
  SYSLET_ENTRY_SETUP,    /* io_uring_setup is not made and fails */
  SYSLET_ENTRY_REGISTER, /* io_uring_register is not made and fails */
  SYSLET_ENTRY_ENTER,    /* io_uring_enter is not made and fails */
  SYSLET_ENTRY_ENTERED,  /* io_uring_enter is made, and fails all the same */
  SYSLET_ENTRY_COUNT
};

/* For tests, for all rings of the process: skips `first` calls of that kind, then makes `count` of them fail with `error`. Call it while no
 * other thread uses a ring. */
void syslet_ring_fail(enum syslet_entry entry, unsigned first, unsigned count, int error);

/* For tests: from now on one enter of any ring submits at most so many SQEs; 0 is no limit. Call it while no other thread uses a ring. */
void syslet_ring_limit_submissions(unsigned count);

/* For tests: a ring without a kernel. Its enter calls `enter`, which takes SQEs and posts CQEs from the kernel's side. */
struct syslet_simulation {
  void *context;
  int (*enter)(void *context, unsigned submit, unsigned wait_count, int64_t timeout_ns);
};

/* Opens such a ring; both sizes are powers of two. 0 or -ENOMEM. */
int syslet_ring_open_simulated(struct syslet_ring **ring, unsigned entries, unsigned cq_entries, struct syslet_simulation simulation);

/* The kernel's side of a simulated ring: takes the next SQE out of the submission queue; false when there is none. */
bool syslet_ring_take(struct syslet_ring *ring, struct syslet_sqe *sqe);

/* The kernel's side of a simulated ring: puts a CQE into the completion queue; false when it is full. */
bool syslet_ring_post(struct syslet_ring *ring, struct syslet_cqe cqe);

/* The version of the liburing that this module was built with, as "2.5", or "2.3 or older" where it does not say. */
const char *syslet_liburing_version(void);

#endif
