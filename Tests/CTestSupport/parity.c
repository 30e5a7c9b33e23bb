/* Devices, sockets and processes in the states that the parity tests need. */

#include "CTestSupport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/loop.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

int test_loop_device(int file, int flags) {
  int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), result = -EBUSY;
  if (control < 0) return -errno;
  /* Somebody else may take the number in between. */
  for (int attempt = 0; attempt < 20 && result == -EBUSY; attempt++) {
    char path[32];
    int number = ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) {
      result = -errno;
      break;
    }
    snprintf(path, sizeof path, "/dev/loop%d", number);
    if (access(path, F_OK) != 0) mknod(path, S_IFBLK | 0600, makedev(7, (unsigned)number)); /* where no udev makes it */
    int device = open(path, flags | O_CLOEXEC);
    if (device < 0) {
      result = -errno;
      break;
    }
    struct loop_config config = {.fd = (uint32_t)file, .block_size = 512, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_READ_ONLY}};
    if (ioctl(device, LOOP_CONFIGURE, &config) == 0) {
      result = device;
    } else {
      result = -errno;
      close(device);
    }
  }
  close(control);
  return result;
}

int test_direct_flag(void) { return O_DIRECT; }
int test_path_flag(void) { return O_PATH; }

int test_terminal(int ends[2], int minimum, int tenths) {
  char name[64];
  struct termios mode;
  ends[0] = ends[1] = -1;
  int controller = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (controller < 0) return -errno;
  if (grantpt(controller) != 0 || unlockpt(controller) != 0 || ptsname_r(controller, name, sizeof name) != 0 ||
      (ends[0] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0 || tcgetattr(ends[0], &mode) != 0)
    goto failed;
  if (minimum >= 0) {
    cfmakeraw(&mode);
    (mode.c_cc[VMIN] = (cc_t)minimum, mode.c_cc[VTIME] = (cc_t)tenths);
  }
  mode.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
  if (tcsetattr(ends[0], TCSANOW, &mode) != 0) goto failed;
  ends[1] = controller;
  return 0;
failed:;
  int error = -errno;
  if (ends[0] >= 0) close(ends[0]);
  close(controller);
  return error;
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  return address;
}

int test_tcp_listener(int backlog, int *port) {
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return -errno;
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, backlog) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
    int error = -errno;
    close(listener);
    return error;
  }
  *port = ntohs(address.sin_port);
  return listener;
}

int test_tcp_connect(int socket, int port) {
  struct sockaddr_in address = loopback(port);
  return connect(socket, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
}

int test_tcp_pair(int ends[2]) {
  int port, listener = test_tcp_listener(1, &port), result;
  if (listener < 0) return listener;
  ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  result = ends[0] < 0 ? -errno : test_tcp_connect(ends[0], port);
  if (result == 0 && (ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) result = -errno;
  close(listener);
  if (result != 0) {
    if (ends[0] >= 0) close(ends[0]);
    return result;
  }
  /* What is sent twice arrives as two segments, and soon. */
  int on = 1;
  setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return 0;
}

long test_raise_descriptors(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -errno;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? (long)limit.rlim_cur : -errno;
}

int test_shift_clocks(long seconds) {
  char text[96];
  if (unshare(CLONE_NEWTIME) != 0) return -errno;
  /* Of the thread that asked: /proc/self is the process's first one. */
  snprintf(text, sizeof text, "/proc/%d/timens_offsets", gettid());
  int file = open(text, O_WRONLY | O_CLOEXEC);
  if (file < 0) return -errno;
  int length = snprintf(text, sizeof text, "monotonic %ld 0\nboottime %ld 0\n", seconds, seconds);
  int result = write(file, text, (size_t)length) == length ? 0 : -errno;
  close(file);
  return result;
}

int test_become(unsigned user, unsigned long processes) {
  struct rlimit limit = {processes, processes};
  if (setrlimit(RLIMIT_NPROC, &limit) != 0) return -errno;
  if (setgroups(0, NULL) != 0 || setresgid(user, user, user) != 0 || setresuid(user, user, user) != 0) return -errno;
  return 0;
}

int test_disk_file(void) {
  char path[] = "/tmp/syslet-test.XXXXXX";
  int descriptor = mkostemp(path, O_CLOEXEC);
  if (descriptor >= 0) unlink(path);
  return descriptor;
}

int test_memory_file(void) { return memfd_create("memory", MFD_CLOEXEC); }
