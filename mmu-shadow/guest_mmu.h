// SPDX-License-Identifier: GPL-2.0-or-later
// The implementation of Mmu, for all modes. Private to mmu-shadow/.
//
//   guest_mmu.cc     translate, fill, fetch_page
//   spaces.cc        address spaces: activate, creation, eviction
//   flush.cc         TLB maintenance: dropping entries, or walking again for them; prefilling new address spaces
//   windows.cc       window faults: what to install, and room for it
//   shared.cc        what windows have in common
//   hybrid.cc        Mode::Hybrid: which spaces have a window
//   code_pages.cc    pages that hold translated code
//   watch.cc         breakpoints and watchpoints: pages that are looked at
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "mmu-shadow/accounts.h"
#include "mmu-shadow/base/filters.h"
#include "mmu-shadow/base/page_set.h"
#include "mmu-shadow/mmu.h"
#include "mmu-shadow/page_ids.h"
#include "mmu-shadow/soft_tlb.h"
#include "mmu-shadow/walker/regime.h"
#include "mmu-shadow/walker/walk_memo.h"
#include "mmu-shadow/windows/window_map.h"
#include "translator/arm32/cpu/debug.h"

namespace crosswalk::mmu {

// How many of the entries that a flush dropped came back, in one address space.
struct Reuse {
  uint32_t dropped = 0, refilled = 0;
};

// What Mode::Hybrid knows of an address space, fading with time: how long it ran, and what it did that costs with a
// software TLB, or would cost with a window.
struct HybridHistory {
  double age = 0;          // nanoseconds since it has the form that it has now; the others fade
  double new_code_ns = 0;  // on a software TLB: translating what it was the first to execute
  double ns = 0;
  double refills = 0;     // of the software TLB
  double faults = 0;      // of the window; on a software TLB, those that there would have been
  double flushes = 0;     // single entries made invalid, or that there would have been
  double spent_ns = 0;    // in a window: on its faults and flushes, but for those of entering it
  double allowed_ns = 0;  // in a window: what is left of what the faults of entering it may cost
  // In a window, until the predictions are compared with what happened: its faults, and of the translation what the
  // model has and what there was.
  bool learning = false;
  double entered_ns = 0, translation_ns = 0, translated_ns = 0;
  bool sampling = false;    // the instruction pages are those that it executed since the last judgement
  double sample_at = 0;     // the age for the next such sample
  double cost_rate = 0;     // of faults and flushes, of a nanosecond, predicted when it was promoted
  double reluctance = 1;    // doubles when a promotion turns out wrong
  uint64_t rest_until = 0;  // time-stamp counter: nothing is counted before, a window would cost far more than it saves
  PageSet seen;             // on a software TLB: pages that a window would have by now; one of each section

  void fade(double factor) { ns *= factor, refills *= factor, faults *= factor, flushes *= factor, spent_ns *= factor; }
  // In the other form.
  void restart() {
    age = new_code_ns = ns = refills = faults = flushes = spent_ns = allowed_ns = 0;
    entered_ns = translation_ns = translated_ns = 0;
    learning = sampling = false;
    sample_at = 0;
    rest_until = 0;
    seen.clear();
  }
  // For another address space.
  void reset() {
    restart();
    reluctance = 1;
  }
};

// What the windows of several privileged address spaces have in common (shared.cc). Its entries are in the window of
// `map`, which the others share (Window::share).
struct SharedWindow {
  RegimeKey key;               // without TTBR0 and ASID
  std::vector<uint8_t> roots;  // what the sharers' descriptors of the first level are (CommonPart)
  uint64_t version;            // never 0; changes when `roots` does
  uint64_t protect_position, flush_position;
  Reuse reuse;
  WindowMap map;
  uint64_t watch_version = 0;

  // Those of the 2 MiB of `va`.
  size_t root_offset(uint32_t va) const { return (va >> kLeafBits) * 8 % roots.size(); }
};

// What one regime key has: instruction pages, and a software TLB or a window.
struct AddressSpace {
  RegimeKey key;
  uint64_t last_used = 0;
  uint64_t protect_position = 0;  // how much of the protect log is applied here
  uint64_t flush_position = 0;    // how much of the flush log is applied here
  uint64_t watch_version = 0;     // GuestMmu's, when pages with watched bytes were removed here last
  uint64_t changes_applied = 0;   // GuestMmu::changes_ when nothing was missed last, here and in what is shared
  uint32_t fetches = 0;           // instruction pages entered since the space was made: up to kPrefillFetches
  Reuse data_reuse, fetch_reuse;
  uint64_t run_ticks = 0;  // hybrid: time that it ran since it was judged
  // Hybrid: how many stays in it the next measured one stands for, and how many come before that.
  uint32_t stays = 1, unmeasured = 0;
  bool windowed = false;  // which of `soft` and `window` is in use; the other one, if it is there, is empty
  std::unique_ptr<HybridHistory> hybrid;
  InstructionPages instruction_pages;
  std::unique_ptr<SoftTlb> soft;
  std::unique_ptr<WindowMap> window;
  std::shared_ptr<SharedWindow> shared;
  uint64_t shared_from = kWindowSize;  // the VAs that `shared` has
  const uint8_t* roots = nullptr;      // this space's own descriptors of the first level for them
  uint64_t roots_version = 0;          // SharedWindow::version when they were compared last, or 0: they are not equal

  WindowMap& window_at(uint32_t va) { return va >= shared_from ? shared->map : *window; }
};

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
    exclude(ticks);
    if (config_.accounts) config_.accounts->slept(ticks);
  }
  void debug_changed(CpuState& cpu) override;
  void translated(uint32_t page_id, uint64_t ticks) override;
  void flush_all(CpuState& cpu) override;
  void flush_asid(CpuState& cpu, uint8_t asid) override;
  void flush_mva(CpuState& cpu, uint32_t va, uint8_t asid) override;
  void flush_mva_all_asids(CpuState& cpu, uint32_t va) override;
  void protect_code_page(uint64_t pa) override;
  void unprotect_code_page(uint64_t pa) override;
  void note_external_write(uint64_t pa, uint64_t bytes) override;
  const Statistics& statistics() const override { return statistics_; }
  bool flat_violation() const override { return flat_violation_; }

 private:
  // Register values as of the last activate().
  struct Registers {
    // The first ones change most, and decide most comparisons.
    bool privileged;
    uint32_t dacr, contextidr;
    uint64_t ttbr0, ttbr1;
    uint32_t sctlr, ttbcr;
    bool operator==(const Registers&) const = default;
    uint32_t hash() const { return static_cast<uint32_t>(ttbr0 >> 14) ^ dacr ^ contextidr << 1 ^ privileged; }
  };
  // The spaces that went with the last values of the registers: most changes are between kernel and user, and domains.
  struct Recent {
    Registers registers{};
    AddressSpace* space = nullptr;
  };
  // A stretch of VA that reaches consecutive RAM pages.
  struct Stretch {
    uint32_t va, pages, ram_page;
  };

  bool uses_windows() const { return backend_ != nullptr; }
  cw_regime current_regime(const CpuState& cpu) const;
  void walk(const cw_regime& regime, uint32_t va, AccessKind kind, bool privileged, cw_result& result);
  // The same for many pages in the order of their addresses.
  const cw_result& walk(const cw_regime& regime, uint32_t va, AccessKind kind, bool privileged, cw_memo& memo);
  // The same in the order of their slots in a table, in which stretches of VA are interleaved.
  class SlotWalker;
  Translation to_translation(uint32_t va, const cw_result& result) const;
  // Whether translated code may access what the walk found without asking again. Not Device and Strongly-ordered
  // memory, where alignment is checked (A3.2.1); with the MMU off, code that checks everything runs
  // (CpuState::strict_alignment).
  bool enterable(const cw_result& r) const {
    return r.fault == CW_FAULT_NONE && ram_.contains(r.pa) && (r.memory_type == CW_NORMAL || r.log2_size == 32);
  }
  uint32_t ram_page_of(uint64_t pa) const { return static_cast<uint32_t>((pa - ram_.base) >> kPageBits); }

  // spaces.cc
  void enter_current(MmuView& view);
  AddressSpace* find_space(const RegimeKey& key) const;
  AddressSpace* new_space(const RegimeKey& key);
  AddressSpace* least_recently_used() const;
  AddressSpace* least_recently_used_window() const;
  void clear_space(AddressSpace& space);
  // Whether the space, or what it shares, has not applied all of a log yet.
  bool missed_protection(const AddressSpace& space) const {
    return space.protect_position != protect_log_end_ ||
           (space.windowed && space.shared && space.shared->protect_position != protect_log_end_);
  }
  bool missed_flushes(const AddressSpace& space) const {
    return space.flush_position != flush_log_end_ ||
           (space.windowed && space.shared && space.shared->flush_position != flush_log_end_);
  }
  void insert(AddressSpace* space);
  void rebuild_table();
  AddressSpace* predecessor_of(const AddressSpace& space) const;

  // flush.cc
  struct FlushRecord {
    enum Kind : uint8_t { All, Asid, Mva, MvaAllAsids } kind;
    uint8_t asid;
    uint32_t va;
  };
  // Learned: what part of dropped entries is used again before the next flush; by kind and privilege.
  struct ReuseHistory {
    double rate = 0.5;
    uint32_t since_dropped = 0;  // flushes
  };
  void flush(const CpuState& cpu, FlushRecord record);
  template <typename Covers, typename Refresh, typename FlushPage>
  void apply_log(uint64_t& position, Covers covers, Refresh refresh, FlushPage flush_page);
  void apply_flushes(AddressSpace& space, const cw_regime& regime);
  WindowEntry rewalk(bool privileged, const cw_regime& regime, cw_memo& memo, uint32_t va, WindowEntry old);
  void flush_page(AddressSpace& space, const cw_regime& regime, uint32_t va, bool global_only);
  uint32_t flush_window_page(WindowMap& window, bool privileged, const cw_regime& regime, uint32_t va,
                             bool global_only);
  void refresh(AddressSpace& space, const cw_regime& regime, bool nonglobal_only);
  void refresh_window(WindowMap& window, Reuse& reuse, bool privileged, const cw_regime& regime, bool nonglobal_only);
  bool choose_eager(ReuseHistory& history, Reuse& reuse, uint32_t entries, double walk, double refill_cost);
  void prefill(AddressSpace& space, const cw_regime& regime);

  // hybrid.cc
  void account_change(AddressSpace& next);
  void account_poll();
  void end_stay(uint64_t now);
  void charge(AddressSpace& space, uint64_t ticks);
  void exclude(uint64_t ticks) {
    entered_at_ += ticks;
    excluded_ticks_ += ticks;
  }
  // Whether the time of the space is what polls sample, and nothing is measured for it.
  bool sampled(const AddressSpace& space) const { return at_once_ && space.windowed; }
  uint64_t judge_after_ticks(const AddressSpace& space) const {
    return sampled(space) ? sampled_ticks_ : judge_after_ticks_;
  }
  // By the distance: the time-stamp counter may restart.
  bool resting(const AddressSpace& space) const { return space.hybrid->rest_until - polled_at_ - 1 < rest_ticks_; }
  void judge_current(CpuState& cpu) {
    if (current_->hybrid && current_->run_ticks > judge_after_ticks(*current_)) judge_now(cpu);
  }
  void judge_now(CpuState& cpu);
  void judge(AddressSpace& space, const CpuState& cpu);
  bool prefills_windows() const;
  double entering_cost(AddressSpace& space) const;
  double translation_cost(const AddressSpace& space) const;
  bool promote(AddressSpace& space, const cw_regime& regime);
  void demote(AddressSpace& space);
  void learn(const AddressSpace& space);
  // A guest abort that its handler most likely mends; the access follows on return.
  struct Aborted {
    AddressSpace* space = nullptr;
    uint32_t va = 0;
    AccessKind kind = AccessKind::Load;
    uint32_t tries = 0;
  };
  void install_aborted(const cw_regime& regime);

  // What the upkeep of a window costs is of interest; of a software TLB's, not.
  uint64_t upkeep_clock() const {
    return current_->hybrid && current_->windowed && !at_once_ ? __builtin_ia32_rdtsc() : 0;
  }
  void note_fault(uint64_t since);
  void note_upkeep(uint64_t since);
  void note_refill(AddressSpace& space, uint32_t va, const cw_result& result);

  // windows.cc
  std::unique_ptr<WindowMap> create_window();  // null when there is no room
  void install_flat();
  Stretch stretch_to_install(const cw_regime& regime, const AddressSpace& space, uint32_t va, const cw_result& result,
                             bool writable);
  Stretch contiguous_pages(const cw_regime& regime, bool privileged, uint32_t va, const cw_result& result);
  bool install_stretch(AddressSpace& space, Stretch stretch, uint32_t size_class, bool ng, bool writable);
  bool install(AddressSpace& space, const cw_regime& regime, uint32_t va, const cw_result& result);
  void keep_leaf_budget(AddressSpace& space);
  void keep_resident_budget();
  void clear_windows(AddressSpace& space);
  uint32_t count_runs(uint32_t ram_page, uint32_t pages) const;

  // shared.cc
  void share_window(AddressSpace& space);
  void unshare_window(AddressSpace& space);
  void check_roots(AddressSpace& space);
  bool same_root(const AddressSpace& space, uint32_t va) const;
  bool follow_root(AddressSpace& space, uint32_t va);

  // code_pages.cc
  bool code_written(uint64_t pa, uint64_t bytes);
  void catch_up(AddressSpace& space);
  void catch_up(WindowMap& window, uint64_t& position);

  // watch.cc
  struct WatchedPages {  // VA >> 12, inclusive
    uint32_t first, last;
  };
  bool is_watched(uint32_t first_page, uint32_t last_page) const {
    for (uint32_t i = 0; i < watched_count_; i++)
      if (first_page <= watched_[i].last && last_page >= watched_[i].first) return true;
    return false;
  }
  bool is_watched(uint32_t va) const { return is_watched(va >> kPageBits, va >> kPageBits); }
  bool missed_watches(const AddressSpace& space) const {
    return space.watch_version != watch_version_ ||
           (space.windowed && space.shared && space.shared->watch_version != watch_version_);
  }
  void remove_watched(AddressSpace& space);

  const MmuConfig config_;
  const GuestRam ram_;
  CodeListener& listener_;
  WindowBackend* const backend_;
  Statistics statistics_;

  std::vector<std::unique_ptr<AddressSpace>> spaces_;
  static constexpr uint32_t kRecent = 16;
  Recent recent_[kRecent];
  std::vector<AddressSpace*> table_;  // open addressing by key hash; a power of two
  AddressSpace* current_ = nullptr;
  Registers registers_{};
  uint64_t tick_ = 0;
  Aborted aborted_;
  // Mode::Hybrid: what predictions have to be multiplied by, learned from the spaces that got a window, unprivileged
  // and privileged. They begin with what benchmarks showed, as so many nanoseconds predicted and seen.
  struct Learned {
    double predicted, seen;
    double factor() const { return seen / predicted; }
    void add(double more_predicted, double more_seen) { predicted += more_predicted, seen += more_seen; }
  };
  Learned hot_code_[2] = {{20e6, 5e6}, {50e6, 7.5e6}};  // translation of what was executed lately: is needed again
  Learned entering_[2] = {{2e6, 2e6}, {2e6, 2e6}};      // one window_fault for each page in use: all faults
  // Mode::Hybrid: every address space begins in a window.
  const bool at_once_ = config_.mode == Mode::Hybrid && config_.costs.windows_pay_at_once();
  const double ns_per_tick_ = 1 / config_.costs.ticks_per_ns;
  const uint64_t judge_after_ticks_ = static_cast<uint64_t>(config_.costs.judge_after * config_.costs.ticks_per_ns);
  const uint64_t rest_ticks_ = judge_after_ticks_ * 8;
  // Time that is charged by samples, a poll each, has to be made of a number of them.
  const uint64_t sampled_ticks_ = static_cast<uint64_t>(
      std::max(config_.costs.judge_after, config_.costs.half_life * 8) * config_.costs.ticks_per_ns);
  // Hybrid: whether the stay in the current space is measured, and the time-stamp counter when it, or what has not been
  // charged of it yet, began.
  bool measuring_ = false;
  uint64_t entered_at_ = 0;
  // Hybrid: the time-stamp counter at the last poll, which is the time for what need not be exact; since then, the
  // ticks charged to spaces, and those that are nobody's.
  uint64_t polled_at_ = 0, charged_ticks_ = 0, excluded_ticks_ = 0;
  const uint64_t short_stay_ticks_ = static_cast<uint64_t>(2'000 * config_.costs.ticks_per_ns);
  const uint64_t long_stay_ticks_ = short_stay_ticks_ * 50;
  LeafPool leaves_;
  // What all windows may have together: resident pages, and leaves that host page tables may exist for.
  const uint64_t max_resident_pages_;
  const uint32_t max_window_leaves_;
  const uint64_t resident_check_ticks_;  // 0: never
  uint64_t resident_checked_at_ = 0;
  static constexpr uint32_t kMinPageIds = 64;  // a block's two pages, and room to get ahead
  PageIds ids_;
  bool flat_violation_ = false;

  // One byte for each RAM page.
  std::vector<uint8_t> is_code_;
  std::vector<uint8_t> maybe_writable_;  // may be installed writable without a protect log entry to come
  // RAM pages that lost write access, in order; address spaces that are not current catch up when they become current.
  static constexpr uint32_t kProtectLog = 4096;
  std::vector<uint32_t> protect_log_;
  uint64_t protect_log_end_ = 0;

  // Guest TLB maintenance in order; address spaces that are not current apply it when they become current.
  static constexpr uint32_t kFlushLog = 256;
  std::vector<FlushRecord> flush_log_;
  uint64_t flush_log_end_ = 0;

  arm::BreakPages break_pages_;
  uint32_t watched_count_ = 0;
  WatchedPages watched_[arm::kWatchpoints] = {};
  uint64_t watch_version_ = 0;  // changes when pages get watched
  uint64_t changes_ = 1;        // counts what changes watch_version_ or the end of a log

  ReuseHistory data_history_[2], fetch_history_[2];  // [privileged]
  // A space that fetches from so many pages is no passing combination of registers: time to prefill it.
  static constexpr uint32_t kPrefillFetches = 3;
};

}  // namespace crosswalk::mmu
