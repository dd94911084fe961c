// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/kernel-module/freestanding.h"

#include "kernel-module/entries.h"

void c_walk(const struct cw_regime* r, uint32_t va, unsigned kind, int privileged, cw_reader read, void* context,
            struct cw_result* out) {
  cw_walk(r, va, kind, privileged, read, context, out);
}
unsigned c_walk_memo(const struct cw_regime* r, uint32_t va, unsigned kind, int privileged, cw_reader read,
                     void* context, struct cw_memo* memo) {
  return cw_walk_memo(r, va, kind, privileged, read, context, memo);
}
int c_enterable(const struct cw_result* r) { return cw_enterable(r); }
struct cw_stretch c_stretch_around(const struct cw_regime* r, uint32_t va, int privileged, cw_reader read,
                                   void* context, const struct cw_result* found, uint32_t fill, uint32_t lowest,
                                   uint32_t highest) {
  unsigned levels = 0;
  return cw_stretch_around(r, va, privileged, read, context, found, fill, lowest, highest, &levels);
}

static struct cw_entries entries;
static struct cw_leaf leaves[CW_LEAVES];
static struct cw_ranges gone;

void c_entries_reset(void) {
  static const struct cw_entries none;
  entries = none;
  gone.count = gone.open = 0;
}
void c_entries_set(uint32_t va, uint32_t ram_page, int writable, int ng, unsigned log2_size) {
  static const struct cw_leaf empty;
  const uint32_t l = va >> CW_LEAF_BITS;
  if (!entries.leaves[l]) {
    leaves[l] = empty;
    cw_add_leaf(&entries, va, &leaves[l]);
  }
  cw_set_entry(&entries, va, cw_entry(ram_page, writable, ng, cw_size_class(log2_size)));
}
uint32_t c_entries_at(uint32_t va) { return cw_entry_at(&entries, va); }
uint32_t c_entries_count(void) { return entries.count; }
uint32_t c_entries_nonglobal(void) { return entries.ng_count; }

static uint32_t remove_covered(const struct cw_cover* c, uint32_t from, uint32_t end) {
  uint32_t l, removed = 0;
  gone.count = gone.open = 0;
  cw_for_each_leaf(&entries, l, from, end) removed += cw_drop_covered(&entries, l, c, &gone);
  return removed;
}
uint32_t c_remove_all(void) {
  const uint32_t removed = entries.count;
  uint32_t l;
  gone.count = gone.open = 0;
  cw_for_each_leaf(&entries, l, 0, CW_LEAVES) {
    cw_take_leaf(&entries, l);
    cw_add_range(&gone, l * CW_LEAF_PAGES, l * CW_LEAF_PAGES + CW_LEAF_PAGES - 1);
  }
  cw_forget_large(&entries);
  return removed;
}
uint32_t c_remove_nonglobal(void) {
  const struct cw_cover c = {.last = CW_LEAVES * CW_LEAF_PAGES - 1, .nonglobal_only = 1};
  return remove_covered(&c, 0, CW_LEAVES);
}
uint32_t c_remove_va(uint32_t va, int global_only) {
  const struct cw_cover c = {.va = va, .by_va = 1, .global_only = global_only != 0};
  uint32_t count;
  const uint32_t from = cw_leaves_for(&entries, va, &count);
  return remove_covered(&c, from, from + count);
}
uint32_t c_remove_range(uint32_t first_page, uint32_t last_page) {
  const struct cw_cover c = {.first = first_page, .last = last_page};
  return remove_covered(&c, first_page / CW_LEAF_PAGES, last_page / CW_LEAF_PAGES + 1);
}
int c_gone(uint32_t page) {
  uint32_t i;
  for (i = 0; i < gone.count; i++)
    if (page >= gone.range[i].first && page <= gone.range[i].last) return 1;
  return 0;
}
uint32_t c_count_writable(uint32_t first, uint32_t last) {
  uint32_t l, i, n = 0;
  cw_for_each_leaf(&entries, l, 0, CW_LEAVES) {
    const struct cw_leaf* leaf = entries.leaves[l];
    if (!leaf->count || leaf->ram_first > last || leaf->ram_last < first) continue;
    for (i = 0; (i = cw_next_writable(leaf, i, first, last)) < CW_LEAF_PAGES; i++) n++;
  }
  return n;
}
