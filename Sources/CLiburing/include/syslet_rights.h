/* What the kernel lets a thread do, as far as one thread can have it apart from the others and a system call depends on it. */
#ifndef SYSLET_RIGHTS_H
#define SYSLET_RIGHTS_H

#include <stdint.h>

/* The kernel keeps these per thread. setfsuid, setfsgid, capset and the raw set*id calls change the calling thread alone; the C library's
 * set*id functions change all threads, one after the other.
 *
 * Left out, because they count only when a program is executed or an identity changed, and syslets may do neither: securebits, no_new_privs,
 * the ambient and the bounding set. Left out, because the kernel has no quick way to compare them: namespaces, keyrings, an unshared root,
 * directory or umask, seccomp filters, Landlock domains, the labels of security modules. */
struct syslet_rights {
  /* Real, effective, saved, and that of the file system. */
  uint32_t users[4];
  uint32_t groups[4];
  uint64_t effective;
  uint64_t permitted;
  /* Of the supplementary groups, in their order, which the kernel keeps sorted. */
  uint64_t supplementary_hash;
  int32_t supplementary_count;
  uint32_t reserved;
};

/* The calling thread's. Six system calls, 1.2 us where a null call takes 170 ns. What a sandbox forbids to ask counts as 0. */
void syslet_rights_get(struct syslet_rights *rights);

enum syslet_rights_difference {
  SYSLET_RIGHTS_SAME,
  /* The calling thread has fewer capabilities than `rights` and no other ones: the process has given some up. */
  SYSLET_RIGHTS_FEWER,
  SYSLET_RIGHTS_OTHER,
};

/* How the calling thread's differ from `rights`. A quick look at the two identities that every change of the C library's touches, and only
 * when they differ at all of it. */
enum syslet_rights_difference syslet_rights_compare(const struct syslet_rights *rights);

int syslet_rights_equal(const struct syslet_rights *a, const struct syslet_rights *b);

#endif
