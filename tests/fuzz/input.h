// SPDX-License-Identifier: GPL-2.0-or-later
// What fuzzers make of libFuzzer's bytes.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace crosswalk::fuzz {

// Takes values from the front; zeros when there is nothing left.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : at_(data), left_(size) {}

  bool empty() const { return left_ == 0; }
  size_t left() const { return left_; }
  const uint8_t* data() const { return at_; }
  template <class T>
  T get() {
    T value{};
    const size_t bytes = std::min(sizeof value, left_);
    if (bytes != 0) std::memcpy(&value, at_, bytes);
    at_ += bytes;
    left_ -= bytes;
    return value;
  }
  uint8_t u8() { return get<uint8_t>(); }
  uint16_t u16() { return get<uint16_t>(); }
  uint32_t u32() { return get<uint32_t>(); }
  // Less than `count`.
  unsigned choose(unsigned count) { return u8() % count; }
  // Copies at most `bytes`, and as many as there are.
  void copy(void* to, size_t bytes) {
    bytes = std::min(bytes, left_);
    if (bytes != 0) std::memcpy(to, at_, bytes);
    at_ += bytes;
    left_ -= bytes;
  }

 private:
  const uint8_t* at_;
  size_t left_;
};

// A file that exists in memory only; for functions that take a path.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size) : fd_(memfd_create("fuzz", MFD_CLOEXEC)) {
    if (fd_ < 0 || write(fd_, data, size) != static_cast<ssize_t>(size)) std::abort();
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { close(fd_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

}  // namespace crosswalk::fuzz
