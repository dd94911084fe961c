// SPDX-License-Identifier: GPL-2.0-or-later
// Mode::Hybrid. Every address space begins on a software TLB. The cost model, in nanoseconds of an address space's
// recent history:
//
//   a window would have saved   time * lookup_share + refills * soft_refill
//   and would have cost         faults * window_fault + flushes * window_flush
//
// where `faults` counts what would have faulted: first accesses to pieces of VA that are installed at once, and the
// guest's own aborts; and all that is in use would have to be entered first. A space whose saving exceeds the cost gets
// a window. In a window, what faults and flushes cost is measured, and the saving is how much longer the rest of the
// time would have been on a software TLB; when the cost exceeds it, the space goes back, and has to show twice as much
// next time. So a process that lives shortly never pays for a fault, and one that runs long pays at most about as much
// as it would have saved.
#include "mmu-shadow/guest_mmu.h"

namespace crosswalk::mmu {
namespace {

constexpr double kRegret = 1.2;  // a window must cost so many times what it saves before the space goes back
constexpr double kMaxReluctance = 256;

}  // namespace

// The space that was current ran until now.
void GuestMmu::account(uint64_t now) {
  const double ns = static_cast<double>(now - entered_at_) / config_.costs.ticks_per_ns;
  const bool first = entered_at_ == 0;
  entered_at_ = now;
  if (!current_ || !current_->hybrid || first) return;
  current_->hybrid->ns += ns;
  (current_->windowed ? statistics_.window_ns : statistics_.soft_ns) += ns;
}

// A fault of the current window, in this handler since `since`; the rest of what it costs is outside.
void GuestMmu::note_fault(uint64_t since) {
  if (!current_->hybrid) return;
  const MmuCosts& c = config_.costs;
  current_->hybrid->faults++;
  current_->hybrid->spent_ns +=
      static_cast<double>(clock() - since) / c.ticks_per_ns + c.window_fault - c.window_install;
}

// Since `since`, entries of the current space were flushed or lost write access.
void GuestMmu::note_upkeep(uint64_t since) {
  if (current_->hybrid && current_->windowed)
    current_->hybrid->spent_ns += static_cast<double>(clock() - since) / config_.costs.ticks_per_ns;
}

void GuestMmu::note_refill(AddressSpace& space, uint32_t va, const cw_result& result) {
  HybridHistory& h = *space.hybrid;
  h.refills++;
  if (result.fault != CW_FAULT_NONE || result.memory_type != CW_NORMAL) {
    h.faults++;
    return;
  }
  // A section enters 2 MiB at once.
  const uint32_t piece = result.log2_size >= 20 ? va >> 21 << 5 : va >> 16;
  if (h.seen.test(piece)) return;
  h.seen.set(piece);
  h.faults++;
}

// Whether the space, which is current, should have the other form. Only between blocks of translated code.
void GuestMmu::judge(AddressSpace& space, const CpuState& cpu) {
  HybridHistory& h = *space.hybrid;
  const MmuCosts& c = config_.costs;
  if (space.windowed) {
    const double saved = (h.ns - h.spent_ns) * c.lookup_share / (1 - c.lookup_share);
    if (h.spent_ns > saved * kRegret) return demote(space);
  } else {
    const double saved = h.ns * c.lookup_share + h.refills * c.soft_refill;
    // What it uses now has to be entered at once.
    const double entered = static_cast<double>(h.seen.count()) * c.window_fault;
    const double cost = entered + h.faults * c.window_fault + h.flushes * c.window_flush;
    if (saved > cost * h.reluctance && promote(space, current_regime(cpu))) return;
  }
  if (h.ns > c.half_life) {
    if (space.windowed) {
      statistics_.predicted_faults += h.fault_rate * h.ns / 2;
      statistics_.promoted_faults += h.faults / 2;
    }
    h.fade(0.5);
  }
  h.judge_at = h.ns + c.judge_after;
}

bool GuestMmu::promote(AddressSpace& space, const cw_regime& regime) {
  if (!space.window) {
    const uint64_t base = backend_->create_window();
    if (base == 0) return false;
    space.window = std::make_unique<WindowMap>(base, leaves_);
  }
  HybridHistory& h = *space.hybrid;
  h.fault_rate = h.faults / h.ns;
  h.restart(config_.costs.judge_after);
  h.seen.reset();
  space.windowed = true;
  space.instruction_pages.remove_all();
  statistics_.promotions++;
  // What it uses now need not fault, where entering it without is much cheaper.
  if (config_.prefill && config_.costs.window_install * 2 < config_.costs.window_fault)
    space.soft->for_each([&](uint32_t va, const SoftTlbEntry&) {
      if (space.window->entry(va).valid()) return;
      cw_result result;
      walk(regime, va, AccessKind::Load, space.key.privileged, result);
      if (result.fault == CW_FAULT_NONE && ram_.contains(result.pa)) install(space, regime, va, result);
    });
  space.soft->remove_all();
  return true;
}

void GuestMmu::demote(AddressSpace& space) {
  HybridHistory& h = *space.hybrid;
  statistics_.predicted_faults += h.fault_rate * h.ns;
  statistics_.promoted_faults += h.faults;
  statistics_.demotions++;
  h.restart(config_.costs.judge_after);
  if (h.reluctance < kMaxReluctance) h.reluctance *= 2;
  space.windowed = false;
  space.instruction_pages.remove_all();
  if (space.window->remove_all(*backend_) != 0) backend_->commit();
}

}  // namespace crosswalk::mmu
