// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/semihosting/semihosting_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace crosswalk::vmm {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// A descriptor, or a negative errno.
int open_beneath(int directory, const std::string& name, int flags, uint64_t permissions = 0) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  how.mode = permissions;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  constexpr int kTries = 16;  // EAGAIN: a directory was moved elsewhere meanwhile
  for (int tries = 0;; ++tries) {
    const long fd = syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    if (errno == EINTR || (errno == EAGAIN && tries < kTries)) continue;
    // EXDEV: the name leads out of the directory.
    return errno == EXDEV ? -EACCES : -errno;
  }
}

int check_regular(const struct stat& status) {
  if (S_ISDIR(status.st_mode)) return -EISDIR;
  return S_ISREG(status.st_mode) ? 0 : -EACCES;
}

// The directory that holds a name's last part, for system calls that take no openat2 flags.
class Parent {
 public:
  Parent(int root, const std::string& name)
      : slash_(name.rfind('/')),
        leaf_(slash_ == std::string::npos ? name : name.substr(slash_ + 1)),
        directory_(
            open_beneath(root, slash_ == std::string::npos ? "." : name.substr(0, slash_ + 1), O_PATH | O_DIRECTORY)) {}
  // A negative errno when there is no such directory.
  int fd() const { return directory_.get(); }
  const char* leaf() const { return leaf_.c_str(); }
  // 0, or why the name may not be removed or replaced.
  int check() const {
    struct stat status;
    if (fd() < 0) return fd();
    if (leaf_.empty() || leaf_ == "." || leaf_ == "..") return -EISDIR;
    if (fstatat(fd(), leaf(), &status, AT_SYMLINK_NOFOLLOW) != 0) return -errno;
    return check_regular(status);
  }

 private:
  size_t slash_;
  std::string leaf_;
  Descriptor directory_;
};

}  // namespace

Result<std::unique_ptr<SemihostingFiles>> SemihostingFiles::open_directory(const std::string& path) {
  const Descriptor directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) {
    return Error{"--semihosting-files: cannot open " + path + ": " + std::strerror(errno) +
                 "; give an existing directory"};
  }
  const int opened = open_beneath(directory.get(), ".", O_PATH | O_DIRECTORY);
  if (opened < 0) {
    return Error{std::string("--semihosting-files: this kernel does not confine names to a directory (openat2: ") +
                 std::strerror(-opened) + "); go without, or use Linux 5.6 or newer"};
  }
  return std::unique_ptr<SemihostingFiles>(new SemihostingFiles(opened));
}

SemihostingFiles::~SemihostingFiles() { close(directory_); }

int SemihostingFiles::open(const std::string& name, uint32_t mode) const {
  const bool update = mode & 2;
  enum { kRead, kWrite, kAppend };
  const uint32_t kind = mode / 4;
  // Looked at before it is opened, since opening a device can have effects.
  {
    const Descriptor seen(open_beneath(directory_, name, O_PATH));
    struct stat status;
    if (seen.get() >= 0) {
      if (fstat(seen.get(), &status) != 0) return -errno;
      if (const int error = check_regular(status)) return error;
    } else if (kind == kRead || seen.get() != -ENOENT) {
      return seen.get();
    }
  }
  // Whatever is there by now: opening does not wait and truncates nothing before the second look.
  int flags = (update ? O_RDWR : kind == kRead ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_NOCTTY;
  if (kind != kRead) flags |= O_CREAT;
  if (kind == kAppend) flags |= O_APPEND;
  Descriptor file(open_beneath(directory_, name, flags, kind == kRead ? 0 : 0644));
  if (file.get() < 0) return file.get();
  struct stat status;
  if (fstat(file.get(), &status) != 0) return -errno;
  if (const int error = check_regular(status)) return error;
  if (kind == kWrite && ftruncate(file.get(), 0) != 0) return -errno;
  return file.release();
}

int SemihostingFiles::remove(const std::string& name) const {
  const Parent parent(directory_, name);
  if (const int error = parent.check()) return error;
  return unlinkat(parent.fd(), parent.leaf(), 0) == 0 ? 0 : -errno;
}

int SemihostingFiles::rename(const std::string& from, const std::string& to) const {
  const Parent source(directory_, from), target(directory_, to);
  if (const int error = source.check()) return error;
  if (const int error = target.check(); error && (target.fd() < 0 || error != -ENOENT)) return error;
  return renameat(source.fd(), source.leaf(), target.fd(), target.leaf()) == 0 ? 0 : -errno;
}

int SemihostingFiles::write(int fd, const uint8_t* data, uint32_t bytes) {
  const bool append = fcntl(fd, F_GETFL) & O_APPEND;
  const off_t position = lseek(fd, 0, append ? SEEK_END : SEEK_CUR);
  if (position < 0) return -errno;
  if (static_cast<uint64_t>(position) >= kMaxFileBytes) return -EFBIG;
  const uint64_t room = kMaxFileBytes - static_cast<uint64_t>(position);
  const ssize_t count = ::write(fd, data, static_cast<size_t>(std::min<uint64_t>(bytes, room)));
  return count < 0 ? -errno : static_cast<int>(count);
}

int64_t SemihostingFiles::size(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 ? status.st_size : -errno;
}

}  // namespace crosswalk::vmm
