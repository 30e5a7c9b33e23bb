/* The two layouts of an atom, and its flags. What they mean: docs/SEMANTICS.md. */
#ifndef SYSLET_H
#define SYSLET_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYSLET_ASYNC 0x01u
#define SYSLET_SYNC 0x02u
#define SYSLET_NO_COMPLETE 0x04u
#define SYSLET_STOP_ON_NONZERO 0x08u
#define SYSLET_STOP_ON_ZERO 0x10u
#define SYSLET_STOP_ON_NEGATIVE 0x20u
#define SYSLET_STOP_ON_NON_POSITIVE 0x40u
#define SYSLET_SKIP_TO_NEXT_ON_STOP 0x80u

/* Numbers of the pseudo calls, which never enter the kernel as themselves. They lie above every system call number and fit
 * the 16 bits of struct syslet_atom. */
enum {
  SYSLET_NR_umem_add = 0xFADD, /* umem_add(long *ptr, long inc): adds, stores and returns the new value */
  SYSLET_NR_nop = 0xFADE       /* does nothing: IORING_OP_NOP on the ring, getppid elsewhere; the result is 0 */
};

/* Davide Libenzi's layout: direct arguments, how many there are, and a bitmap of those that are pointers to the argument. */
struct syslet_atom {
  uint32_t flags;
  uint16_t nr;
  uint8_t nparams;
  uint8_t pmap;
  long *ret_ptr;
  struct syslet_atom *next;
  uint64_t args[6];
  void *private;
};

/* Ingo Molnar's layout: every argument is behind a pointer; the first NULL ends the list. */
struct syslet_uatom {
  uint32_t flags;
  uint32_t nr;
  long *ret_ptr;
  struct syslet_uatom *next;
  unsigned long *arg_ptr[6];
  void *private;
};

#if defined(__LP64__) && !defined(__cplusplus)
_Static_assert(sizeof(struct syslet_atom) == 80, "an atom is 80 bytes: SKIP_TO_NEXT_ON_STOP counts on it");
_Static_assert(sizeof(struct syslet_uatom) == 80, "an atom is 80 bytes: SKIP_TO_NEXT_ON_STOP counts on it");
_Static_assert(__builtin_offsetof(struct syslet_atom, ret_ptr) == __builtin_offsetof(struct syslet_uatom, ret_ptr),
               "both layouts keep the result pointer in one place");
_Static_assert(__builtin_offsetof(struct syslet_atom, next) == __builtin_offsetof(struct syslet_uatom, next),
               "both layouts keep the edge in one place");
_Static_assert(__builtin_offsetof(struct syslet_atom, args) == __builtin_offsetof(struct syslet_uatom, arg_ptr),
               "both layouts keep the arguments in one place");
_Static_assert(__builtin_offsetof(struct syslet_atom, private) == 72, "the user's word is the last one");
_Static_assert(__builtin_offsetof(struct syslet_uatom, private) == 72, "the user's word is the last one");
#endif

#ifdef __cplusplus
}
#endif

#endif
