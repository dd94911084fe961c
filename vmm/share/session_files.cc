// SPDX-License-Identifier: GPL-2.0-or-later
// Requests on files: open ones, and what files are like.
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "vmm/share/session.h"

namespace crosswalk::vmm {
namespace {

// Flags of Tlopen and Tlcreate (P9_DOTL_*): Linux's generic ones.
enum OpenFlag : uint32_t {
  kAccess = 3,
  kExclusive = 0200,
  kTruncate = 01000,
  kAppend = 02000,
  kDataSync = 010000,
  kSync = 04000000,
};

// Tsetattr's `valid`.
enum Attribute : uint32_t {
  kMode = 1,
  kUser = 2,
  kGroup = 4,
  kSize = 8,
  kAccessTime = 16,
  kModificationTime = 32,
  kChangeTime = 64,
  kAccessTimeGiven = 128,
  kModificationTimeGiven = 256,
};
constexpr uint64_t kBasicAttributes = 0x7ff;  // Rgetattr's `valid`: all that stat(2) tells

// The other flags are for the guest's kernel, or a matter of its cache.
int host_flags(uint32_t flags) {
  int host = static_cast<int>(flags & kAccess);
  if (flags & kTruncate) host |= O_TRUNC;
  if (flags & kAppend) host |= O_APPEND;
  if (flags & kDataSync) host |= O_DSYNC;
  if (flags & kSync) host |= O_SYNC;
  if (flags & kExclusive) host |= O_EXCL;
  return host;
}

bool opens_for_writing(uint32_t flags) { return (flags & kAccess) != O_RDONLY || (flags & kTruncate); }

}  // namespace

// ---- open files ---------------------------------------------------------------------------------

// The new descriptor takes the place of the one with O_PATH.
int Session::open(MessageReader& in, MessageWriter& out) {
  File* const file = find(in.get<uint32_t>());
  const auto flags = in.get<uint32_t>();
  if (!in.complete()) return EPROTO;
  if (!file) return EBADF;
  if (file->open || (flags & kAccess) == kAccess) return EINVAL;
  if (opens_for_writing(flags) && folder_.read_only()) return EROFS;
  if (file->type == S_IFLNK) return ELOOP;
  if (file->type != S_IFREG && file->type != S_IFDIR) return EACCES;
  Descriptor opened = folder_.reopen(file->descriptor.get(), host_flags(flags) & ~O_EXCL);
  struct stat status;
  if (!opened) return opened.error();
  if (fstat(opened.get(), &status) != 0) return errno;
  file->descriptor = std::move(opened);
  file->open = true;
  out.put(folder_.qid(status));
  out.put(uint32_t{0});  // as much in a message as fits
  return 0;
}

int Session::create(MessageReader& in, MessageWriter& out) {
  File* const file = find(in.get<uint32_t>());
  const std::string name = in.text();
  const auto flags = in.get<uint32_t>(), mode = in.get<uint32_t>();
  in.get<uint32_t>();  // the group
  if (!in.complete()) return EPROTO;
  if (!file) return EBADF;
  if (!is_entry_name(name) || file->open || (flags & kAccess) == kAccess) return EINVAL;
  if (gives_rights(mode, S_IFREG)) return EPERM;
  Descriptor made = folder_.create(file->descriptor.get(), name, host_flags(flags), mode & ALLPERMS);
  struct stat status;
  if (!made) return made.error();
  if (fstat(made.get(), &status) != 0) return errno;
  *file = {std::move(made), status.st_mode & S_IFMT, status.st_dev, true};
  out.put(folder_.qid(status));
  out.put(uint32_t{0});
  return 0;
}

int Session::read(MessageReader& in, MessageWriter& out) {
  const File* const file = find(in.get<uint32_t>());
  const auto offset = in.get<uint64_t>();
  const auto count = in.get<uint32_t>();
  if (!in.complete()) return EPROTO;
  if (!file || !file->open) return EBADF;
  const std::span<uint8_t> room = out.left();
  if (room.size() < sizeof count) return EMSGSIZE;
  ssize_t done;
  do {
    done = pread(file->descriptor.get(), room.data() + sizeof count,
                 std::min<size_t>(count, room.size() - sizeof count), static_cast<off_t>(offset));
  } while (done < 0 && errno == EINTR);
  if (done < 0) return errno;
  out.put(static_cast<uint32_t>(done));
  out.advance(static_cast<size_t>(done));
  counters_.bytes_read += static_cast<uint64_t>(done);
  return 0;
}

int Session::write(MessageReader& in, MessageWriter& out) {
  const File* const file = find(in.get<uint32_t>());
  const auto offset = in.get<uint64_t>();
  const std::span<const uint8_t> data = in.take(in.get<uint32_t>());
  if (!in.complete()) return EPROTO;
  if (!file || !file->open) return EBADF;
  ssize_t done;
  do {
    done = pwrite(file->descriptor.get(), data.data(), data.size(), static_cast<off_t>(offset));
  } while (done < 0 && errno == EINTR);
  if (done < 0) return errno;
  out.put(static_cast<uint32_t>(done));
  counters_.bytes_written += static_cast<uint64_t>(done);
  return 0;
}

int Session::synchronize(MessageReader& in, MessageWriter&) {
  const File* const file = find(in.get<uint32_t>());
  const auto data_only = in.get<uint32_t>();
  if (!in.complete()) return EPROTO;
  if (!file || !file->open) return EBADF;
  return result_of(data_only ? fdatasync(file->descriptor.get()) : fsync(file->descriptor.get()));
}

int Session::read_directory(MessageReader& in, MessageWriter& out) {
  File* const file = find(in.get<uint32_t>());
  const auto offset = in.get<uint64_t>();
  const auto count = in.get<uint32_t>();
  if (!in.complete()) return EPROTO;
  if (!file || !file->open) return EBADF;
  return put_entries(*file, offset, count, out);
}

// qid[13] offset[8] type[1] name[s]. Offsets are the host's file system's own.
int Session::put_entries(File& file, uint64_t offset, uint32_t count, MessageWriter& out) {
  constexpr size_t kFixedBytes = kQidBytes + 8 + 1 + 2;
  const std::span<uint8_t> room = out.left();
  if (room.size() < sizeof count) return EMSGSIZE;
  MessageWriter entries(room.subspan(sizeof count).first(std::min<size_t>(count, room.size() - sizeof count)));
  if (offset != file.position && lseek(file.descriptor.get(), static_cast<off_t>(offset), SEEK_SET) < 0) return errno;
  // An entry of the kernel's has 24 bytes where ours has 28 at most; larger ones differ by less.
  entries_.resize(entries.left().size() / 7 * 6);
  if (entries_.empty()) return EINVAL;
  const ssize_t listed = getdents64(file.descriptor.get(), entries_.data(), entries_.size());
  if (listed < 0) return errno;
  for (ssize_t at = 0; at < listed;) {
    dirent64 entry;
    std::memcpy(&entry, entries_.data() + at, offsetof(dirent64, d_name));
    const char* const name = reinterpret_cast<const char*>(entries_.data() + at + offsetof(dirent64, d_name));
    const std::string_view text(name, strnlen(name, NAME_MAX));
    if (entries.left().size() < kFixedBytes + text.size()) return EMSGSIZE;
    entries.put(folder_.qid(file.device, entry.d_ino, entry.d_type));
    entries.put(static_cast<uint64_t>(entry.d_off));
    entries.put(entry.d_type);
    entries.put(text);
    offset = static_cast<uint64_t>(entry.d_off);
    at += entry.d_reclen;
  }
  file.position = offset;
  out.put(static_cast<uint32_t>(entries.used()));
  out.advance(entries.used());
  return 0;
}

// ---- attributes ---------------------------------------------------------------------------------

int Session::read_link(MessageReader& in, MessageWriter& out) {
  const File* const file = find(in.get<uint32_t>());
  if (!in.complete()) return EPROTO;
  if (!file) return EBADF;
  if (file->type != S_IFLNK) return EINVAL;
  char target[PATH_MAX];
  const ssize_t bytes = readlinkat(file->descriptor.get(), "", target, sizeof target);
  if (bytes < 0) return errno;
  out.put(std::string_view(target, static_cast<size_t>(bytes)));
  return 0;
}

int Session::get_attributes(MessageReader& in, MessageWriter& out) {
  const File* const file = find(in.get<uint32_t>());
  in.get<uint64_t>();  // which are wanted; all are told
  if (!in.complete()) return EPROTO;
  struct stat status;
  if (!file) return EBADF;
  if (fstat(file->descriptor.get(), &status) != 0) return errno;
  out.put(kBasicAttributes);
  out.put(folder_.qid(status));
  for (const uint32_t value : {status.st_mode, status.st_uid, status.st_gid}) out.put(value);
  out.put(static_cast<uint64_t>(status.st_nlink));
  out.put(static_cast<uint64_t>(status.st_rdev));
  for (const int64_t value : {status.st_size, status.st_blksize, status.st_blocks})
    out.put(static_cast<uint64_t>(value));
  const timespec never{};  // birth: not told
  for (const timespec& time : {status.st_atim, status.st_mtim, status.st_ctim, never}) {
    out.put(static_cast<uint64_t>(time.tv_sec));
    out.put(static_cast<uint64_t>(time.tv_nsec));
  }
  out.put(uint64_t{0});  // generation: not told
  out.put(uint64_t{0});  // version of the data: not told
  return 0;
}

int Session::set_attributes(MessageReader& in, MessageWriter&) {
  const File* const file = find(in.get<uint32_t>());
  const auto valid = in.get<uint32_t>(), mode = in.get<uint32_t>(), user = in.get<uint32_t>(),
             group = in.get<uint32_t>();
  const auto size = in.get<uint64_t>();
  timespec times[2];
  for (timespec& time : times) {
    time.tv_sec = static_cast<time_t>(in.get<uint64_t>());
    time.tv_nsec = static_cast<long>(in.get<uint64_t>());
  }
  if (!in.complete()) return EPROTO;
  if (!file) return EBADF;
  const int descriptor = file->descriptor.get();
  if (valid & kSize) {
    if (file->type != S_IFREG) return file->type == S_IFDIR ? EISDIR : EINVAL;
    if (const int error = folder_.truncate(descriptor, size)) return error;
  }
  const uint32_t changes_owner = valid & (kUser | kGroup);
  const bool only_change_time = (valid & kChangeTime) && !(valid & (kMode | kSize | kAccessTime | kModificationTime));
  if (changes_owner || only_change_time) {
    // -1: unchanged. Even then the change time is now.
    const uid_t new_user = valid & kUser ? user : ~uid_t{0};
    const gid_t new_group = valid & kGroup ? group : ~gid_t{0};
    if (fchownat(descriptor, "", new_user, new_group, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0) return errno;
  }
  if (valid & kMode) {
    if (file->type == S_IFLNK) return EOPNOTSUPP;
    if (gives_rights(mode, file->type)) return EPERM;
    if (const int error = folder_.change_mode(descriptor, mode & ALLPERMS)) return error;
  }
  if (valid & (kAccessTime | kModificationTime)) {
    if (!(valid & kAccessTime)) times[0].tv_nsec = UTIME_OMIT;
    if (!(valid & kModificationTime)) times[1].tv_nsec = UTIME_OMIT;
    if ((valid & kAccessTime) && !(valid & kAccessTimeGiven)) times[0].tv_nsec = UTIME_NOW;
    if ((valid & kModificationTime) && !(valid & kModificationTimeGiven)) times[1].tv_nsec = UTIME_NOW;
    return folder_.change_times(descriptor, times);
  }
  return 0;
}

int Session::file_system(MessageReader& in, MessageWriter& out) {
  const File* const file = find(in.get<uint32_t>());
  if (!in.complete()) return EPROTO;
  struct statfs status;
  if (!file) return EBADF;
  if (fstatfs(file->descriptor.get(), &status) != 0) return errno;
  out.put(static_cast<uint32_t>(status.f_type));
  out.put(static_cast<uint32_t>(status.f_bsize));
  for (const uint64_t value : {status.f_blocks, status.f_bfree, status.f_bavail, status.f_files, status.f_ffree})
    out.put(value);
  uint64_t number;
  static_assert(sizeof number == sizeof status.f_fsid);
  std::memcpy(&number, &status.f_fsid, sizeof number);
  out.put(number);
  out.put(static_cast<uint32_t>(status.f_namelen));
  return 0;
}

// As in QEMU: the guest's kernel keeps the locks of its processes, and
// the host's do not know of them.
int Session::lock(MessageReader& in, MessageWriter& out) {
  constexpr uint8_t kGranted = 0;
  const File* const file = find(in.get<uint32_t>());
  in.get<uint8_t>();   // type
  in.get<uint32_t>();  // flags
  in.get<uint64_t>();  // start
  in.get<uint64_t>();  // length
  in.get<uint32_t>();  // process
  in.text();           // client
  if (!in.complete()) return EPROTO;
  if (!file || !file->open) return EBADF;
  out.put(kGranted);
  return 0;
}

int Session::get_lock(MessageReader& in, MessageWriter& out) {
  constexpr uint8_t kUnlocked = 2;
  const File* const file = find(in.get<uint32_t>());
  in.get<uint8_t>();  // type
  const auto start = in.get<uint64_t>(), length = in.get<uint64_t>();
  const auto process = in.get<uint32_t>();
  const std::string client = in.text();
  if (!in.complete()) return EPROTO;
  if (!file || !file->open) return EBADF;
  out.put(kUnlocked);
  out.put(start);
  out.put(length);
  out.put(process);
  out.put(std::string_view(client));
  return 0;
}

int Session::no_attributes(MessageReader&, MessageWriter&) { return EOPNOTSUPP; }

}  // namespace crosswalk::vmm
