// SPDX-License-Identifier: GPL-2.0-or-later
// Which pages of RAM hold translated code. They are installed read-only, everywhere.
//
// Protecting a page takes write access away at once in the current address space of the CPU that
// has translated it. Its other address spaces cannot be used before they become current, so the
// page goes into a log, and they catch up then: translating thousands of pages costs each space one
// pass. Other CPUs catch up when they poll. Until then they may store to the page, and nobody sees
// it; so each has the page's translations compared with what is there, once its access is gone.
//
// A CPU that has changed code has to maintain the instruction cache before another one may rely on
// the new code (A3.8.3), which is such a poll.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "mmu-shadow/base/code_listener.h"
#include "mmu-shadow/base/running_cpus.h"
#include "mmu-shadow/windows/window_map.h"
#include "translator/base/guest_ram.h"
#include "translator/base/quick_lock.h"

namespace crosswalk::mmu {

// Of a machine: all its MMUs have the same.
class CodePages {
 public:
  CodePages(const GuestRam& ram, CodeListener& listener, const RunningCpus& cpus);
  // Its windows fill themselves: what it has in WindowFiller::code_pages() follows from now on. Not
  // while CPUs run.
  void add_filler(WindowFiller& filler) { filled_.push_back(filler.code_pages()); }

  CodeListener& listener() const { return listener_; }
  bool holds(uint32_t ram_page) const { return marks(ram_page).load(std::memory_order_relaxed) & kCode; }
  // How many pages from `ram_page` on, `pages` at most, all hold code or all hold none.
  uint32_t run_length(uint32_t ram_page, uint32_t pages) const;
  // How many such runs there are in [ram_page, ram_page + pages), counted up to `limit` + 1.
  uint32_t count_runs(uint32_t ram_page, uint32_t pages, uint32_t limit) const;

  // What the guest allows to be written may be installed so, and what is installed so may stay.
  // Precondition of write access: this was asked before it was given.
  bool may_write(uint32_t ram_page) {
    const uint8_t now = marks(ram_page).load(std::memory_order_relaxed);
    if (now == kMaybeWritable) return true;
    // Either protect() sees the mark, or this sees that the page holds code.
    return !(now & kCode) && !(marks(ram_page).fetch_or(kMaybeWritable) & kCode);
  }
  // The same of several pages, which are alike.
  bool may_write(uint32_t ram_page, uint32_t pages);
  void all_installed_writable();

  // [pa, pa+bytes) within one page that holds code is written: asks the listener. True: it holds
  // none any more.
  bool written(uint64_t pa, uint64_t bytes);
  // The same for any stretch of RAM, which has been written already, not by translated code.
  // Returns how many pages with code it was.
  uint32_t written_outside(uint64_t pa, uint64_t bytes);

  // What protect() did: nothing, since the page held code already; the page needs no log entry; it
  // has one.
  enum class Protected : uint8_t { Before, Unseen, Logged };
  Protected protect(uint64_t pa);
  // ---- flash: its pages are never written by translated code, and no entry for them is writable
  // An entry for flash is about to be made, or code of it may be translated, if it is readable
  // still. Who hides it, and asks flash_in_use() then, either is seen by that look or sees this.
  void flash_used() {
    flash_in_use_.store(true);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  // Since drop_flash() was called last.
  bool flash_in_use() const {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return flash_in_use_.load();
  }
  // Has the listener drop the code of all pages of flash. While no other CPU runs.
  void drop_flash();
  // How often that was: entries of windows that are older go, by each CPU itself.
  uint64_t flash_hides() const { return flash_hides_.load(std::memory_order_relaxed); }
  // ----

  // Entries stay read-only; the next store to one faults (or misses) and makes it writable.
  void unprotect(uint64_t pa);
  // The end of the log (Applied::protections).
  uint64_t end() const { return end_.load(std::memory_order_acquire); }
  // The CPU cannot store any more to the pages that the log has before `end`: has the listener
  // compare those from `position` on, and moves it there.
  void check_unseen_stores(uint64_t& position, uint64_t end);

  // Applies to the space, which is current, what it has missed of the log. A page of the log that
  // holds no code any more keeps its write access there, so it must be logged again when it is
  // protected again: kMaybeWritable says so.
  template <typename Space>
  void catch_up(Space& space) {
    const uint64_t end = this->end();
    if (space.windowed) {
      if (space.lodges)
        space.applied.protections = end;
      else
        catch_up(*space.window, space.applied.protections);
      if (space.shared) catch_up(*space.shared->map, space.shared->applied.protections);
      return;
    }
    if (may_have_write_access(*space.soft, space.applied.protections, end))
      space.soft->remove_write_access(ram_.host, [this](uint32_t page) { return !may_write(page); });
    space.applied.protections = end;
  }

 private:
  // Whether an entry may give write access to a page of the log from `position` on that must have
  // none.
  template <typename SoftTlb>
  bool may_have_write_access(const SoftTlb& tlb, uint64_t position, uint64_t end) {
    constexpr uint64_t kSingly = 16;
    uint32_t pages[kSingly];
    if (end - position > kSingly || !copy_log(position, end, pages)) return true;
    for (uint64_t i = 0; i < end - position; i++)
      if (tlb.may_give_write_access(ram_.host + (uint64_t{pages[i]} << kPageBits)) && !may_write(pages[i])) return true;
    return false;
  }
  void catch_up(WindowMap& window, uint64_t& position);
  void catch_up(FillingWindow& window, uint64_t position, uint64_t end);
  // The pages of [from, to); false: the log has forgotten some.
  bool copy_log(uint64_t from, uint64_t to, uint32_t* pages) const;
  bool copy_log(uint64_t from, uint64_t to, std::vector<uint32_t>& pages) const;
  // Returns the marks that the page had.
  uint8_t mark(uint32_t ram_page, bool code);
  void mark_flash(uint64_t pa, bool code);
  uint32_t page_of(uint64_t pa) const { return static_cast<uint32_t>((pa - ram_.base) >> kPageBits); }
  // May be installed writable without a log entry to come; not used where windows fill themselves.
  static constexpr uint8_t kCode = 1, kMaybeWritable = 2;
  std::atomic_ref<uint8_t> marks(uint32_t ram_page) const {
    return std::atomic_ref(const_cast<uint8_t&>(marks_[ram_page]));
  }

  const GuestRam ram_;
  CodeListener& listener_;
  const RunningCpus& cpus_;
  std::vector<uint8_t> marks_;     // by RAM page
  std::vector<uint64_t*> filled_;  // WindowFiller::code_pages()
  static constexpr uint32_t kLog = 4096;
  mutable QuickLock lock_;     // of the log
  std::vector<uint32_t> log_;  // RAM pages that lost write access, in order
  std::atomic<uint64_t> end_{0};
  // A bit for each page of flash: it has code. Under the listener's lock.
  std::vector<uint64_t> flash_code_;
  std::atomic<bool> flash_in_use_{false};
  std::atomic<uint64_t> flash_hides_{0};
};

}  // namespace crosswalk::mmu
