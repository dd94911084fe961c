// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/spaces/page_ids.h"

namespace crosswalk::mmu {

PageIds::PageIds(uint32_t max_records) : max_records_(max_records) { drop(); }

void PageIds::drop() {
  records_.clear();
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
  return slots_[s];
}

uint32_t PageIds::intern(const Record& record) {
  const uint32_t s = slot_of(record);
  if (slots_[s] != 0) return slots_[s];
  records_.push_back(record);
  translation_ns_.push_back(0);
  slots_[s] = static_cast<uint32_t>(records_.size());
  const uint32_t id = slots_[s];
  if (records_.size() * 2 > slots_.size()) grow(static_cast<uint32_t>(slots_.size()) * 2);
  return id;
}

}  // namespace crosswalk::mmu
