// SPDX-License-Identifier: GPL-2.0-or-later
// Which pages of RAM hold translated code. They are installed read-only, everywhere.
//
// Protecting a page takes write access away at once in the current address space only. The others
// cannot be used before they become current, so the page goes into a log, and they catch up then:
// translating thousands of pages costs each space one pass.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "mmu-shadow/base/code_listener.h"
#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/windows/window_map.h"
#include "translator/base/guest_ram.h"

namespace crosswalk::mmu {

class CodePages {
 public:
  // `filler` is null where the MMU makes the entries.
  CodePages(const GuestRam& ram, CodeListener& listener, WindowFiller* filler, Statistics& statistics);

  CodeListener& listener() const { return listener_; }
  bool holds(uint32_t ram_page) const { return is_code_[ram_page]; }
  // How many pages from `ram_page` on, `pages` at most, all hold code or all hold none.
  uint32_t run_length(uint32_t ram_page, uint32_t pages) const;
  // How many such runs there are in [ram_page, ram_page + pages), counted up to `limit` + 1.
  uint32_t count_runs(uint32_t ram_page, uint32_t pages, uint32_t limit) const;

  // These pages are installed with write access somewhere.
  void installed_writable(uint32_t ram_page) { maybe_writable_[ram_page] = 1; }
  void installed_writable(uint32_t ram_page, uint32_t pages);
  void all_installed_writable();
  // What the guest allows to be written may be installed so. Precondition of write access: it is
  // noted.
  bool may_write(uint32_t ram_page) {
    if (is_code_[ram_page]) return false;
    maybe_writable_[ram_page] = 1;
    return true;
  }

  // [pa, pa+bytes) within one page that holds code is written: asks the listener. True: it holds
  // none any more.
  bool written(uint64_t pa, uint64_t bytes);
  // The same for any stretch of RAM, which someone else than the guest's CPU has written.
  void written_outside(uint64_t pa, uint64_t bytes);

  // Returns whether the page went into the log, so that address spaces have to catch up.
  bool protect(uint64_t pa);
  // Entries stay read-only; the next store to one faults (or misses) and makes it writable.
  void unprotect(uint64_t pa);
  // The end of the log (Applied::protections).
  uint64_t end() const { return end_; }
  // Applies to the space, which is current, what it has missed of the log. A page of the log that
  // holds no code any more keeps its write access there, so it must be logged again when it is
  // protected again: maybe_writable_ says so.
  template <typename Space>
  void catch_up(Space& space) {
    if (space.windowed) {
      if (space.lodges)
        space.applied.protections = end_;
      else
        catch_up(*space.window, space.applied.protections);
      if (space.shared) catch_up(*space.shared->map, space.shared->applied.protections);
      return;
    }
    space.soft->remove_write_access(ram_.host, [this](uint32_t page) {
      if (!is_code_[page]) maybe_writable_[page] = 1;
      return is_code_[page] != 0;
    });
    space.applied.protections = end_;
  }

 private:
  void catch_up(WindowMap& window, uint64_t& position);
  void catch_up(FillingWindow& window, uint64_t position);
  void mark(uint32_t ram_page, bool code) {
    is_code_[ram_page] = code;
    if (!filled_) return;
    // The provider reads it meanwhile.
    const std::atomic_ref<uint64_t> word(filled_[ram_page / 64]);
    const uint64_t bit = uint64_t{1} << ram_page % 64;
    if (code)
      word.fetch_or(bit);
    else
      word.fetch_and(~bit);
  }
  uint32_t page_of(uint64_t pa) const { return static_cast<uint32_t>((pa - ram_.base) >> kPageBits); }

  const GuestRam ram_;
  CodeListener& listener_;
  Statistics& statistics_;
  // One byte for each RAM page.
  std::vector<uint8_t> is_code_;
  // may be installed writable without a log entry to come; not used where windows fill themselves
  std::vector<uint8_t> maybe_writable_;
  uint64_t* const filled_;  // WindowFiller::code_pages(), or null
  static constexpr uint32_t kLog = 4096;
  std::vector<uint32_t> log_;  // RAM pages that lost write access, in order
  uint64_t end_ = 0;
};

}  // namespace crosswalk::mmu
