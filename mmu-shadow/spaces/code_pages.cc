// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/spaces/code_pages.h"

#include <algorithm>
#include <bit>

namespace crosswalk::mmu {

CodePages::CodePages(const GuestRam& ram, CodeListener& listener, const RunningCpus& cpus)
    : ram_(ram),
      listener_(listener),
      cpus_(cpus),
      marks_(ram.size >> kPageBits),
      log_(kLog),
      flash_code_(ram.flash ? FlashBanks::kBanks * FlashBanks::kBankBytes >> kPageBits >> 6 : 0) {}

uint32_t CodePages::run_length(uint32_t ram_page, uint32_t pages) const {
  const uint8_t* const marks = &marks_[ram_page];
  const auto code = [marks](uint32_t i) { return __atomic_load_n(marks + i, __ATOMIC_RELAXED) & kCode; };
  const int first = code(0);
  uint32_t length = 1;
  while (length < pages && code(length) == first) length++;
  return length;
}

uint32_t CodePages::count_runs(uint32_t ram_page, uint32_t pages, uint32_t limit) const {
  uint32_t runs = 0;
  for (uint32_t done = 0; done != pages && runs <= limit; runs++) done += run_length(ram_page + done, pages - done);
  return runs;
}

bool CodePages::may_write(uint32_t ram_page, uint32_t pages) {
  uint32_t allowed = 0;
  while (allowed < pages && may_write(ram_page + allowed)) allowed++;
  return allowed == pages;
}

void CodePages::all_installed_writable() {
  for (uint8_t& marks : marks_) marks |= kMaybeWritable;
}

uint8_t CodePages::mark(uint32_t ram_page, bool code) {
  const auto its = marks(ram_page);
  const uint8_t before = code ? its.fetch_or(kCode) : its.fetch_and(static_cast<uint8_t>(~kCode));
  for (uint64_t* const words : filled_) {
    // The provider reads it meanwhile.
    const std::atomic_ref<uint64_t> word(words[ram_page / 64]);
    const uint64_t bit = uint64_t{1} << ram_page % 64;
    if (code)
      word.fetch_or(bit);
    else
      word.fetch_and(~bit);
  }
  return before;
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
  if (!ram_.contains(pa)) {
    mark_flash(pa, true);
    return Protected::Before;
  }
  const uint32_t page = page_of(pa);
  if (holds(page)) return Protected::Before;
  if (!(mark(page, true) & kMaybeWritable) && filled_.empty()) return Protected::Unseen;
  marks(page).fetch_and(static_cast<uint8_t>(~kMaybeWritable));
  const std::lock_guard lock(lock_);
  const uint64_t at_end = end_.load(std::memory_order_relaxed);
  log_[at_end % kLog] = page;
  end_.store(at_end + 1, std::memory_order_release);
  return Protected::Logged;
}

void CodePages::mark_flash(uint64_t pa, bool code) {
  const uint64_t page = pa >> kPageBits;
  if (page / 64 >= flash_code_.size()) return;
  const uint64_t bit = uint64_t{1} << page % 64;
  if (code)
    flash_code_[page / 64] |= bit;
  else
    flash_code_[page / 64] &= ~bit;
}

void CodePages::drop_flash() {
  const auto lock = listener_.lock_code();
  for (size_t i = 0; i < flash_code_.size(); i++)
    for (; flash_code_[i] != 0; flash_code_[i] &= flash_code_[i] - 1)
      listener_.code_written((i * 64 + static_cast<size_t>(std::countr_zero(flash_code_[i]))) << kPageBits,
                             static_cast<uint32_t>(kPageSize));
  flash_in_use_.store(false, std::memory_order_relaxed);
  flash_hides_.fetch_add(1, std::memory_order_relaxed);
}

void CodePages::unprotect(uint64_t pa) {
  if (ram_.contains(pa))
    mark(page_of(pa), false);
  else
    mark_flash(pa, false);
}

bool CodePages::copy_log(uint64_t from, uint64_t to, uint32_t* pages) const {
  const std::lock_guard lock(lock_);
  if (end_.load(std::memory_order_relaxed) - from > kLog) return false;
  for (uint64_t i = from; i != to; i++) *pages++ = log_[i % kLog];
  return true;
}

bool CodePages::copy_log(uint64_t from, uint64_t to, std::vector<uint32_t>& pages) const {
  if (to - from > kLog) return false;
  pages.resize(to - from);
  return copy_log(from, to, pages.data());
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
    for (uint32_t page = 0; page < marks_.size(); page++)
      if (holds(page)) check(page);
}

void CodePages::catch_up(FillingWindow& window, uint64_t position, uint64_t end) {
  if (position == end || window.installed(false) == 0) return;
  std::vector<uint32_t> pages;
  if (copy_log(position, end, pages))
    std::erase_if(pages, [this](uint32_t page) { return !holds(page); });
  else
    pages = {0, static_cast<uint32_t>(marks_.size() - 1)};
  if (!pages.empty()) window.protect(pages);
}

void CodePages::catch_up(WindowMap& window, uint64_t& position) {
  constexpr uint64_t kSingly = 16;
  const uint64_t end = this->end();
  uint32_t pages[kSingly];
  if (FillingWindow* const filling = window.filling()) {
    catch_up(*filling, position, end);
  } else if (position != end) {
    if (end - position <= kSingly && copy_log(position, end, pages)) {
      for (uint64_t i = 0; i < end - position; i++)
        if (!may_write(pages[i])) window.protect_page(pages[i]);
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
