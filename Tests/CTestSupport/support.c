#include "CTestSupport.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

long test_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
  long result = syscall(nr, a0, a1, a2, a3, a4, a5);
  return result == -1 ? -(long)errno : result;
}

struct test_word test_load(uint64_t address, int byte_count) {
  struct test_word word = {0, 0};
  struct iovec here = {&word.value, (size_t)byte_count}, there = {(void *)(uintptr_t)address, (size_t)byte_count};
  if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != byte_count) word.error = -EFAULT;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word.value >>= 8 * (8 - byte_count);
#endif
  return word;
}

long test_store(uint64_t address, uint64_t value) {
  struct iovec here = {&value, sizeof value}, there = {(void *)(uintptr_t)address, sizeof value};
  return process_vm_writev(getpid(), &here, 1, &there, 1, 0) == sizeof value ? 0 : -EFAULT;
}

static const long refused[] = {
#ifdef SYS_fork
    SYS_fork,
#endif
#ifdef SYS_vfork
    SYS_vfork,
#endif
#ifdef SYS_clone3
    SYS_clone3,
#endif
    SYS_clone, SYS_execve, SYS_execveat, SYS_exit, SYS_exit_group, SYS_rt_sigreturn,
};
enum { refused_count = sizeof refused / sizeof *refused };

long test_refused(int position) { return position < refused_count ? refused[position] : -1; }

bool test_is_refused(long nr) {
  for (int position = 0; position < refused_count; position++)
    if (refused[position] == nr) return true;
  return false;
}

static uint64_t page(int protection) {
  void *memory = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? 0 : (uint64_t)(uintptr_t)memory;
}
static uint64_t inaccessible, read_only, torn;
static pthread_once_t pages_once = PTHREAD_ONCE_INIT;
static void make_pages(void) {
  inaccessible = page(PROT_NONE);
  read_only = page(PROT_READ);
  long size = sysconf(_SC_PAGESIZE);
  char *pages = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages != MAP_FAILED && mprotect(pages + size, size, PROT_NONE) == 0) torn = (uint64_t)(uintptr_t)(pages + size - 4096);
}
uint64_t test_inaccessible_page(void) {
  pthread_once(&pages_once, make_pages);
  return inaccessible;
}
uint64_t test_torn_pages(void) {
  pthread_once(&pages_once, make_pages);
  return torn;
}
uint64_t test_read_only_page(void) {
  pthread_once(&pages_once, make_pages);
  return read_only;
}

int test_deny(long nr, int error) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
  long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  if (result > 0) return -EBUSY; /* the id of a thread that could not take the filter */
  return result < 0 ? -errno : 0;
}

long test_setup_number(void) { return SYS_io_uring_setup; }

/* SYSLETRING_NO_RING=deny: before anything runs, and in every process that a test starts, as containers do. */
__attribute__((constructor)) static void deny_ring(void) {
  const char *value = getenv("SYSLETRING_NO_RING");
  if (!value || strcmp(value, "deny") != 0) return;
  int result = test_deny(SYS_io_uring_setup, EPERM);
  if (result == 0) return;
  fprintf(stderr, "SYSLETRING_NO_RING=deny: io_uring cannot be denied: %s\n", strerror(-result));
  _exit(1);
}

struct body {
  void (*call)(void *);
  void *context;
};
/* LeakCheck.swift looks for threads of this name. */
static void name_thread(void) { prctl(PR_SET_NAME, "test-helper"); }
static void *call_body(void *argument) {
  name_thread();
  struct body *body = argument;
  body->call(body->context);
  return NULL;
}
int test_on_thread(void (*call)(void *), void *context) {
  struct body body = {call, context};
  pthread_t thread;
  int result = pthread_create(&thread, NULL, call_body, &body);
  if (result) return -result;
  return -pthread_join(thread, NULL);
}

int test_start_child(int (*body)(void *), void *context) {
  pid_t child = fork();
  if (child < 0) return -errno;
  if (child == 0) _exit(body(context));
  return child;
}
int test_reap_child(int child) {
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1000 - WTERMSIG(status);
}

int test_exited_child(int status) {
  pid_t child = fork();
  if (child < 0) return -errno;
  if (child == 0) _exit(status);
  siginfo_t info;
  /* Leaves it to be reaped by the call under test. */
  while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) < 0)
    if (errno != EINTR) return -errno;
  return child;
}

int test_living_child(void) {
  pid_t child = fork();
  if (child < 0) return -errno;
  if (child > 0) return child;
  /* It must not keep anything of this process's open: other tests wait for the ends of pipes. */
  syscall(SYS_close_range, 0, ~0U, 0);
  for (;;) pause();
}
int test_end_child(int child) {
  if (kill(child, SIGKILL) != 0) return -errno;
  int status = test_reap_child(child);
  return status == -1000 - SIGKILL ? 0 : status;
}

static int start_detached(void *(*call)(void *), void *argument) {
  pthread_t thread;
  int result = pthread_create(&thread, NULL, call, argument);
  if (result) return -result;
  pthread_detach(thread);
  return 0;
}

static void pause_briefly(void) {
  struct timespec time = {0, 200000};
  nanosleep(&time, NULL);
}

static void *wake_until_one(void *address) {
  name_thread();
  for (int64_t end = test_milliseconds() + 20000; test_milliseconds() < end; pause_briefly())
    if (syscall(SYS_futex, address, FUTEX_WAKE, 1, NULL, NULL, 0) == 1) break;
  return NULL;
}
int test_wake_one_waiter(uint64_t address) { return start_detached(wake_until_one, (void *)(uintptr_t)address); }

struct waiter {
  void *address;
  int thread;
};
static void *wait_once(void *argument) {
  struct waiter *waiter = argument;
  void *address = waiter->address;
  struct timespec limit = {20, 0};
  name_thread();
  __atomic_store_n(&waiter->thread, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
  /* `waiter` is the starter's and may be gone from here on. */
  syscall(SYS_futex, address, FUTEX_WAIT, 0, &limit, NULL, 0);
  return NULL;
}
/* From the state in its stat file, which follows the name in parentheses. */
bool test_sleeps(int thread) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t count = read(file, line, sizeof line - 1);
  close(file);
  if (count <= 0) return false;
  line[count] = 0;
  char *end = strrchr(line, ')');
  return end && end[1] == ' ' && end[2] == 'S';
}
int test_one_waiter(uint64_t address) {
  struct waiter waiter = {(void *)(uintptr_t)address, 0};
  int result = start_detached(wait_once, &waiter), thread;
  if (result) return result;
  while (!(thread = __atomic_load_n(&waiter.thread, __ATOMIC_ACQUIRE))) pause_briefly();
  for (int64_t end = test_milliseconds() + 20000; test_milliseconds() < end; pause_briefly())
    if (test_sleeps(thread)) return 0;
  return -ETIMEDOUT;
}

struct later {
  int descriptor, byte_count, milliseconds;
};
static void *write_zeros(void *argument) {
  struct later later = *(struct later *)argument;
  free(argument);
  static const char zeros[4096];
  name_thread();
  struct timespec time = {later.milliseconds / 1000, later.milliseconds % 1000 * 1000000L};
  nanosleep(&time, NULL);
  ssize_t written = write(later.descriptor, zeros, (size_t)later.byte_count);
  (void)written; /* the test that waits for it notices */
  return NULL;
}
int test_write_later(int descriptor, int byte_count, int milliseconds) {
  struct later *later = malloc(sizeof *later);
  if (!later || byte_count > 4096) return -EINVAL;
  *later = (struct later){descriptor, byte_count, milliseconds};
  return start_detached(write_zeros, later);
}

void test_ignore_broken_pipes(void) { signal(SIGPIPE, SIG_IGN); }

int test_count_entries(const char *directory) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/%s", directory);
  DIR *stream = opendir(path);
  if (!stream) return -errno;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(stream));)
    if (entry->d_name[0] != '.') count++;
  closedir(stream);
  return count;
}

int test_list_resources(char *text, int size) {
  static const char *const directories[] = {"fd", "task"};
  int length = 0;
  for (int which = 0; which < 2; which++) {
    char path[288], target[256];
    snprintf(path, sizeof path, "/proc/self/%s", directories[which]);
    DIR *stream = opendir(path);
    if (!stream) return -errno;
    for (struct dirent *entry; (entry = readdir(stream));) {
      ssize_t count = -1;
      if (entry->d_name[0] == '.' || (which == 0 && atoi(entry->d_name) == dirfd(stream))) continue;
      snprintf(path, sizeof path, which == 0 ? "/proc/self/fd/%s" : "/proc/self/task/%s/comm", entry->d_name);
      if (which == 0) {
        count = readlink(path, target, sizeof target - 1);
      } else {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
          count = read(file, target, sizeof target - 1) - 1; /* the name ends with a newline */
          close(file);
        }
      }
      if (count <= 0) continue; /* it is gone */
      target[count] = 0;
      length += snprintf(text + length, (size_t)(size - length), "%s %s %s\n", directories[which], entry->d_name, target);
      if (length >= size) {
        closedir(stream);
        return -E2BIG;
      }
    }
    closedir(stream);
  }
  return length;
}

int test_limit_descriptors(unsigned long count) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -errno;
  limit.rlim_cur = count;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? 0 : -errno;
}

int test_limit_locked_memory(unsigned long byte_count) {
  struct rlimit limit = {byte_count, byte_count};
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[2];
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) return -errno;
  if (syscall(SYS_capget, &header, sets) != 0) return -errno;
  sets[0].effective &= ~(1u << CAP_IPC_LOCK);
  sets[0].permitted &= ~(1u << CAP_IPC_LOCK);
  return syscall(SYS_capset, &header, sets) == 0 ? 0 : -errno;
}

int test_limit_file_size(unsigned long byte_count) {
  struct rlimit limit = {byte_count, byte_count};
  signal(SIGXFSZ, SIG_IGN);
  return setrlimit(RLIMIT_FSIZE, &limit) == 0 ? 0 : -errno;
}

/* The new mount calls, by number: headers older than the kernel do not name them. FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE. */
static int mount_memory(unsigned long byte_count) {
  char size[32];
  snprintf(size, sizeof size, "%lu", byte_count);
  int context = (int)syscall(430 /* fsopen */, "tmpfs", 1 /* FSOPEN_CLOEXEC */), result;
  if (context < 0) return -errno;
  if (syscall(431 /* fsconfig */, context, 1, "size", size, 0) != 0 || syscall(431, context, 6, NULL, NULL, 0) != 0 ||
      (result = (int)syscall(432 /* fsmount */, context, 1 /* FSMOUNT_CLOEXEC */, 0)) < 0)
    result = -errno;
  close(context);
  return result;
}

static bool write_file(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  bool is_written = write(file, text, strlen(text)) == (ssize_t)strlen(text);
  close(file);
  return is_written;
}

/* In a child, which alone may have a user namespace of its own: mounts, and sends the descriptor. */
static void mount_in_namespace(unsigned long byte_count, int socket) {
  char map[64];
  int result;
  snprintf(map, sizeof map, "0 %u 1", (unsigned)geteuid());
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) result = -errno;
  else if (!write_file("/proc/self/uid_map", map)) result = -EPERM;
  else {
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1", (unsigned)getegid());
    write_file("/proc/self/gid_map", map);
    result = mount_memory(byte_count);
  }
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr aligned;
  } control = {{0}};
  struct iovec vector = {&result, sizeof result};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  if (result >= 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &result, sizeof(int));
  }
  _exit(sendmsg(socket, &message, 0) > 0 ? 0 : 1);
}

int test_small_disk(unsigned long byte_count) {
  int disk = mount_memory(byte_count), ends[2], result = -EIO;
  if (disk != -EPERM) return disk;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -errno;
  pid_t child = fork();
  if (child == 0) mount_in_namespace(byte_count, ends[1]);
  close(ends[1]);
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr aligned;
  } control = {{0}};
  struct iovec vector = {&result, sizeof result};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  if (child > 0 && recvmsg(ends[0], &message, MSG_CMSG_CLOEXEC) == sizeof result && result >= 0) {
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header) memcpy(&result, CMSG_DATA(header), sizeof(int));
    else result = -EIO;
  }
  close(ends[0]);
  if (child > 0) test_reap_child(child);
  return result;
}

bool test_has_address_sanitizer(void) { return __has_feature(address_sanitizer); }
bool test_has_thread_sanitizer(void) { return __has_feature(thread_sanitizer); }

int64_t test_milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
