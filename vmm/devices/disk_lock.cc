// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/disk_lock.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

namespace crosswalk::vmm {
namespace {

// A user holds a shared lock on byte kDoes + n when it does n, and on kForbids + n when others must
// not. Before it begins, it looks whether others hold the opposite byte. What n is are QEMU's
// BLK_PERM bits.
constexpr off_t kDoes = 100, kForbids = 200;
constexpr off_t kRead = 0, kWrite = 1;

struct flock one_byte(short type, off_t at) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = at;
  lock.l_len = 1;
  return lock;
}

// 0 or an errno. Shared locks of the open file description: they do not depend on which process or
// thread closes what.
int hold(int fd, off_t at) {
  struct flock lock = one_byte(F_RDLCK, at);
  return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

bool held_by_others(int fd, off_t at) {
  struct flock lock = one_byte(F_WRLCK, at);
  return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace

Result<bool> lock_disk(int fd, bool read_only) {
  // First hold, then look: of two that start at once, neither can miss the other.
  for (const off_t at : {kDoes + kRead, kDoes + kWrite, kForbids + kWrite}) {
    if (at == kDoes + kWrite && read_only) continue;
    const int error = hold(fd, at);
    if (error == EAGAIN || error == EACCES) return Error{"another program has locked it; end that one, or use a copy"};
    if (error != 0) {
      return Error{std::string("its file system does not lock files (") + std::strerror(error) +
                   "); copy it to one that does"};
    }
  }
  if (held_by_others(fd, kDoes + kWrite))
    return Error{"another guest has it open for writing; end that one, or give this one a copy"};
  if (!read_only && held_by_others(fd, kForbids + kWrite)) {
    return Error{
        "another guest has it open for reading and must not see it change; end that one, give this one a copy, "
        "or let both only read it (--disk FILE,readonly)"};
  }
  return true;
}

}  // namespace crosswalk::vmm
