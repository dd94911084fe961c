// SPDX-License-Identifier: GPL-2.0-or-later
// The memory that translated code lives in, mapped twice: executable and never writable, which is
// what addresses of code are in, and writable and never executable. Code is emitted and patched
// through the second, at the same distances.
//
// CPUs keep their instruction caches coherent by physical addresses. Only for what a CPU has already
// fetched does the SDM want a serializing instruction when the linear addresses differ (volume 3,
// 8.1.3); no store here changes code that is about to run: it is left before, and entered again by
// indirect jumps much later.
#pragma once

#include <cstddef>
#include <cstdint>

namespace crosswalk::engine {

class CodeMemory {
 public:
  // Throws std::system_error when the host does not map it.
  explicit CodeMemory(size_t bytes);
  ~CodeMemory();
  CodeMemory(const CodeMemory&) = delete;
  CodeMemory& operator=(const CodeMemory&) = delete;

  // The executable view: its first byte, its size in bytes, and whether `p` points into it.
  const uint8_t* base() const { return base_; }
  size_t capacity() const { return bytes_; }
  bool contains(const void* p) const { return p >= base_ && p < base_ + bytes_; }
  // The other view of code or of the space for it, and back.
  uint8_t* writable(const uint8_t* code) const { return const_cast<uint8_t*>(code) + to_writable_; }
  const uint8_t* executable(const uint8_t* written) const { return written - to_writable_; }

 private:
  void* reservation_ = nullptr;
  size_t reserved_ = 0;
  uint8_t* base_ = nullptr;
  ptrdiff_t to_writable_ = 0;
  size_t bytes_;
};

}  // namespace crosswalk::engine
