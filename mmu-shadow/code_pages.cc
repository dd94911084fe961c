// SPDX-License-Identifier: GPL-2.0-or-later
// Pages that hold translated code are installed read-only, everywhere.
//
// Protecting a page takes write access away at once in the current address space only. The others cannot be used
// before they become current, so the page goes into a log, and they catch up then: translating thousands of pages
// costs each space one pass.
#include <algorithm>

#include "mmu-shadow/guest_mmu.h"

namespace crosswalk::mmu {

// Asks the listener. True: the page holds no translated code any more.
bool GuestMmu::code_written(uint64_t pa, uint64_t bytes) {
  statistics_.code_page_writes++;
  if (!listener_.code_written(pa, static_cast<uint32_t>(bytes))) return false;
  is_code_[ram_page_of(pa)] = 0;
  return true;
}

void GuestMmu::protect_code_page(uint64_t pa) {
  if (!ram_.contains(pa)) return;
  const uint32_t page = ram_page_of(pa);
  if (is_code_[page]) return;
  is_code_[page] = 1;
  statistics_.code_pages_protected++;
  if (!maybe_writable_[page]) return;
  maybe_writable_[page] = 0;
  protect_log_[protect_log_end_++ % kProtectLog] = page;
  changes_++;
  if (current_) catch_up(*current_);
}

// Entries stay read-only; the next store to one faults (or misses) and makes it writable.
void GuestMmu::unprotect_code_page(uint64_t pa) {
  if (ram_.contains(pa)) is_code_[ram_page_of(pa)] = 0;
}

void GuestMmu::note_external_write(uint64_t pa, uint64_t bytes) {
  while (bytes != 0) {
    const uint64_t here = std::min(bytes, kPageSize - (pa & (kPageSize - 1)));
    if (ram_.contains(pa) && is_code_[ram_page_of(pa)]) code_written(pa, here);
    pa += here;
    bytes -= here;
  }
}

// A page of the log that holds no code any more keeps its write access here, so it must be logged again when it is
// protected again: maybe_writable_ says so.
void GuestMmu::catch_up(AddressSpace& space) {
  if (!space.windowed) {
    space.soft->remove_write_access(ram_.host, [this](uint32_t page) {
      if (!is_code_[page]) maybe_writable_[page] = 1;
      return is_code_[page] != 0;
    });
    space.protect_position = protect_log_end_;
    return;
  }
  catch_up(*space.window, space.protect_position);
  if (space.shared) catch_up(space.shared->map, space.shared->protect_position);
}

void GuestMmu::catch_up(WindowMap& window, uint64_t& position) {
  if (protect_log_end_ - position <= 16) {
    for (uint64_t i = position; i != protect_log_end_; i++) {
      const uint32_t page = protect_log_[i % kProtectLog];
      if (is_code_[page])
        window.protect_page(page);
      else
        maybe_writable_[page] = 1;
    }
  } else {
    window.protect_all(is_code_.data(), maybe_writable_.data());
  }
  position = protect_log_end_;
}

}  // namespace crosswalk::mmu
