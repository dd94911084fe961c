// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of the module that need no kernel, compiled as the kernel compiles: functions of
// freestanding.c.
#pragma once

#include "kernel-module/fill.h"

#ifdef __cplusplus
extern "C" {
#endif

void c_walk(const struct cw_regime* r, uint32_t va, unsigned kind, int privileged, cw_reader read, void* context,
            struct cw_result* out);
unsigned c_walk_memo(const struct cw_regime* r, uint32_t va, unsigned kind, int privileged, cw_reader read,
                     void* context, struct cw_memo* memo);
int c_enterable(const struct cw_result* r);
struct cw_stretch c_stretch_around(const struct cw_regime* r, uint32_t va, int privileged, cw_reader read,
                                   void* context, const struct cw_result* found, uint32_t fill, uint32_t lowest,
                                   uint32_t highest);

// One window's record. Leaves come from a pool of the test's.
void c_entries_reset(void);
void c_entries_set(uint32_t va, uint32_t ram_page, int writable, int ng, unsigned log2_size);
uint32_t c_entries_at(uint32_t va);
uint32_t c_entries_count(void);
uint32_t c_entries_nonglobal(void);
// Each returns how many pages went; c_gone says whether a page is among those to be removed.
uint32_t c_remove_all(void);
uint32_t c_remove_nonglobal(void);
uint32_t c_remove_va(uint32_t va, int global_only);
uint32_t c_remove_range(uint32_t first_page, uint32_t last_page);
int c_gone(uint32_t page);
// The pages that are writable and reach RAM pages in [first, last] lose it; returns how many.
uint32_t c_count_writable(uint32_t first, uint32_t last);

#ifdef __cplusplus
}
#endif
