// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/window_faults.h"

#include "translator/arm32/cpu/exit_reason.h"
#include "translator/arm32/cpu/host_debug.h"
#include "translator/base/trace.h"

namespace crosswalk::engine {
namespace {

bool retries(mmu::FaultOutcome outcome) {
  return outcome == mmu::FaultOutcome::Installed || outcome == mmu::FaultOutcome::CodeWrite;
}

}  // namespace

bool WindowFaults::handle(FaultFrame& frame) {
  const auto* host = reinterpret_cast<const uint8_t*>(frame.rip) - frame.completed;
  if (!translations_.contains(host)) return false;
  Block* const block = translations_.find_by_host(host);
  if (!block) return false;
  const x64::FaultSite* const site = frame.completed ? block->site_before(host) : block->site_at(host, false);
  if (!site) return false;
  frame.rip = reinterpret_cast<uint64_t>(block->code + site->offset);
  statistics_.window_faults++;
  const uint64_t start = trace::begin(cpu_.trace);
  const uint64_t window = frame.gpr[x64::kMemBase];
  const uint64_t access = window + frame.gpr[site->address_reg] + static_cast<int64_t>(site->displacement);
  const uint64_t address = frame.address_valid ? frame.address : access;
  // The metadata names the access's first byte; the host may name a later byte of it, in the next
  // page.
  if (address - access >= site->bytes) return false;
  const int64_t offset = static_cast<int64_t>(address - window);
  const bool write = site->flags & x64::kSiteWrite;
  mmu::Translation t;
  mmu::FaultOutcome outcome =
      mmu_.window_fault(cpu_, offset, site->bytes - static_cast<uint32_t>(address - access), write, t);
  if (!frame.address_valid && retries(outcome)) {
    // Which page of a crossing access it was is unknown: enter the second one too.
    const uint64_t last = access + site->bytes - 1, second = last & ~uint64_t{0xfff};
    if (second > access)
      outcome = mmu_.window_fault(cpu_, static_cast<int64_t>(second - window), static_cast<uint32_t>(last - second + 1),
                                  write, t);
  }
  trace::end(cpu_.trace, trace::Kind::WindowFault, start, static_cast<uint64_t>(offset), block->guest[site->guest].pc,
             static_cast<uint32_t>(outcome), write);
  if (!retries(outcome)) leave(frame, *block, *site, outcome, t);
  return true;
}

// The access does not complete in translated code.
void WindowFaults::leave(FaultFrame& frame, Block& block, const x64::FaultSite& site, mmu::FaultOutcome outcome,
                         const mmu::Translation& t) {
  // The guest's registers go back to CpuState.
  for (int n = 0; n < 15; n++)
    if (x64::kPinned[n] >= 0) cpu_.r[n] = static_cast<uint32_t>(frame.gpr[x64::kPinned[n]]);
  block.set_position(cpu_, site);
  if (outcome == mmu::FaultOutcome::GuestFault) {
    statistics_.data_aborts++;
    effects_ = arm::data_abort(cpu_, cpu_.r[15], t.fsr, t.far);
    cpu_.exit_reason = kExitException;
  } else {
    // The instruction restarts, with its access out of line. From now on if it is a device's or
    // wraps; that RAM could not be entered says nothing of the next access. What stores beside code
    // will most likely do so again.
    arm::host_instruction_restarts(cpu_);
    const uint64_t pa = block.key.pa + (cpu_.r[15] - (block.key.va & ~1u));
    using OutOfLine = Translations::OutOfLine;
    translations_.put_out_of_line(pa, &block,
                                  outcome == mmu::FaultOutcome::Once         ? OutOfLine::Once
                                  : outcome == mmu::FaultOutcome::BesideCode ? OutOfLine::WhileBesideCode
                                                                             : OutOfLine::Always);
    cpu_.exit_reason = kExitLookup;
  }
  const x64::Thunks& thunks = translations_.thunks();
  frame.rip = reinterpret_cast<uint64_t>(site.flags & x64::kSiteStandardMxcsr ? thunks.exit_no_spill_standard
                                                                              : thunks.exit_no_spill);
}

}  // namespace crosswalk::engine
