// SPDX-License-Identifier: GPL-2.0-or-later The implementation of Mmu, for all modes. Private to
// mmu-shadow/. It knows which address space is current, and gives each event to the parts that it
// is made of; what they do is described in their headers:
//
//   spaces/space_table.h   address spaces, found by key
//   space_keeper.h         making and reusing them
//   prefiller.h            filling a new one without faults
//   spaces/flush_log.h     TLB maintenance in order, and how much of it each space has applied
//   flusher.h              applying it: dropping entries, or walking again for them
//   spaces/code_pages.h    pages that hold translated code
//   spaces/watchpoints.h   pages that are looked at
//   window_pool.h          windows, and what they may take together
//   installer.h            what to install in one
//   shared_windows.h       what windows have in common
//   policy/hybrid.h        Form::Hybrid: which spaces have a window
//   policy/flush_choice.h  --flush
#pragma once

#include <cstdint>

#include "mmu-shadow/accounts.h"
#include "mmu-shadow/flusher.h"
#include "mmu-shadow/installer.h"
#include "mmu-shadow/mmu.h"
#include "mmu-shadow/prefiller.h"
#include "mmu-shadow/shared_windows.h"
#include "mmu-shadow/space_keeper.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/code_pages.h"
#include "mmu-shadow/spaces/page_ids.h"
#include "mmu-shadow/spaces/watchpoints.h"
#include "mmu-shadow/window_pool.h"

namespace crosswalk::mmu {

class GuestMmu final : public Mmu {
 public:
  GuestMmu(const MmuConfig& config, const GuestRam& ram, CodeListener& listener, WindowBackend* backend);
  ~GuestMmu() override;

  void activate(CpuState& cpu) override;
  void polled(CpuState& cpu) override;
  Translation translate(CpuState& cpu, uint32_t va, AccessKind kind, bool privileged) override;
  Translation fill(CpuState& cpu, uint32_t va, AccessKind kind) override;
  FaultOutcome window_fault(CpuState& cpu, int64_t offset, uint32_t bytes, bool write,
                            Translation& translation) override;
  uint32_t fetch_page(CpuState& cpu, uint32_t va, uint32_t code_flags, Translation& translation) override;
  void forget_instruction_pages() override;
  void slept(uint64_t ticks) override {
    hybrid_.exclude(ticks);
    if (config_.accounts) config_.accounts->slept(ticks);
  }
  void debug_changed(CpuState& cpu) override;
  void translated(uint32_t page_id, uint64_t ticks) override;
  void flush_all(CpuState& cpu) override;
  void flush_asid(CpuState& cpu, uint8_t asid) override;
  void flush_mva(CpuState& cpu, uint32_t va, uint8_t asid) override;
  void flush_mva_all_asids(CpuState& cpu, uint32_t va) override;
  void protect_code_page(uint64_t pa) override;
  void unprotect_code_page(uint64_t pa) override { code_.unprotect(pa); }
  void note_external_write(uint64_t pa, uint64_t bytes) override { code_.written_outside(pa, bytes); }
  const Statistics& statistics() const override { return statistics_; }
  bool flat_violation() const override { return flat_violation_; }

 private:
  class CurrentSpace;  // as HybridPolicy judges it

  Guest::Regime regime_of(const CpuState& cpu) const {
    return config_.mode.form == Form::Flat ? Guest::flat_regime_of(cpu) : Guest::regime_of(cpu);
  }
  Translation translation_of(uint32_t va, const Guest::Result& result) const {
    Translation t = walks_.translation_of(va, result);
    t.watched = watch_.covers(va);
    return t;
  }
  AddressSpace* look_up(const CpuState& cpu);
  void enter_current(MmuView& view);
  void apply_missed(CpuState& cpu);
  void flush(const CpuState& cpu, GuestFlushLog::Record record);
  void judge_current(CpuState& cpu) {
    if (current_->history && hybrid_.due(*current_)) judge_now(cpu);
  }
  void judge_now(CpuState& cpu);
  // What the upkeep of a window costs is of interest; of a software TLB's, not. 0: of no interest.
  uint64_t upkeep_clock() const { return hybrid_.measures_upkeep(*current_) ? __builtin_ia32_rdtsc() : 0; }
  void note_upkeep(uint64_t since) {
    if (since != 0) hybrid_.upkept(*current_, __builtin_ia32_rdtsc() - since);
  }
  void note_fault(uint64_t since) {
    if (current_->history) hybrid_.faulted(*current_, since != 0 ? __builtin_ia32_rdtsc() - since : 0);
  }

  const MmuConfig config_;
  Statistics statistics_;
  const Walks<Guest> walks_;
  CodePages code_;
  Watchpoints watch_;
  GuestFlushLog flushes_;
  static constexpr uint32_t kMinPageIds = 64;  // a block's two pages, and room to get ahead
  PageIds ids_;
  WindowPool pool_;
  Spaces spaces_;  // after the pool, whose leaves they have
  FlushChoice choice_;
  HybridPolicy hybrid_;
  SharedWindows shared_;
  Installer installer_;
  Flusher flusher_;
  Prefiller prefiller_;
  SpaceKeeper keeper_;

  AddressSpace* current_ = nullptr;
  Guest::Selectors selectors_{};  // as of the last activate()
  // of the logs and of what is watched: AddressSpace::changes_applied
  uint64_t changes_ = 1;
  arm::BreakPages break_pages_;
  bool flat_violation_ = false;
};

}  // namespace crosswalk::mmu
