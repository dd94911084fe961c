// SPDX-License-Identifier: GPL-2.0-or-later
// The memory that translated code lives in, mapped twice: executable and never writable, which is
// what addresses of code are in, and writable and never executable. Code is emitted and patched
// through the second, at the same distances.
//
// CPUs keep their instruction caches coherent by physical addresses. Only for what a CPU has
// already fetched does the SDM want a serializing instruction when the linear addresses differ
// (volume 3, 8.1.3); no store here changes code that is about to run: it is left before, and
// entered again by indirect jumps much later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "translator/base/result.h"

namespace crosswalk::engine {

class CodeMemory {
 public:
  // Room for `bytes` bytes of code.
  static Result<CodeMemory> create(size_t bytes);
  CodeMemory(CodeMemory&& other) noexcept
      : reservation_(std::exchange(other.reservation_, nullptr)),
        reserved_(other.reserved_),
        base_(other.base_),
        to_writable_(other.to_writable_),
        bytes_(other.bytes_) {}
  CodeMemory& operator=(CodeMemory&&) = delete;
  ~CodeMemory();

  // The executable view: its first byte, its size in bytes, and whether `p` points into it.
  const uint8_t* base() const { return base_; }
  size_t capacity() const { return bytes_; }
  bool contains(const void* p) const { return p >= base_ && p < base_ + bytes_; }
  // The other view of code or of the space for it, and back.
  uint8_t* writable(const uint8_t* code) const { return const_cast<uint8_t*>(code) + to_writable_; }
  const uint8_t* executable(const uint8_t* written) const { return written - to_writable_; }

 private:
  explicit CodeMemory(size_t bytes) : bytes_(bytes) {}
  // False, with errno, when the host does not.
  bool map();

  void* reservation_ = nullptr;
  size_t reserved_ = 0;
  uint8_t* base_ = nullptr;
  ptrdiff_t to_writable_ = 0;
  size_t bytes_;
};

}  // namespace crosswalk::engine
