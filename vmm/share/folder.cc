// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/share/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace crosswalk::vmm {
namespace {

constexpr uint64_t kBeneath = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;

Descriptor open_at(int directory, const char* name, int flags, uint64_t resolve, mode_t mode = 0) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  how.mode = mode;
  how.resolve = resolve;
  constexpr int kTries = 16;  // EAGAIN: a directory was moved elsewhere meanwhile
  for (int tries = 0;; ++tries) {
    const long fd = syscall(SYS_openat2, directory, name, &how, sizeof how);
    if (fd >= 0) return Descriptor(static_cast<int>(fd));
    if (errno == EINTR || (errno == EAGAIN && tries < kTries)) continue;
    // EXDEV: the name leads out of the folder.
    return Descriptor(errno == EXDEV ? -EACCES : -errno);
  }
}

// A file's name in /proc/self/fd.
class Link {
 public:
  explicit Link(int file) { std::snprintf(text_, sizeof text_, "%d", file); }
  const char* name() const { return text_; }

 private:
  char text_[16];
};

bool is_same(int directory, const char* name, const struct stat& other) {
  struct stat status;
  return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_dev == other.st_dev &&
         status.st_ino == other.st_ino;
}

}  // namespace

bool is_entry_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= NAME_MAX &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string::npos;
}

Result<std::unique_ptr<Folder>> Folder::open(const std::string& path, bool read_only) {
  Descriptor opened = Descriptor(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return Error{"--share: cannot open " + path + ": " + std::strerror(errno) + "; give a directory"};
  Descriptor root = open_at(opened.get(), ".", O_PATH | O_DIRECTORY, kBeneath);
  if (!root) {
    return Error{std::string("--share: this kernel does not confine names to a directory (openat2: ") +
                 std::strerror(root.error()) + "); go without, or use Linux 5.6 or newer"};
  }
  Descriptor descriptors = Descriptor(::open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!descriptors) return Error{std::string("--share: /proc/self/fd: ") + std::strerror(errno) + "; mount /proc"};
  return std::unique_ptr<Folder>(new Folder(std::move(root), std::move(descriptors), read_only));
}

Descriptor Folder::again(int file) const { return open_at(descriptors_.get(), Link(file).name(), O_PATH, 0); }

Descriptor Folder::entry(int directory, const std::string& name) const {
  if (name.size() > NAME_MAX) return Descriptor(-ENAMETOOLONG);
  if (!is_entry_name(name)) return Descriptor(-ENOENT);
  return open_at(directory, name.c_str(), O_PATH | O_NOFOLLOW, kBeneath);
}

std::string Folder::path_of(int file) const {
  char path[PATH_MAX];
  const ssize_t bytes = readlinkat(descriptors_.get(), Link(file).name(), path, sizeof path);
  return bytes <= 0 || bytes == sizeof path ? std::string() : std::string(path, static_cast<size_t>(bytes));
}

// The kernel tells paths; they may be out of date at once, so they are resolved from the root.
Folder::Place Folder::place(int file) const {
  std::string root = path_of(root_.get()), path = path_of(file);
  if (root != "/") root += "/";
  if (!path.starts_with(root) || path.size() == root.size()) return {Descriptor(-ENOENT), {}};
  path.erase(0, root.size());
  const size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  Descriptor directory = open_at(root_.get(), slash == std::string::npos ? "." : path.substr(0, slash).c_str(),
                                 O_PATH | O_DIRECTORY, kBeneath);
  struct stat status;
  if (!directory || fstat(file, &status) != 0 || !is_same(directory.get(), name.c_str(), status))
    return {Descriptor(-ENOENT), {}};
  return {std::move(directory), name};
}

Descriptor Folder::parent(int file) const {
  struct stat status, root;
  if (fstat(file, &status) != 0 || fstat(root_.get(), &root) != 0) return Descriptor(-errno);
  if (status.st_dev == root.st_dev && status.st_ino == root.st_ino) return this->root();
  Place found = place(file);
  return found.directory ? std::move(found.directory) : Descriptor(-ENOENT);
}

Descriptor Folder::reopen(int file, int flags) const {
  return open_at(descriptors_.get(), Link(file).name(), flags | O_NOCTTY, 0);
}

Descriptor Folder::create(int directory, const std::string& name, int flags, mode_t mode) const {
  constexpr int kTries = 16;  // somebody makes and removes it all the time
  for (int tries = 0; tries < kTries; ++tries) {
    Descriptor made = open_at(directory, name.c_str(), flags | O_CREAT | O_EXCL, kBeneath, mode);
    if (made) {
      const int error = complete_mode(made.get(), mode);
      return error == 0 ? std::move(made) : Descriptor(-error);
    }
    if (made.error() != EEXIST || (flags & O_EXCL)) return made;
    Descriptor there = entry(directory, name);
    if (there.error() == ENOENT) continue;
    struct stat status;
    if (!there) return there;
    if (fstat(there.get(), &status) != 0) return Descriptor(-errno);
    if (S_ISDIR(status.st_mode)) return Descriptor(-EISDIR);
    return S_ISREG(status.st_mode) ? reopen(there.get(), flags) : Descriptor(-EACCES);
  }
  return Descriptor(-EAGAIN);
}

int Folder::link(int file, int directory, const std::string& name) const {
  return result_of(linkat(descriptors_.get(), Link(file).name(), directory, name.c_str(), AT_SYMLINK_FOLLOW));
}

int Folder::change_mode(int file, mode_t mode) const {
  return result_of(fchmodat(descriptors_.get(), Link(file).name(), mode, 0));
}

int Folder::complete_mode(int file, mode_t mode) const {
  constexpr mode_t kPermissions = S_IRWXU | S_IRWXG | S_IRWXO | S_ISVTX;
  struct stat status;
  if (fstat(file, &status) != 0) return errno;
  if (S_ISLNK(status.st_mode) || (status.st_mode & kPermissions) == (mode & kPermissions)) return 0;
  // A directory may have got its parent's set-group-ID.
  return change_mode(file, (mode & kPermissions) | (status.st_mode & S_ISGID));
}

int Folder::change_times(int file, const timespec (&times)[2]) const {
  return result_of(utimensat(descriptors_.get(), Link(file).name(), times, 0));
}

int Folder::truncate(int file, uint64_t bytes) const {
  if (ftruncate(file, static_cast<off_t>(bytes)) == 0) return 0;
  // Not open for writing.
  if (errno != EBADF && errno != EINVAL) return errno;
  const Descriptor opened = reopen(file, O_WRONLY);
  if (!opened) return opened.error();
  return result_of(ftruncate(opened.get(), static_cast<off_t>(bytes)));
}

// Files of several file systems may have the same number.
Qid Folder::qid(dev_t device, ino_t number, uint8_t type) {
  constexpr size_t kMaxDevices = 256;
  auto found = std::ranges::find(devices_, device);
  if (found == devices_.end()) {
    if (devices_.size() == kMaxDevices) devices_.pop_back();
    found = devices_.insert(devices_.end(), device);
  }
  const auto index = static_cast<uint64_t>(found - devices_.begin());
  Qid qid{0, 0, number ^ index << 56};
  if (type == DT_DIR) qid.type = Qid::kDirectory;
  if (type == DT_LNK) qid.type = Qid::kSymlink;
  return qid;
}

Qid Folder::qid(const struct stat& status) {
  Qid qid = this->qid(status.st_dev, status.st_ino, IFTODT(status.st_mode));
  qid.version = static_cast<uint32_t>(status.st_mtime) ^ static_cast<uint32_t>(status.st_size << 8);
  return qid;
}

}  // namespace crosswalk::vmm
