/* Reading and comparing the calling thread's rights. */
#include "syslet_rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Both answer what there was; this id is none, so that it changes nothing. */
static uint32_t file_system_user(void) { return (uint32_t)setfsuid((uid_t)-1); }
static uint32_t file_system_group(void) { return (uint32_t)setfsgid((gid_t)-1); }

/* FNV-1a. */
static uint64_t hash(const gid_t *groups, int count) {
  uint64_t value = UINT64_C(0xcbf29ce484222325);
  for (int i = 0; i < count; i++) value = (value ^ groups[i]) * UINT64_C(0x100000001b3);
  return value;
}

static void get_supplementary(struct syslet_rights *rights) {
  gid_t few[64], *all;
  int count = getgroups(sizeof few / sizeof *few, few);
  if (count >= 0) {
    rights->supplementary_count = count;
    rights->supplementary_hash = hash(few, count);
    return;
  }
  if (errno != EINVAL) return;
  count = getgroups(0, NULL);
  all = count > 0 ? malloc((size_t)count * sizeof *all) : NULL;
  rights->supplementary_count = -1;
  if (all && (count = getgroups(count, all)) >= 0) {
    rights->supplementary_count = count;
    rights->supplementary_hash = hash(all, count);
  }
  free(all);
}

void syslet_rights_get(struct syslet_rights *rights) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
  uid_t users[3] = {0};
  gid_t groups[3] = {0};
  int before = errno;
  memset(rights, 0, sizeof *rights);
  memset(data, 0, sizeof data);
  getresuid(&users[0], &users[1], &users[2]);
  getresgid(&groups[0], &groups[1], &groups[2]);
  for (int i = 0; i < 3; i++) {
    rights->users[i] = users[i];
    rights->groups[i] = groups[i];
  }
  rights->users[3] = file_system_user();
  rights->groups[3] = file_system_group();
  if (syscall(SYS_capget, &header, data) == 0) {
    rights->effective = data[0].effective | (uint64_t)data[1].effective << 32;
    rights->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
  }
  get_supplementary(rights);
  errno = before;
}

int syslet_rights_equal(const struct syslet_rights *a, const struct syslet_rights *b) { return memcmp(a, b, sizeof *a) == 0; }

enum syslet_rights_difference syslet_rights_compare(const struct syslet_rights *rights) {
  struct syslet_rights now;
  if (file_system_user() == rights->users[3] && file_system_group() == rights->groups[3]) return SYSLET_RIGHTS_SAME;
  syslet_rights_get(&now);
  if ((now.effective & ~rights->effective) || (now.permitted & ~rights->permitted) || now.effective == rights->effective)
    return SYSLET_RIGHTS_OTHER;
  return SYSLET_RIGHTS_FEWER;
}
