// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/code_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <system_error>

namespace crosswalk::engine {

namespace {

// Both views begin at a large page's boundary, so that page tables of a VM can map each as it is.
constexpr size_t kViewAlign = 2 << 20;

[[noreturn]] void throw_mapping_failed() {
  throw std::system_error(errno, std::generic_category(), "mapping the code cache");
}

}  // namespace

// Shared anonymous memory rather than a memfd: perf looks up names of its code (--perf-map), but
// not of a file's.
CodeMemory::CodeMemory(size_t bytes) : bytes_(bytes) {
  const size_t view = (bytes + kViewAlign - 1) / kViewAlign * kViewAlign;
  // One reservation; what is not used at its ends and between the views stays inaccessible.
  reserved_ = 2 * view + 2 * kViewAlign;
  reservation_ = mmap(nullptr, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reservation_ == MAP_FAILED) throw_mapping_failed();
  try {
    const auto start = reinterpret_cast<uintptr_t>(reservation_);
    void* const executed = reinterpret_cast<void*>((start + kViewAlign - 1) / kViewAlign * kViewAlign);
    base_ = static_cast<uint8_t*>(executed);
    to_writable_ = static_cast<ptrdiff_t>(view + kViewAlign);
    if (mmap(executed, view, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
        MAP_FAILED)
      throw_mapping_failed();
    // An old size of 0 maps the same pages once more (mremap(2)).
    if (mremap(executed, 0, view, MREMAP_MAYMOVE | MREMAP_FIXED, writable(base_)) == MAP_FAILED) throw_mapping_failed();
    if (mprotect(executed, view, PROT_READ | PROT_EXEC) != 0) throw_mapping_failed();
    // advice: most hosts have no large pages for shared memory
    madvise(executed, view, MADV_HUGEPAGE);
  } catch (...) {
    munmap(reservation_, reserved_);
    throw;
  }
}

CodeMemory::~CodeMemory() { munmap(reservation_, reserved_); }

}  // namespace crosswalk::engine
