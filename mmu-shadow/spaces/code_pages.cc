// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/spaces/code_pages.h"

#include <algorithm>

namespace crosswalk::mmu {

CodePages::CodePages(const GuestRam& ram, CodeListener& listener, WindowFiller* filler, Statistics& statistics)
    : ram_(ram),
      listener_(listener),
      statistics_(statistics),
      is_code_(ram.size >> kPageBits),
      maybe_writable_(ram.size >> kPageBits),
      filled_(filler ? filler->code_pages() : nullptr),
      log_(kLog) {}

uint32_t CodePages::run_length(uint32_t ram_page, uint32_t pages) const {
  const uint8_t* const flags = is_code_.data() + ram_page;
  return static_cast<uint32_t>(std::find(flags, flags + pages, static_cast<uint8_t>(*flags ^ 1)) - flags);
}

uint32_t CodePages::count_runs(uint32_t ram_page, uint32_t pages, uint32_t limit) const {
  uint32_t runs = 0;
  for (uint32_t done = 0; done != pages && runs <= limit; runs++) done += run_length(ram_page + done, pages - done);
  return runs;
}

void CodePages::installed_writable(uint32_t ram_page, uint32_t pages) {
  std::fill_n(maybe_writable_.begin() + ram_page, pages, 1);
}

void CodePages::all_installed_writable() { std::fill(maybe_writable_.begin(), maybe_writable_.end(), 1); }

bool CodePages::written(uint64_t pa, uint64_t bytes) {
  statistics_.code_page_writes++;
  if (!listener_.code_written(pa, static_cast<uint32_t>(bytes))) return false;
  mark(page_of(pa), false);
  return true;
}

void CodePages::written_outside(uint64_t pa, uint64_t bytes) {
  while (bytes != 0) {
    const uint64_t here = std::min(bytes, kPageSize - (pa & (kPageSize - 1)));
    if (ram_.contains(pa) && is_code_[page_of(pa)]) written(pa, here);
    pa += here;
    bytes -= here;
  }
}

bool CodePages::protect(uint64_t pa) {
  if (!ram_.contains(pa)) return false;
  const uint32_t page = page_of(pa);
  if (is_code_[page]) return false;
  mark(page, true);
  statistics_.code_pages_protected++;
  if (!filled_ && !maybe_writable_[page]) return false;
  maybe_writable_[page] = 0;
  log_[end_++ % kLog] = page;
  return true;
}

void CodePages::unprotect(uint64_t pa) {
  if (ram_.contains(pa)) mark(page_of(pa), false);
}

void CodePages::catch_up(FillingWindow& window, uint64_t position) {
  if (position == end_ || window.installed(false) == 0) return;
  std::vector<uint32_t> pages;
  if (end_ - position > kLog) {
    pages = {0, static_cast<uint32_t>(is_code_.size() - 1)};
  } else {
    for (uint64_t i = position; i != end_; i++)
      if (is_code_[log_[i % kLog]]) pages.push_back(log_[i % kLog]);
  }
  if (!pages.empty()) window.protect(pages);
}

void CodePages::catch_up(WindowMap& window, uint64_t& position) {
  if (FillingWindow* const filling = window.filling()) {
    catch_up(*filling, position);
  } else if (end_ - position <= 16) {
    for (uint64_t i = position; i != end_; i++) {
      const uint32_t page = log_[i % kLog];
      if (is_code_[page])
        window.protect_page(page);
      else
        maybe_writable_[page] = 1;
    }
  } else {
    window.protect_all(is_code_.data(), maybe_writable_.data());
  }
  position = end_;
}

}  // namespace crosswalk::mmu
