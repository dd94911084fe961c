// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/spaces/code_pages.h"

#include <algorithm>

namespace crosswalk::mmu {

CodePages::CodePages(const GuestRam& ram, CodeListener& listener, const RunningCpus& cpus)
    : ram_(ram),
      listener_(listener),
      cpus_(cpus),
      is_code_(ram.size >> kPageBits),
      maybe_writable_(ram.size >> kPageBits),
      log_(kLog) {}

uint32_t CodePages::run_length(uint32_t ram_page, uint32_t pages) const {
  const bool first = holds(ram_page);
  uint32_t length = 1;
  while (length < pages && holds(ram_page + length) == first) length++;
  return length;
}

uint32_t CodePages::count_runs(uint32_t ram_page, uint32_t pages, uint32_t limit) const {
  uint32_t runs = 0;
  for (uint32_t done = 0; done != pages && runs <= limit; runs++) done += run_length(ram_page + done, pages - done);
  return runs;
}

bool CodePages::may_write(uint32_t ram_page, uint32_t pages) {
  if (holds(ram_page)) return false;
  for (uint32_t i = 0; i < pages; i++) at(maybe_writable_, ram_page + i).store(1, std::memory_order_relaxed);
  if (!cpus_.several()) return true;
  std::atomic_thread_fence(std::memory_order_seq_cst);  // as in may_write(page)
  return !holds(ram_page) && run_length(ram_page, pages) == pages;
}

void CodePages::all_installed_writable() { std::fill(maybe_writable_.begin(), maybe_writable_.end(), 1); }

void CodePages::mark(uint32_t ram_page, bool code) {
  at(is_code_, ram_page).store(code);
  for (uint64_t* const words : filled_) {
    // The provider reads it meanwhile.
    const std::atomic_ref<uint64_t> word(words[ram_page / 64]);
    const uint64_t bit = uint64_t{1} << ram_page % 64;
    if (code)
      word.fetch_or(bit);
    else
      word.fetch_and(~bit);
  }
}

bool CodePages::written(uint64_t pa, uint64_t bytes) {
  // No CPU may store to the page before its translations are gone, nor may one be made between.
  const auto lock = listener_.lock_code();
  if (!listener_.code_written(pa, static_cast<uint32_t>(bytes))) return false;
  mark(page_of(pa), false);
  return true;
}

uint32_t CodePages::written_outside(uint64_t pa, uint64_t bytes) {
  uint32_t pages = 0;
  // Pairs with protect(), after which the page is read: either that sees what was written, or this
  // sees that the page holds code.
  if (cpus_.several()) std::atomic_thread_fence(std::memory_order_seq_cst);
  while (bytes != 0) {
    const uint64_t here = std::min(bytes, kPageSize - (pa & (kPageSize - 1)));
    if (ram_.contains(pa) && holds(page_of(pa))) {
      written(pa, here);
      pages++;
    }
    pa += here;
    bytes -= here;
  }
  return pages;
}

CodePages::Protected CodePages::protect(uint64_t pa) {
  if (!ram_.contains(pa)) return Protected::Before;
  const uint32_t page = page_of(pa);
  if (holds(page)) return Protected::Before;
  mark(page, true);
  if (filled_.empty() && !at(maybe_writable_, page).load()) return Protected::Unseen;
  at(maybe_writable_, page).store(0);
  const std::lock_guard lock(lock_);
  const uint64_t at_end = end_.load(std::memory_order_relaxed);
  log_[at_end % kLog] = page;
  end_.store(at_end + 1, std::memory_order_release);
  return Protected::Logged;
}

void CodePages::unprotect(uint64_t pa) {
  if (ram_.contains(pa)) mark(page_of(pa), false);
}

bool CodePages::copy_log(uint64_t from, uint64_t to, std::vector<uint32_t>& pages) const {
  const std::lock_guard lock(lock_);
  if (end_.load(std::memory_order_relaxed) - from > kLog) return false;
  for (uint64_t i = from; i != to; i++) pages.push_back(log_[i % kLog]);
  return true;
}

void CodePages::check_unseen_stores(uint64_t& position, uint64_t end) {
  const uint64_t from = position;
  if (from == end) return;
  position = end;
  const auto check = [this](uint32_t page) { listener_.check_code(ram_.base + (uint64_t{page} << kPageBits)); };
  std::vector<uint32_t> pages;
  if (copy_log(from, end, pages))
    std::ranges::for_each(pages, check);
  else
    for (uint32_t page = 0; page < is_code_.size(); page++)
      if (holds(page)) check(page);
}

void CodePages::catch_up(FillingWindow& window, uint64_t position, uint64_t end) {
  if (position == end || window.installed(false) == 0) return;
  std::vector<uint32_t> pages;
  if (copy_log(position, end, pages))
    std::erase_if(pages, [this](uint32_t page) { return !holds(page); });
  else
    pages = {0, static_cast<uint32_t>(is_code_.size() - 1)};
  if (!pages.empty()) window.protect(pages);
}

void CodePages::catch_up(WindowMap& window, uint64_t& position) {
  constexpr uint64_t kSingly = 16;
  const uint64_t end = this->end();
  std::vector<uint32_t> pages;
  if (FillingWindow* const filling = window.filling()) {
    catch_up(*filling, position, end);
  } else if (position != end) {
    if (end - position <= kSingly && copy_log(position, end, pages)) {
      for (const uint32_t page : pages)
        if (!may_write(page)) window.protect_page(page);
    } else {
      window.protect_all(*this);
    }
    // A page of the log may have been installed anew, without write access, after it was marked.
    // What had it is still effective then.
    if (cpus_.several()) window.window().commit();
  }
  position = end;
}

}  // namespace crosswalk::mmu
