// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/code_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace crosswalk::engine {

namespace {

// Both views begin at a large page's boundary, so that page tables of a VM can map each as it is.
constexpr size_t kViewAlign = 2 << 20;

}  // namespace

Result<CodeMemory> CodeMemory::create(size_t bytes) {
  CodeMemory memory(bytes);
  if (!memory.map()) return Error{std::string("cannot map the code cache: ") + std::strerror(errno)};
  return memory;
}

// Shared anonymous memory rather than a memfd: perf looks up names of its code (--perf-map), but
// not of a file's.
bool CodeMemory::map() {
  const size_t view = (bytes_ + kViewAlign - 1) / kViewAlign * kViewAlign;
  // One reservation; what is not used at its ends and between the views stays inaccessible.
  reserved_ = 2 * view + 2 * kViewAlign;
  void* const reservation = mmap(nullptr, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reservation == MAP_FAILED) return false;
  reservation_ = reservation;
  const auto start = reinterpret_cast<uintptr_t>(reservation);
  void* const executed = reinterpret_cast<void*>((start + kViewAlign - 1) / kViewAlign * kViewAlign);
  base_ = static_cast<uint8_t*>(executed);
  to_writable_ = static_cast<ptrdiff_t>(view + kViewAlign);
  if (mmap(executed, view, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
      MAP_FAILED)
    return false;
  // An old size of 0 maps the same pages once more (mremap(2)).
  if (mremap(executed, 0, view, MREMAP_MAYMOVE | MREMAP_FIXED, writable(base_)) == MAP_FAILED) return false;
  if (mprotect(executed, view, PROT_READ | PROT_EXEC) != 0) return false;
  // advice: most hosts have no large pages for shared memory
  madvise(executed, view, MADV_HUGEPAGE);
  return true;
}

CodeMemory::~CodeMemory() {
  if (reservation_) munmap(reservation_, reserved_);
}

}  // namespace crosswalk::engine
