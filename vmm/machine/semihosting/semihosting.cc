// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/semihosting/semihosting.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::vmm {
namespace {

enum Operation : uint32_t {
  kOpen = 0x01,
  kClose = 0x02,
  kWriteC = 0x03,
  kWrite0 = 0x04,
  kWrite = 0x05,
  kRead = 0x06,
  kReadC = 0x07,
  kIsError = 0x08,
  kIsTty = 0x09,
  kSeek = 0x0a,
  kFlen = 0x0c,
  kTmpnam = 0x0d,
  kRemove = 0x0e,
  kRename = 0x0f,
  kClock = 0x10,
  kTime = 0x11,
  kSystem = 0x12,
  kErrno = 0x13,
  kGetCmdline = 0x15,
  kHeapInfo = 0x16,
  kExit = 0x18,
  kExitExtended = 0x20,
  kElapsed = 0x30,
  kTickFreq = 0x31,
};
constexpr uint32_t kApplicationExit = 0x20026;  // ADP_Stopped_ApplicationExit
// SH_EXT_EXIT_EXTENDED and SH_EXT_STDOUT_STDERR.
constexpr uint8_t kFeatures[5] = {0x53, 0x48, 0x46, 0x42, 0x03};
constexpr uint32_t kMaxName = 4096;
constexpr size_t kMaxFiles = 64;
constexpr uint32_t kPage = SemihostingMemory::kPage;

}  // namespace

Semihosting::Semihosting(SemihostingConfig config, const GuestRam& ram, const SystemCounter& counter,
                         SemihostingHost& host)
    : config_(std::move(config)), memory_(ram), counter_(counter), host_(host), image_end_(ram.base) {
  files_.reserve(kMaxFiles);
}

Semihosting::~Semihosting() { close_host_files(); }

void Semihosting::close_host_files() {
  for (File& open : files_) {
    if (open.kind == Kind::HostFile) close(open.fd);
    open = File{};
  }
}

bool Semihosting::has_host_files() {
  const std::lock_guard lock(lock_);
  return std::ranges::any_of(files_, [](const File& file) { return file.kind == Kind::HostFile; });
}

Semihosting::State Semihosting::save() {
  const std::lock_guard lock(lock_);
  State state{image_end_, {}, errno_};
  for (const File& file : files_) state.files.push_back({file.kind, file.position});
  return state;
}

void Semihosting::restore(const State& state) {
  const std::lock_guard lock(lock_);
  close_host_files();
  files_.clear();
  for (const FileState& file : state.files) {
    if (files_.size() == kMaxFiles) break;
    File& opened = files_.emplace_back();
    if (file.kind >= Kind::HostFile) continue;
    opened.kind = file.kind;
    opened.position = file.position;
  }
  image_end_ = state.image_end;
  errno_ = state.last_error;
}

Result<bool> Semihosting::open_files() {
  if (config_.files.empty()) return true;
  auto opened = SemihostingFiles::open_directory(config_.files);
  if (!opened) return opened.take_error();
  host_files_ = std::move(*opened);
  return true;
}

void Semihosting::call(CpuState& cpu) {
  const std::lock_guard lock(lock_);
  cpu.r[0] = dispatch(cpu, cpu.r[0], cpu.r[1]);
}

int Semihosting::read_console_byte() {
  lock_.unlock();
  const int byte = host_.read_console_byte();
  lock_.lock();
  return byte;
}

uint32_t Semihosting::fail(uint32_t error, uint32_t result) {
  errno_ = error;
  return result;
}

bool Semihosting::arguments(CpuState& cpu, uint32_t parameter, uint32_t* values, uint32_t count) {
  return memory_.read(cpu, parameter, values, count * 4);
}

bool Semihosting::read_name(CpuState& cpu, uint32_t va, uint32_t length, std::string& name) {
  if (length > kMaxName) return false;
  name.resize(length);
  return memory_.read(cpu, va, name.data(), length) && name.find('\0') == std::string::npos;
}

Semihosting::File* Semihosting::file(uint32_t handle) {
  if (handle == 0 || handle > files_.size() || files_[handle - 1].kind == Kind::Closed) return nullptr;
  return &files_[handle - 1];
}

uint32_t Semihosting::open_file(CpuState& cpu, uint32_t parameter) {
  uint32_t values[3];
  std::string name;
  if (!arguments(cpu, parameter, values, 3) || !read_name(cpu, values[0], values[2], name)) return fail(EFAULT);
  const uint32_t mode = values[1];
  if (mode > 11) return fail(EINVAL);
  size_t slot = 0;
  while (slot < files_.size() && files_[slot].kind != Kind::Closed) ++slot;
  if (slot == kMaxFiles) return fail(EMFILE);
  File opened;
  if (name == ":tt") {
    opened.kind = mode < 4 ? Kind::Input : mode < 8 ? Kind::Output : Kind::Error;
  } else if (name == ":semihosting-features") {
    if (mode > 1) return fail(EACCES);
    opened.kind = Kind::Features;
  } else if (!host_files_) {
    return fail(EACCES);
  } else {
    opened.kind = Kind::HostFile;
    opened.fd = host_files_->open(name, mode);
    if (opened.fd < 0) return fail(static_cast<uint32_t>(-opened.fd));
  }
  if (slot == files_.size()) files_.emplace_back();
  files_[slot] = opened;
  return static_cast<uint32_t>(slot + 1);
}

uint32_t Semihosting::close_file(uint32_t handle) {
  File* open = file(handle);
  if (!open) return fail(EBADF);
  const int status = open->kind == Kind::HostFile ? close(open->fd) : 0;
  *open = File{};
  return status == 0 ? 0 : fail(static_cast<uint32_t>(errno));
}

// SYS_WRITE returns the number of bytes not written.
uint32_t Semihosting::write_file(CpuState& cpu, File& file, uint32_t va, uint32_t bytes) {
  if (file.kind == Kind::Input || file.kind == Kind::Features) return fail(EBADF, bytes);
  for (uint32_t done = 0, usable; done < bytes; done += usable) {
    if (host_.stopping()) return fail(EINTR, bytes - done);
    const uint8_t* host = memory_.chunk(cpu, va + done, false, bytes - done, usable);
    if (!host) return fail(EFAULT, bytes - done);
    if (file.kind == Kind::HostFile) {
      const int count = SemihostingFiles::write(file.fd, host, usable);
      if (count <= 0) return fail(static_cast<uint32_t>(-count), bytes - done);
      usable = static_cast<uint32_t>(count);
    } else if (file.kind == Kind::Error) {
      host_.write_error(host, usable);
    } else {
      host_.write_console(host, usable);
    }
  }
  return 0;
}

// SYS_READ returns the number of bytes not read.
uint32_t Semihosting::read_file(CpuState& cpu, File& file, uint32_t va, uint32_t bytes) {
  if (file.kind == Kind::Output || file.kind == Kind::Error) return fail(EBADF, bytes);
  uint32_t done = 0;
  while (done < bytes) {
    if (host_.stopping()) return fail(EINTR, bytes - done);
    uint32_t usable;
    uint8_t* host = memory_.chunk(cpu, va + done, true, bytes - done, usable);
    if (!host) return fail(EFAULT, bytes - done);
    uint32_t got = 0;
    if (file.kind == Kind::HostFile) {
      const ssize_t count = read(file.fd, host, usable);
      if (count < 0) return fail(static_cast<uint32_t>(errno), bytes - done);
      got = static_cast<uint32_t>(count);
    } else if (file.kind == Kind::Features) {
      got = static_cast<uint32_t>(std::min<uint64_t>(usable, sizeof kFeatures - file.position));
      std::memcpy(host, kFeatures + file.position, got);
      file.position += got;
    } else if (const int byte = read_console_byte(); byte >= 0) {
      // A terminal gives what there is, one byte at least.
      *host = static_cast<uint8_t>(byte);
      got = 1;
    }
    if (got) memory_.written(cpu, host, got);
    done += got;
    if (got < usable || file.kind == Kind::Input) break;
  }
  return bytes - done;
}

int Semihosting::File::seek(uint32_t to) {
  if (kind == Kind::Features && to <= sizeof kFeatures) {
    position = to;
    return 0;
  }
  if (kind != Kind::HostFile) return -ESPIPE;
  return lseek(fd, to, SEEK_SET) >= 0 ? 0 : -errno;
}

int64_t Semihosting::File::length() const {
  if (kind == Kind::Features) return sizeof kFeatures;
  if (kind != Kind::HostFile) return -EINVAL;
  const int64_t size = SemihostingFiles::size(fd);
  return size < static_cast<int64_t>(SemihostingFiles::kMaxFileBytes) ? size : -EFBIG;
}

uint32_t Semihosting::write_string(CpuState& cpu, uint32_t va) {
  while (!host_.stopping()) {
    uint32_t usable;
    const uint8_t* host = memory_.chunk(cpu, va, false, kPage, usable);
    if (!host) return fail(EFAULT);
    const auto* end = static_cast<const uint8_t*>(std::memchr(host, 0, usable));
    host_.write_console(host, end ? static_cast<size_t>(end - host) : usable);
    if (end) return 0;
    va += usable;
  }
  return fail(EINTR);
}

uint32_t Semihosting::command_line(CpuState& cpu, uint32_t parameter) {
  uint32_t values[2];
  const auto length = static_cast<uint32_t>(config_.command_line.size());
  if (!arguments(cpu, parameter, values, 2)) return fail(EFAULT);
  if (values[1] <= length) return fail(E2BIG);
  if (!memory_.write(cpu, values[0], config_.command_line.c_str(), length + 1)) return fail(EFAULT);
  return memory_.write(cpu, parameter + 4, &length, 4) ? 0 : fail(EFAULT);
}

uint32_t Semihosting::heap_info(CpuState& cpu, uint32_t parameter) {
  uint32_t block;
  if (!arguments(cpu, parameter, &block, 1)) return fail(EFAULT);
  // The heap grows up from behind the image, the stack down from the end of RAM.
  const auto start = static_cast<uint32_t>((image_end_ + kPage - 1) & ~uint64_t{kPage - 1});
  const auto end = static_cast<uint32_t>(std::min<uint64_t>(memory_.ram().base + memory_.ram().size, 0xfffff000));
  const uint32_t values[4] = {start, end, end, start};
  return memory_.write(cpu, block, values, sizeof values) ? 0 : fail(EFAULT);
}

uint32_t Semihosting::remove_or_rename(CpuState& cpu, uint32_t parameter, bool rename) {
  uint32_t values[4];
  std::string from, to;
  if (!arguments(cpu, parameter, values, rename ? 4 : 2) || !read_name(cpu, values[0], values[1], from))
    return fail(EFAULT);
  if (rename && !read_name(cpu, values[2], values[3], to)) return fail(EFAULT);
  if (!host_files_) return fail(EACCES);
  const int status = rename ? host_files_->rename(from, to) : host_files_->remove(from);
  return status == 0 ? 0 : fail(static_cast<uint32_t>(-status));
}

uint32_t Semihosting::dispatch(CpuState& cpu, uint32_t operation, uint32_t parameter) {
  uint32_t values[3];
  const auto take = [&](uint32_t count) { return arguments(cpu, parameter, values, count); };
  switch (operation) {
    case kOpen: return open_file(cpu, parameter);
    case kClose: return take(1) ? close_file(values[0]) : fail(EFAULT);
    case kWriteC: {
      uint8_t byte;
      if (!memory_.read(cpu, parameter, &byte, 1)) return fail(EFAULT);
      host_.write_console(&byte, 1);
      return 0;
    }
    case kWrite0: return write_string(cpu, parameter);
    case kWrite:
    case kRead: {
      if (!take(3)) return fail(EFAULT);
      File* open = file(values[0]);
      if (!open) return fail(EBADF, values[2]);
      return operation == kWrite ? write_file(cpu, *open, values[1], values[2])
                                 : read_file(cpu, *open, values[1], values[2]);
    }
    case kReadC: return static_cast<uint32_t>(read_console_byte());
    case kIsError: return take(1) ? values[0] >> 31 : fail(EFAULT);
    case kIsTty: {
      File* open = take(1) ? file(values[0]) : nullptr;
      if (!open) return fail(EBADF);
      return open->kind == Kind::Input || open->kind == Kind::Output || open->kind == Kind::Error;
    }
    case kSeek: {
      File* open = take(2) ? file(values[0]) : nullptr;
      const int status = open ? open->seek(values[1]) : -EBADF;
      return status == 0 ? 0 : fail(static_cast<uint32_t>(-status));
    }
    case kFlen: {
      const File* open = take(1) ? file(values[0]) : nullptr;
      const int64_t length = open ? open->length() : -EBADF;
      return length >= 0 ? static_cast<uint32_t>(length) : fail(static_cast<uint32_t>(-length));
    }
    case kTmpnam: return fail(ENOSYS);
    case kRemove: return remove_or_rename(cpu, parameter, false);
    case kRename: return remove_or_rename(cpu, parameter, true);
    case kClock: return static_cast<uint32_t>(counter_.read() / (kCounterFrequency / 100));
    case kTime: return static_cast<uint32_t>(time(nullptr));
    case kSystem: return fail(EACCES);
    case kErrno: return errno_;
    case kGetCmdline: return command_line(cpu, parameter);
    case kHeapInfo: return heap_info(cpu, parameter);
    case kExit: host_.semihosting_exit(parameter == kApplicationExit ? 0 : 1); return 0;
    case kExitExtended:
      if (!take(2)) return fail(EFAULT);
      host_.semihosting_exit(values[0] == kApplicationExit ? static_cast<int>(values[1]) : 1);
      return 0;
    case kElapsed: {
      const uint64_t ticks = counter_.read();
      return memory_.write(cpu, parameter, &ticks, sizeof ticks) ? 0 : fail(EFAULT);
    }
    case kTickFreq: return kCounterFrequency;
    default: return fail(ENOSYS);
  }
}

}  // namespace crosswalk::vmm
