// SPDX-License-Identifier: GPL-2.0-or-later
// One CPU as translated code sees it: what the guest has, what the MMU says of the current address
// space, and the frame that translated code runs in. Everything that one CPU owns is here or behind
// a pointer from here; there are no globals.
//
// Translated code addresses it through one host register, r15, which points to GuestCpu. The layout
// is therefore an interface; what is hot lies within 128 bytes of r15 on either side, where a
// displacement takes one byte.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "translator/arm32/cpu/guest_cpu.h"
#include "translator/arm32/cpu/translation_frame.h"
#include "translator/base/mmu_view.h"

namespace crosswalk {

struct CpuState : NearFrame, MmuView, GuestCpu, FarFrame {};

// Where r15 of translated code points, in bytes from the start of CpuState.
inline constexpr int kStateBias = 128;

// GCC and Clang define offsetof for members of bases that are not virtual.
static_assert(offsetof(CpuState, r) == kStateBias && offsetof(CpuState, mem_base) == sizeof(NearFrame));
static_assert(offsetof(CpuState, spill) == 0 && offsetof(CpuState, memory_window) < kStateBias);
static_assert(offsetof(CpuState, monitor_value) + sizeof(uint64_t) <= size_t{2} * kStateBias);

// After memory_window has changed. Each form of address space has a jump cache of its own.
inline void choose_jump_cache(CpuState& s) { s.jump_cache = s.jump_caches[s.memory_window]; }

// Marks an interrupt line and makes the CPU look. Callable from any thread; a sleeping CPU is woken
// by whoever owns its wait (the machine).
inline void raise_line(CpuState& s, uint32_t line) {
  std::atomic_ref<uint32_t>(s.interrupt_lines).fetch_or(line, std::memory_order_seq_cst);
  std::atomic_ref<uint32_t>(s.pending).store(1, std::memory_order_seq_cst);
}
inline void lower_line(CpuState& s, uint32_t line) {
  std::atomic_ref<uint32_t>(s.interrupt_lines).fetch_and(~line, std::memory_order_seq_cst);
}

}  // namespace crosswalk
