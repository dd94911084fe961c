// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/share/landlock.h"

#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "vmm/base/exit_status.h"

namespace crosswalk::vmm {
namespace {

constexpr uint64_t kReads = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kWrites = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                             LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                             LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                             LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER;
// Nowhere.
constexpr uint64_t kNever = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;

long check(const char* call, long status) {
  if (status >= 0) return status;
  std::fprintf(stderr,
               "crosswalk: --share: cannot confine the thread to the folder: %s: %s; --sandbox off runs without the "
               "sandbox\n",
               call, std::strerror(errno));
  std::fflush(stderr);
  _exit(kExitInternalError);
}

}  // namespace

void confine_to_folder(int folder, bool read_only) {
  constexpr long kWithRefer = 2;
  if (syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) < kWithRefer) return;
  landlock_ruleset_attr handled{};
  handled.handled_access_fs = kReads | kWrites | kNever;
  const auto rules = static_cast<int>(
      check("landlock_create_ruleset", syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0)));
  landlock_path_beneath_attr allowed{};
  allowed.parent_fd = folder;
  allowed.allowed_access = read_only ? kReads : kReads | kWrites;
  check("landlock_add_rule", syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &allowed, 0));
  check("PR_SET_NO_NEW_PRIVS", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  check("landlock_restrict_self", syscall(SYS_landlock_restrict_self, rules, 0));
  close(rules);
}

}  // namespace crosswalk::vmm
