// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/page_ids.h"

#include <cstdio>
#include <cstdlib>

namespace crosswalk::mmu {

PageIds::PageIds() { drop(); }

void PageIds::drop() {
  // 2^32 numbers last for thousands of fillings; a wrap would let an old link match a new page.
  if (records_.size() + kMaxRecords > 0xffffffffu - first_) {
    std::fputs("crosswalk: out of instruction-page numbers\n", stderr);
    std::abort();
  }
  first_ += static_cast<uint32_t>(records_.size());
  records_.clear();
  records_.reserve(4096);
  translation_ns_.clear();
  slots_.assign(8192, 0);
}

uint32_t PageIds::hash(const Record& r) {
  uint64_t h = (uint64_t{r.va_page} << 32 | r.ram_page) * 0x9e3779b97f4a7c15u;
  h = (h ^ h >> 32 ^ r.flags) * 0xc2b2ae3d27d4eb4fu;
  return static_cast<uint32_t>(h >> 32);
}

void PageIds::grow(uint32_t slots) {
  slots_.assign(slots, 0);
  for (uint32_t i = 0; i < records_.size(); i++) {
    uint32_t s = hash(records_[i]) & (slots - 1);
    while (slots_[s] != 0) s = (s + 1) & (slots - 1);
    slots_[s] = i + 1;
  }
}

uint32_t PageIds::slot_of(const Record& record) const {
  const uint32_t mask = static_cast<uint32_t>(slots_.size()) - 1;
  uint32_t s = hash(record) & mask;
  while (slots_[s] != 0 && !(records_[slots_[s] - 1] == record)) s = (s + 1) & mask;
  return s;
}

uint32_t PageIds::find(const Record& record) const {
  const uint32_t s = slot_of(record);
  return slots_[s] == 0 ? 0 : first_ + slots_[s] - 1;
}

uint32_t PageIds::intern(const Record& record) {
  const uint32_t s = slot_of(record);
  if (slots_[s] != 0) return first_ + slots_[s] - 1;
  records_.push_back(record);
  translation_ns_.push_back(0);
  slots_[s] = static_cast<uint32_t>(records_.size());
  const uint32_t id = first_ + slots_[s] - 1;
  if (records_.size() * 2 > slots_.size()) grow(static_cast<uint32_t>(slots_.size()) * 2);
  return id;
}

}  // namespace crosswalk::mmu
