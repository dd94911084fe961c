// SPDX-License-Identifier: GPL-2.0-or-later
// The implementation of MmuOf, for all modes. It knows which address space is current, and gives
// each event to the parts that it is made of; what they do is described in their headers:
//
//   machine_state.h        what the MMUs of all CPUs have in common
//   spaces/walks.h         walks of the guest's tables
//   spaces/space_table.h   address spaces, found by key
//   space_keeper.h         making and reusing them
//   prefiller.h            filling a new one without faults
//   shootdown.h            which CPUs a DSB has to wait for
//   spaces/flush_log.h     TLB maintenance in order, and how much of it each space has applied
//   flusher.h              applying it: dropping entries, or walking again for them
//   spaces/code_pages.h    pages that hold translated code
//   spaces/watchpoints.h   pages that are looked at
//   window_pool.h          windows, and what they may take together
//   installer.h            what to install in one
//   filled_windows.h       those that their provider fills by itself
//   shared_windows.h       what windows have in common
//   policy/hybrid.h        Form::Hybrid: which spaces have a window
//   forms.h                how a space gets its other form
//   policy/flush_choice.h  --flush
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <utility>

#include "mmu-shadow/accounts.h"
#include "mmu-shadow/base/code_listener.h"
#include "mmu-shadow/base/config.h"
#include "mmu-shadow/filled_windows.h"
#include "mmu-shadow/flusher.h"
#include "mmu-shadow/forms.h"
#include "mmu-shadow/installer.h"
#include "mmu-shadow/machine_state.h"
#include "mmu-shadow/mmu_of.h"
#include "mmu-shadow/prefiller.h"
#include "mmu-shadow/shared_windows.h"
#include "mmu-shadow/shootdown.h"
#include "mmu-shadow/space_keeper.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/code_pages.h"
#include "mmu-shadow/spaces/page_ids.h"
#include "mmu-shadow/spaces/walks.h"
#include "mmu-shadow/spaces/watchpoints.h"
#include "mmu-shadow/window_pool.h"
#include "mmu-shadow/windows/window.h"
#include "translator/base/result.h"

namespace crosswalk::mmu {

template <GuestArchitecture Guest>
class GuestMmu final : public MmuOf<Guest> {
 public:
  using Cpu = typename Guest::Cpu;
  using Va = typename Guest::Va;
  using Regime = typename Guest::Regime;
  using Result = typename Guest::Result;
  using Translation = typename Guest::Translation;
  using Flush = typename GuestFlushLog<Guest>::Record;
  using Machine = MachineState<Guest>;

  // As make_mmu (mmu.h).
  static crosswalk::Result<std::unique_ptr<MmuOf<Guest>>> create(const MmuConfig& config, const GuestRam& ram,
                                                                 Machine& machine, WindowBackend* backend,
                                                                 std::unique_ptr<Machine> own = nullptr);
  static crosswalk::Result<std::unique_ptr<MmuOf<Guest>>> create(const MmuConfig& config, const GuestRam& ram,
                                                                 CodeListener& listener, WindowBackend* backend) {
    auto machine = std::make_unique<Machine>(config, ram, listener);
    Machine& its = *machine;
    return create(config, ram, its, backend, std::move(machine));
  }
  ~GuestMmu() override { machine_.mmus[index_] = nullptr; }

  void attach(Cpu& cpu) override;
  void park(Cpu& cpu) override {
    // What it has stored unseen is noticed now: nobody waits for that later.
    if (machine_.cpus.several()) catch_up(cpu);
    machine_.cpus.park(index_);
  }
  void unpark(Cpu& cpu) override;
  typename MmuOf<Guest>::Self self() override { return {&machine_.cpus, index_}; }
  void activate(Cpu& cpu) override;
  bool access_changed(Cpu& cpu) override;
  void polled(Cpu& cpu) override;
  Translation translate(Cpu& cpu, Va va, AccessKind kind, bool privileged) override;
  using MmuOf<Guest>::fill;
  Translation fill(Cpu& cpu, Va va, AccessKind kind, uint32_t bytes) override;
  using Refilled = typename MmuOf<Guest>::Refilled;
  Refilled refill(Cpu& cpu, Va va, AccessKind kind) override;
  FaultOutcome window_fault(Cpu& cpu, int64_t offset, uint32_t bytes, bool write, Translation& translation) override;
  uint32_t fetch_page(Cpu& cpu, Va va, uint32_t code_flags, Translation& translation) override;
  void forget_instruction_pages() override;
  void flash_hidden(Cpu& cpu) override;
  void slept(uint64_t ticks) override {
    hybrid_.time().exclude(ticks);
    if (config_.accounts) config_.accounts->slept(ticks);
  }
  void debug_changed(Cpu& cpu) override;
  void translated(uint32_t page_id, uint64_t ticks) override;
  void flush(Cpu& cpu, Flush operation) override;
  void synchronize(Cpu& cpu) override;
  void synchronize_code(Cpu& cpu) override;
  void protect_code_page(uint64_t pa) override;
  void unprotect_code_page(uint64_t pa) override { code_.unprotect(pa); }
  void note_external_write(uint64_t pa, uint64_t bytes) override {
    statistics_.code_page_writes += code_.written_outside(pa, bytes);
  }
  const Statistics& statistics() const override {
    filled_.collect(nullptr);
    return statistics_;
  }
  bool flat_violation() const override { return flat_violation_; }

 private:
  using Space = AddressSpace<Guest>;

  GuestMmu(const MmuConfig& config, const GuestRam& ram, Machine& machine, std::unique_ptr<Machine> own,
           WindowBackend* backend);
  // In line: each refill and fault does it.
  [[gnu::always_inline]] Translation translation_of(Va va, const Result& result) const {
    Translation t = walks_.translation_of(va, result);
    t.watched = watch_.covers(va);
    return t;
  }
  Space* look_up(const Cpu& cpu);
  void apply_missed(Cpu& cpu);
  // Grows with each change that an address space has to apply (AddressSpace::changes_applied). The
  // parts never shrink: if their sum is the same, each is.
  uint64_t changes() const { return flushes_.end() + code_.end() + watch_changes_ + code_.flash_hides(); }
  [[gnu::noinline, gnu::cold]] void walk_again(const Regime& regime, Va va, AccessKind kind, bool privileged,
                                               Result& result) const {
    walks_.walk(regime, va, kind, privileged, result);
  }
  void walk_for_entry(const Regime& regime, Va va, AccessKind kind, bool privileged, Result& result);
  // Applies what other CPUs wait for, and tells them.
  void catch_up(Cpu& cpu);
  // A store of the CPU to a page that holds code. False: it must not be made in translated code.
  bool code_written(uint64_t pa, uint64_t bytes) {
    statistics_.code_page_writes++;
    return code_.written(pa, bytes);
  }
  // The same until the page may be written: its code may be translated again meanwhile.
  [[gnu::noinline]] bool write_to_code(uint64_t pa, uint64_t bytes) {
    while (code_written(pa, bytes))
      if (code_.may_write(walks_.ram_page_of(pa))) return true;
    return false;
  }
  void drop_page_ids(Cpu& cpu);
  Translation fill_from_flash(Va va, const Result& result, Translation t);
  // Whether what flash holds at `t` may be entered: nobody hides it without having that removed.
  bool uses_flash(const Translation& t) {
    code_.flash_used();
    return walks_.flash_at(t) != nullptr;
  }
  // Flash was hidden: the entries of the current space's windows go.
  void remove_flash_from(Space& space);
  // May give the current space its other form.
  void judge_current(Cpu& cpu);
  // Does that when it is time, and tells translated code which form it has. In line: each system
  // call of the guest changes the space twice.
  [[gnu::always_inline]] void enter_current(Cpu& cpu);
  // For translated code.
  [[gnu::always_inline]] static void show(Cpu& cpu, Space& space);
  // Of access_changed(): with several CPUs or hybrid's history; and its parts.
  [[gnu::noinline]] bool access_changed_apart(Cpu& cpu, uint64_t access, Space& space);
  [[gnu::always_inline]] bool can_enter_at_once(const Space& space) const;
  [[gnu::always_inline]] void enter_at_once(Cpu& cpu, uint64_t access, Space& space);
  // The current space's software TLB may be elsewhere now.
  void show_soft_tlb(Cpu& cpu) const {
    if (cpu.space == current_ && !current_->windowed)
      static_cast<MmuView&>(cpu).mem_base = reinterpret_cast<uint64_t>(current_->soft->entries());
  }
  [[gnu::always_inline]] void enter_in_soft_tlb(Cpu& cpu, Va va, uint8_t* host, bool writable, const Result& r);
  // Entries of the current space's replace each other: makes it larger, if there is room.
  void grow_soft_tlb(Cpu& cpu);
  // What the provider of windows has done belongs to the current space.
  void collect_filled(Cpu& cpu);
  FaultOutcome refused_fault(Space& space, const Regime& regime, Va va, bool was_code);

  const MmuConfig config_;
  const std::unique_ptr<Machine> own_machine_;
  Machine& machine_;
  const RunningCpus::Index index_;
  Statistics statistics_;
  const Walks<Guest> walks_;
  CodePages& code_;
  Watchpoints<Guest> watch_;
  GuestFlushLog<Guest> flushes_;
  Shootdown<Guest> shootdown_;
  PageIdsOf<Va>& ids_;
  WindowPool<Guest> pool_;
  Spaces<Guest> spaces_;  // after the pool, whose leaves they have
  FlushChoice choice_;
  HybridPolicy hybrid_;
  SharedWindows<Guest> shared_;
  FilledWindows<Guest> filled_;
  Installer<Guest> installer_;
  Flusher<Guest> flusher_;
  Prefiller<Guest> prefiller_;
  SpaceKeeper<Guest> keeper_;
  Forms<Guest> forms_;

  Space* current_ = nullptr;
  typename Guest::Selectors selectors_{};  // as of the last activate()
  uint64_t watch_changes_ = 1;
  uint64_t broadcast_end_ = 0;   // behind this CPU's last broadcast operation
  uint64_t stores_checked_ = 0;  // CodePages::check_unseen_stores
  typename Guest::BreakPages break_pages_;
  bool flat_violation_ = false;
  // Something is told of each switch of the address space, or has to be asked.
  const bool watches_switches_ = config_.accounts || filled_.exist();
};

template <GuestArchitecture Guest>
crosswalk::Result<std::unique_ptr<MmuOf<Guest>>> GuestMmu<Guest>::create(const MmuConfig& config, const GuestRam& ram,
                                                                         Machine& machine, WindowBackend* backend,
                                                                         std::unique_ptr<Machine> own) {
  if (config.mode.has_windows() && !backend) return Error{"this MMU mode needs a window backend"};
  if (config.mode.has_windows() && !kFitsWindow<Va>) return Error{"this guest's addresses do not fit a window"};
  if (config.fill_bytes < kPageSize || config.fill_bytes > (2u << 20) || !std::has_single_bit(config.fill_bytes))
    return Error{"fill_bytes must be a power of two from 4 KiB to 2 MiB"};
  const auto fits = [](uint32_t size) {
    return size >= kLeastSoftTlb && size <= kMostSoftTlb && std::has_single_bit(size);
  };
  if (!fits(config.soft_tlb.least) || !fits(config.soft_tlb.most) || config.soft_tlb.least > config.soft_tlb.most)
    return Error{"a software TLB has a power of two from 256 to 65536 entries"};
  std::unique_ptr<GuestMmu> mmu(new GuestMmu(config, ram, machine, std::move(own), backend));
  if (config.mode.form == Form::Flat) {
    auto space = std::make_unique<Space>();
    if (auto installed = mmu->installer_.install_flat(*space); !installed) return installed.take_error();
    mmu->spaces_.add(std::move(space));
    mmu->statistics_.spaces_created++;
  }
  return std::unique_ptr<MmuOf<Guest>>(std::move(mmu));
}

template <GuestArchitecture Guest>
GuestMmu<Guest>::GuestMmu(const MmuConfig& config, const GuestRam& ram, Machine& machine, std::unique_ptr<Machine> own,
                          WindowBackend* backend)
    : config_(config),
      own_machine_(std::move(own)),
      machine_(machine),
      index_(machine.cpus.add()),
      walks_(ram, config.mode.form == Form::Flat, statistics_),
      code_(machine.code),
      flushes_(machine.flushes, machine.cpus, index_),
      shootdown_(machine.cpus, index_),
      ids_(machine.ids),
      pool_(config, ram, config.mode.has_windows() ? backend : nullptr, spaces_, statistics_),
      spaces_(config.max_spaces),
      choice_(config.flush),
      hybrid_(config, statistics_),
      shared_(config.share_tables, ram, pool_, spaces_, code_, watch_, flushes_, statistics_),
      filled_(config.mode.has_windows() && backend ? backend->filler() : nullptr, statistics_),
      installer_(config_, walks_, code_, watch_, pool_, shared_, shootdown_, statistics_),
      flusher_(config_.costs, walks_, flushes_, ids_, code_, choice_, shared_, hybrid_, filled_, statistics_),
      prefiller_(config_, walks_, spaces_, ids_, code_, watch_, choice_, shootdown_, statistics_),
      keeper_(config_, spaces_, pool_, shared_, installer_, hybrid_, code_, flushes_, statistics_),
      forms_(config_, walks_, hybrid_, ids_, pool_, shared_, installer_, flusher_, code_, watch_, filled_,
             statistics_) {
  machine.mmus.push_back(this);
  if (config.mode.form == Form::SoftTlb || config.mode.form == Form::Hybrid)
    statistics_.most_soft_tlb_entries = config.soft_tlb.least;
  if (filled_.exist()) code_.add_filler(*backend->filler());
}

template <GuestArchitecture Guest>
void GuestMmu<Guest>::attach(Cpu& cpu) {
  machine_.cpus.attach(index_, &cpu, [](void* its) { Guest::ask_to_poll(*static_cast<Cpu*>(its)); });
}

template <GuestArchitecture Guest>
void GuestMmu<Guest>::unpark(Cpu& cpu) {
  machine_.cpus.run(index_);
  if (machine_.cpus.several()) catch_up(cpu);
}

template <GuestArchitecture Guest>
void GuestMmu<Guest>::activate(Cpu& cpu) {
  const typename Guest::Selectors now = Guest::selectors_of(cpu);
  if (now == selectors_ && current_ && cpu.space == current_) return;
  if (!now.equal_but_for_access(selectors_)) spaces_.forget_neighbours();
  // not from `now`: a copy in wider pieces waits for its stores
  selectors_ = Guest::selectors_of(cpu);

  Space* space;
  if (config_.mode.form == Form::Flat) {
    flat_violation_ |= Guest::mmu_enabled(cpu);
    space = spaces_.all().front().get();
  } else {
    space = spaces_.recent(now);
    if (!space) space = look_up(cpu);
    spaces_.set_neighbour(Guest::access_of(cpu), space);
  }
  spaces_.used(*space);
  if (space != current_) {
    if (filled_.exist() && current_) collect_filled(cpu);
    const uint64_t id = reinterpret_cast<uint64_t>(space);
    note_space_switch(cpu.trace, config_.accounts, statistics_, space->key.asid, space->key.privileged, id);
    statistics_.space_switches++;
    hybrid_.time().changed(current_, *space, [] { return __builtin_ia32_rdtsc(); });
  }
  current_ = space;
  if (machine_.cpus.several()) shootdown_.enter(*space);
  if (space->windowed && space->shared) {
    if (space->lodges) {
      if (space->shared->lodger != space) forms_.enter_lodging(*space);
    } else {
      space->window->window().enter();
      if (space->roots_version != space->shared->version) shared_.check(*space);
    }
  }
  if (filled_.exist()) filled_.follow(*space, walks_.regime_of(cpu));
  if (space->changes_applied != changes()) apply_missed(cpu);
  if (installer_.awaits(*space)) installer_.returned(walks_.regime_of(cpu));
  enter_current(cpu);
}

// As activate(), where there is nothing to do but to enter the space: what is not so, it leaves to
// activate(). With one CPU and no history, nothing is called but Window::enter(), at the end: a
// system call of Linux comes here four times.
template <GuestArchitecture Guest>
bool GuestMmu<Guest>::access_changed(Cpu& cpu) {
  const uint64_t access = Guest::access_of(cpu);
  Space* const space = spaces_.neighbour(access);
  if (!space || watches_switches_ || cpu.trace || cpu.space != current_) return false;
  if (machine_.cpus.several() || space->history) [[unlikely]]
    return access_changed_apart(cpu, access, *space);
  if (!can_enter_at_once(*space)) return false;
  statistics_.space_switches += space != current_;
  enter_at_once(cpu, access, *space);
  return true;
}

template <GuestArchitecture Guest>
bool GuestMmu<Guest>::access_changed_apart(Cpu& cpu, uint64_t access, Space& space) {
  // Before the logs are looked at.
  if (machine_.cpus.several()) shootdown_.enter(space);
  if (!can_enter_at_once(space) || (space.history && hybrid_.time().due(space))) return false;
  if (&space != current_) {
    statistics_.space_switches++;
    hybrid_.time().changed(current_, space, [] { return __builtin_ia32_rdtsc(); });
  }
  enter_at_once(cpu, access, space);
  return true;
}

// Nothing of the space has to be brought up to date.
template <GuestArchitecture Guest>
inline bool GuestMmu<Guest>::can_enter_at_once(const Space& space) const {
  if (space.changes_applied != changes() || installer_.awaits(space)) return false;
  return !(space.windowed && space.shared) || space.roots_version == space.shared->version;
}

template <GuestArchitecture Guest>
inline void GuestMmu<Guest>::enter_at_once(Cpu& cpu, uint64_t access, Space& space) {
  selectors_.set_access(access);
  spaces_.used(space);
  current_ = &space;
  show(cpu, space);
  if (space.windowed && space.shared) space.window->window().enter();
}

// The space of `selectors_`, which is none of the recent ones.
template <GuestArchitecture Guest>
AddressSpace<Guest>* GuestMmu<Guest>::look_up(const Cpu& cpu) {
  const typename Guest::Key key = Guest::key_of(cpu);
  Space* space = spaces_.find(key);
  if (!space) space = keeper_.make(key, current_);
  spaces_.set_recent(selectors_, space);
  return space;
}

// What happened since the current space was current last.
template <GuestArchitecture Guest>
void GuestMmu<Guest>::apply_missed(Cpu& cpu) {
  Space& space = *current_;
  const uint64_t changes = this->changes();
  const bool protection = space.missed(&Applied::protections, code_.end()),
             flushes = space.missed(&Applied::flushes, flushes_.end()),
             watches = space.missed(&Applied::watches, watch_.version()),
             flash = space.missed(&Applied::flash, code_.flash_hides());
  if (protection || flushes || watches || flash) {
    const UpkeepClock clock(hybrid_, space);
    if (flash) remove_flash_from(space);
    if (watches) watch_.remove_from(space);
    if (protection) code_.catch_up(space);
    if (flushes) {
      const TracedFlush traced(cpu.trace, statistics_, trace::FlushKind::Deferred);
      flusher_.apply(space, walks_.regime_of(cpu));
    }
    show_soft_tlb(cpu);
    clock.note_upkeep();
  }
  space.changes_applied = changes;
}

template <GuestArchitecture Guest>
void GuestMmu<Guest>::remove_flash_from(Space& space) {
  const uint64_t hides = code_.flash_hides();
  const auto remove_from = [&](Applied& applied, WindowMap* window) {
    applied.flash = hides;
    if (!window || window->filling()) return;  // of those that fill themselves none has any
    if (window->remove_from_page(walks_.first_flash_page()) != 0) window->window().commit();
  };
  remove_from(space.applied, space.window.get());
  if (space.windowed && space.shared) remove_from(space.shared->applied, space.shared->map.get());
}

template <GuestArchitecture Guest>
void GuestMmu<Guest>::catch_up(Cpu& cpu) {
  const uint64_t flushes = flushes_.end(), protections = code_.end();
  if (current_ && cpu.space == current_) {
    if (current_->changes_applied != changes()) apply_missed(cpu);
    // Of these, it has no write access any more.
    code_.check_unseen_stores(stores_checked_, protections);
  }
  machine_.cpus.checked(index_, stores_checked_);
  machine_.cpus.applied(index_, flushes);
}

// The CPU may be the one that has stored the code, or another one that was told of it: stores that
// nobody has seen yet may be any CPU's.
template <GuestArchitecture Guest>
void GuestMmu<Guest>::synchronize_code(Cpu& cpu) {
  if (!machine_.cpus.several()) return;
  std::atomic_thread_fence(std::memory_order_seq_cst);  // its stores before it looks at the log
  const uint64_t end = code_.end();
  machine_.cpus.wait_for_checks(index_, end, [&] {
    catch_up(cpu);
    return !Guest::stopping(cpu);
  });
  catch_up(cpu);
}

// Others may wait for this CPU at the same time.
template <GuestArchitecture Guest>
void GuestMmu<Guest>::synchronize(Cpu& cpu) {
  Guest::set_awaited(cpu, false);
  if (!machine_.cpus.several()) return;
  machine_.cpus.wait_for_others(
      index_, broadcast_end_, [&](RunningCpus::Index other) { return shootdown_.covers(other); },
      [&] {
        catch_up(cpu);
        return !Guest::stopping(cpu);
      });
  shootdown_.done();
}

template <GuestArchitecture Guest>
void GuestMmu<Guest>::polled(Cpu& cpu) {
  if (machine_.cpus.several()) {
    if (machine_.cpus.wants_stop()) {
      park(cpu);
      unpark(cpu);
    } else {
      catch_up(cpu);
      if (machine_.cpus.wants_rest()) {
        machine_.cpus.park(index_);
        machine_.cpus.rest();
        unpark(cpu);
      }
    }
  }
  pool_.keep_resident_budget(current_);
  pool_.keep_filled_budget(current_);
  if (filled_.exist() && current_) collect_filled(cpu);
  if (config_.mode.form != Form::Hybrid || cpu.space != current_) return;
  hybrid_.time().polled(*current_, __builtin_ia32_rdtsc());
  enter_current(cpu);
}

template <GuestArchitecture Guest>
[[gnu::noinline]] void GuestMmu<Guest>::judge_current(Cpu& cpu) {
  Space& space = *current_;
  const bool windowed = space.windowed;
  const uint64_t start = trace::begin(cpu.trace);
  if (space.filling()) forms_.count_faults(space);
  forms_.judge(space, walks_.regime_of(cpu));
  if (space.windowed == windowed) return;
  if (machine_.cpus.several()) shootdown_.enter(space);
  trace::end(cpu.trace, trace::Kind::FormChange, start, space.windowed ? space.map().count() : 0, 0, space.windowed);
}

template <GuestArchitecture Guest>
inline void GuestMmu<Guest>::enter_current(Cpu& cpu) {
  Space& space = *current_;
  if (space.history && hybrid_.time().due(space)) judge_current(cpu);
  show(cpu, space);
}

template <GuestArchitecture Guest>
inline void GuestMmu<Guest>::show(Cpu& cpu, Space& space) {
  MmuView& view = cpu;
  view.mem_base = space.windowed ? space.map().base() : reinterpret_cast<uint64_t>(space.soft->entries());
  view.memory_window = space.windowed;
  view.instruction_pages = space.instruction_pages.ids();
  view.space = &space;
}

template <GuestArchitecture Guest>
typename Guest::Translation GuestMmu<Guest>::translate(Cpu& cpu, Va va, AccessKind kind, bool privileged) {
  const Regime regime = walks_.regime_of(cpu);
  Result result;
  walks_.walk(regime, va, kind, privileged, result);
  Translation t = translation_of(va, result);
  Guest::set_answer(t, regime, result);
  return t;
}

// Of what may become an entry of the current space's software TLB.
template <GuestArchitecture Guest>
inline void GuestMmu<Guest>::walk_for_entry(const Regime& regime, Va va, AccessKind kind, bool privileged,
                                            Result& result) {
  if (kind == AccessKind::Fetch || !current_ || current_->windowed) {
    walks_.walk(regime, va, kind, privileged, result);
    return;
  }
  const Result* const again = current_->held_walks.again(walks_, regime, va, kind);
  result = again ? *again : current_->held_walks.walk(walks_, regime, va, kind, privileged);
}

// Most misses take nothing else but HeldWalks::again.
template <GuestArchitecture Guest>
[[gnu::flatten]] typename GuestMmu<Guest>::Refilled GuestMmu<Guest>::refill(Cpu& cpu, Va va, AccessKind kind) {
  Space* const space = current_;
  if (!space || space->windowed || watch_.any()) return {nullptr, true};
  const bool privileged = Guest::privileged(cpu);
  const Regime regime = walks_.regime_of(cpu);
  const Result* result = space->held_walks.again(walks_, regime, va, kind);
  if (!result) result = &space->held_walks.walk(walks_, regime, va, kind, privileged);
  if (!walks_.enterable(*result)) return {nullptr, false};
  if (!privileged && !result->ng && shootdown_.surprises(*space, va)) [[unlikely]]
    return {nullptr, true};
  const bool writable = Guest::allows_store(*result, privileged) && code_.may_write(walks_.ram_page_of(result->pa));
  if (kind == AccessKind::Store && !writable) return {nullptr, true};
  if (space->history && !hybrid_.time().resting(*space)) {
    const auto what = Guest::normal_memory(*result) ? HybridPolicy::Refill::Memory : HybridPolicy::Refill::Device;
    hybrid_.refilled(*space, window_offset(va), what, class_of(result->log2_size));
  }
  uint8_t* const host = walks_.ram().at(result->pa);
  statistics_.soft_misses++;
  enter_in_soft_tlb(cpu, va, host, writable, *result);
  return {host, false};
}

template <GuestArchitecture Guest>
typename Guest::Translation GuestMmu<Guest>::fill(Cpu& cpu, Va va, AccessKind kind, uint32_t bytes) {
  const bool privileged = Guest::privileged(cpu);
  const Regime regime = walks_.regime_of(cpu);
  Result result;
  statistics_.soft_misses++;
  walk_for_entry(regime, va, kind, privileged, result);
  if (!privileged && !result.ng && current_ && shootdown_.surprises(*current_, va)) [[unlikely]]
    walk_again(regime, va, kind, privileged, result);
  Translation t = translation_of(va, result);
  // That a page's code is in the way says nothing of what a window would cost.
  const bool to_code = kind == AccessKind::Store && t.ok && t.host && code_.holds(walks_.ram_page_of(t.pa));
  if (!to_code && current_ && current_->history && !current_->windowed && !hybrid_.time().resting(*current_) &&
      !t.watched) {
    using Refill = HybridPolicy::Refill;
    hybrid_.refilled(*current_, window_offset(va),
                     !t.ok                          ? Refill::NotMapped
                     : Guest::normal_memory(result) ? Refill::Memory
                                                    : Refill::Device,
                     class_of(result.log2_size));
  }
  if (!t.host) {
    if (kind == AccessKind::Load && walks_.flash_at(t)) return fill_from_flash(va, result, t);
    return t;
  }
  if (kind == AccessKind::Fetch) return t;

  const uint32_t page = walks_.ram_page_of(t.pa);
  bool writable = Guest::allows_store(result, privileged);
  if (writable && !code_.may_write(page))
    writable = kind == AccessKind::Store && write_to_code(t.pa, std::min(bytes, kPageSize - page_offset(va)));
  if (kind == AccessKind::Store && t.ok && !writable) {
    t.holds_code = true;
    if (current_ && !current_->windowed && current_->soft->holds(va)) return t;
  }
  if (!current_ || current_->windowed || t.watched || !walks_.enterable(result)) return t;
  enter_in_soft_tlb(cpu, va, t.host, writable, result);
  return t;
}

// What a walk has found is in the current space's software TLB from now on.
template <GuestArchitecture Guest>
inline void GuestMmu<Guest>::enter_in_soft_tlb(Cpu& cpu, Va va, uint8_t* host, bool writable, const Result& r) {
  SoftTlbOf<Va>& soft = *current_->soft;
  statistics_.entries_4k++;
  statistics_.pages_installed++;
  current_->data_reuse.refilled += soft.install(va, host, writable, r.ng, class_of(r.log2_size));
  if (soft.is_crowded()) [[unlikely]]
    grow_soft_tlb(cpu);
}

template <GuestArchitecture Guest>
[[gnu::noinline, gnu::cold]] void GuestMmu<Guest>::grow_soft_tlb(Cpu& cpu) {
  SoftTlbOf<Va>& soft = *current_->soft;
  const uint32_t least = config_.soft_tlb.least, wanted = soft.wanted();
  if (wanted == soft.size()) return;
  uint64_t all = wanted - soft.size();
  for (const auto& space : spaces_.all())
    if (space->soft) all += space->soft->size() - least;
  while (all > config_.max_soft_tlb_entries) {
    Space* const other = spaces_.least_recently_used(
        [&](const Space& s) { return &s != current_ && s.soft && s.soft->size() != least; });
    if (!other) return;
    all -= other->soft->size() - least;
    other->soft->reset();
    statistics_.soft_tlb_resizes++;
  }
  soft.resize(wanted);
  statistics_.soft_tlb_resizes++;
  statistics_.most_soft_tlb_entries = std::max<uint64_t>(statistics_.most_soft_tlb_entries, wanted);
  show_soft_tlb(cpu);
}

// Of a load that flash answers, unless it is hidden meanwhile. Windows that fill themselves are of
// RAM alone: in them, these loads are made one by one.
template <GuestArchitecture Guest>
[[gnu::noinline]] typename Guest::Translation GuestMmu<Guest>::fill_from_flash(Va va, const Result& result,
                                                                               Translation t) {
  t.host = walks_.flash_at(t);
  if (!current_ || t.watched || !(Guest::normal_memory(result) || Guest::mmu_was_off(result))) return t;
  if (!uses_flash(t)) t.host = nullptr;
  current_->reads_flash = filled_.exist();
  if (!t.host || current_->windowed) return t;
  current_->soft->install(va, t.host, false, result.ng, class_of(result.log2_size));
  statistics_.entries_4k++;
  statistics_.pages_installed++;
  return t;
}

// The banks that are readable no longer are so by now, so that no CPU that runs from here on makes
// an entry for them. Each CPU removes those of its windows before it goes on.
template <GuestArchitecture Guest>
void GuestMmu<Guest>::flash_hidden(Cpu& cpu) {
  if (!code_.flash_in_use()) return;
  {
    const RunningCpus::Stop stop(machine_.cpus, index_);
    for (GuestMmu* const mmu : machine_.mmus) {
      if (!mmu) continue;
      mmu->forget_instruction_pages();
      for (auto& space : mmu->spaces_.all()) {
        if (space->soft) space->soft->remove_all();
        space->reads_flash = false;
      }
    }
    code_.drop_flash();
  }
  unpark(cpu);
  if (current_ && cpu.space == current_ && current_->changes_applied != changes()) apply_missed(cpu);
}

template <GuestArchitecture Guest>
FaultOutcome GuestMmu<Guest>::window_fault(Cpu& cpu, int64_t offset, uint32_t bytes, bool write,
                                           Translation& translation) {
  if (offset < 0 || offset >= static_cast<int64_t>(kWindowSize)) {
    statistics_.window_faults_split++;
    return FaultOutcome::Split;
  }
  const UpkeepClock clock(hybrid_, *current_);
  const Va va = static_cast<Va>(offset);
  const AccessKind kind = write ? AccessKind::Store : AccessKind::Load;
  const Regime regime = walks_.regime_of(cpu);
  Result result;
  walks_.walk(regime, va, kind, Guest::privileged(cpu), result);
  if (!result.ng && shootdown_.surprises(*current_, va)) walks_.walk(regime, va, kind, Guest::privileged(cpu), result);
  translation = translation_of(va, result);
  // The memory type's check of alignment comes before those of domain and permission.
  if (!translation.ok && translation.normal_memory) {
    statistics_.window_faults_guest++;
    installer_.aborted(*current_, va, kind);
    clock.note_fault();
    filled_.understood();
    return FaultOutcome::GuestFault;
  }
  const bool flash = !translation.host && !write && !current_->filling() && walks_.enterable_flash(result);
  if (!translation.host && !(flash && uses_flash(translation))) {
    filled_.understood();
    statistics_.window_faults_device++;
    return FaultOutcome::Device;
  }

  const uint32_t page = walks_.window_page_of(translation.pa);
  bool was_code = false;
  if (write && code_.holds(page)) {
    statistics_.window_faults_code++;
    const uint64_t to_end = kPageSize - page_offset(va);
    if (!code_written(translation.pa, std::min<uint64_t>(std::max(bytes, 1u), to_end))) {
      translation.holds_code = true;
      return FaultOutcome::BesideCode;
    }
    was_code = true;
  }
  if (translation.watched || !(flash || walks_.enterable(result))) {
    statistics_.window_faults_device++;
    return FaultOutcome::Device;
  }
  if (current_->filling()) return refused_fault(*current_, regime, va, was_code);
  const WindowEntry old = current_->window_at(va).pages().entry(window_offset(va));
  const bool spurious = old.valid() && old.ram_page() == page && (old.writable() || !write);
  const bool installed = installer_.install(*current_, regime, va, result);
  clock.note_fault();
  if (!installed) return FaultOutcome::Once;
  if (was_code) return FaultOutcome::CodeWrite;
  if (spurious)
    statistics_.window_faults_spurious++;
  else
    statistics_.window_faults_installed++;
  return FaultOutcome::Installed;
}

// A fault that the provider of the window has not served, of a page that can be installed.
template <GuestArchitecture Guest>
FaultOutcome GuestMmu<Guest>::refused_fault(Space& space, const Regime& regime, Va va, bool was_code) {
  if (was_code) {
    filled_.understood();
    return FaultOutcome::CodeWrite;
  }
  statistics_.window_faults_spurious++;
  return filled_.follow(space, regime) || filled_.retries(space, va) ? FaultOutcome::Installed : FaultOutcome::Once;
}

template <GuestArchitecture Guest>
void GuestMmu<Guest>::collect_filled(Cpu& cpu) {
  if (config_.accounts || cpu.trace) filled_.collect(cpu.trace);
}

template <GuestArchitecture Guest>
uint32_t GuestMmu<Guest>::fetch_page(Cpu& cpu, Va va, uint32_t code_flags, Translation& translation) {
  InstructionPagesOf<Va>& pages = current_->instruction_pages;
  const Va va_page = va >> kPageBits;
  const GuestRam& ram = walks_.ram();
  if (const uint32_t id = pages.id_at(va); id != 0 && ids_.record(id).va_page == va_page) {
    const typename PageIdsOf<Va>::Record record = ids_.record(id);
    translation = Translation{};
    translation.ok = true;
    translation.pa = walks_.pa_of(record.ram_page) + page_offset(va);
    translation.host = ram.at(translation.pa);
    if (record.flags == code_flags) return id;
    if (!ids_.full()) {
      const uint32_t other = ids_.intern({va_page, record.ram_page, code_flags});
      pages.replace_id(va, other);
      return other;
    }
  }

  if (ids_.full()) drop_page_ids(cpu);
  const Regime regime = walks_.regime_of(cpu);
  Result result;
  statistics_.fetch_walks++;
  walks_.walk(regime, va, AccessKind::Fetch, Guest::privileged(cpu), result);
  if (!result.ng && shootdown_.surprises(*current_, va))
    walks_.walk(regime, va, AccessKind::Fetch, Guest::privileged(cpu), result);
  translation = translation_of(va, result);
  if (!translation.ok) return 0;
  if (!translation.host) {  // outside RAM
    if (walks_.flash_at(translation)) {
      if (uses_flash(translation)) translation.host = walks_.ram().at(translation.pa);
    }
    if (!translation.host) {
      translation.ok = false;
      Guest::set_fetch_fault(translation, regime, va, result, translation.normal_memory);
      return 0;
    }
  }
  const uint32_t id = ids_.intern({va_page, walks_.ram_page_of(translation.pa), code_flags});
  current_->fetch_reuse.refilled += pages.install(va, id, result.ng, class_of(result.log2_size));
  if (index_ == 0) statistics_.page_ids = ids_.count();  // the machine's
  if (prefiller_.fetched(*current_)) {
    const uint64_t start = trace::begin(cpu.trace), before = statistics_.pages_prefilled;
    prefiller_.prefill(*current_, regime);
    trace::end(cpu.trace, trace::Kind::Prefill, start, statistics_.pages_prefilled - before);
  }
  return id;
}

template <GuestArchitecture Guest>
void GuestMmu<Guest>::drop_page_ids(Cpu& cpu) {
  {
    const RunningCpus::Stop stop(machine_.cpus, index_);
    if (ids_.full()) {  // unless another CPU was first
      for (GuestMmu* const mmu : machine_.mmus)
        if (mmu) mmu->forget_instruction_pages();
      code_.listener().page_ids_dropped();
      ids_.drop();
      statistics_.page_id_drops++;
    }
  }
  unpark(cpu);
}

template <GuestArchitecture Guest>
void GuestMmu<Guest>::forget_instruction_pages() {
  for (auto& s : spaces_.all()) s->instruction_pages.remove_all();
}

template <GuestArchitecture Guest>
void GuestMmu<Guest>::translated(uint32_t page_id, uint64_t ticks) {
  if (config_.mode.form == Form::Hybrid) ids_.add_translation(page_id, hybrid_.translated(*current_, ticks));
}

template <GuestArchitecture Guest>
void GuestMmu<Guest>::debug_changed(Cpu& cpu) {
  if (const typename Guest::BreakPages pages = Guest::break_pages(cpu); pages != break_pages_) {
    if (pages.everywhere != break_pages_.everywhere) {
      forget_instruction_pages();
    } else {
      for (const typename Guest::BreakPages& from : {break_pages_, pages})
        for (uint32_t i = 0; i < from.count; i++) {
          const Va va = Va{from.page[i]} << kPageBits;
          if (pages.at(va) == break_pages_.at(va)) continue;
          for (auto& s : spaces_.all()) s->instruction_pages.remove_va(va, false);
        }
    }
    break_pages_ = pages;
  }
  const bool more = watch_.set(Guest::watched(cpu));
  if (filled_.exist()) filled_.watch(watch_);
  if (!more) return;
  watch_changes_++;
  if (current_) watch_.remove_from(*current_);
}

template <GuestArchitecture Guest>
void GuestMmu<Guest>::flush(Cpu& cpu, Flush operation) {
  static constexpr uint64_t Statistics::*kOfKind[] = {&Statistics::flush_all, &Statistics::flush_asid,
                                                      &Statistics::flush_mva, &Statistics::flush_mvaa};
  ++(statistics_.*kOfKind[operation.kind]);
  const TracedFlush traced(cpu.trace, statistics_, static_cast<trace::FlushKind>(operation.kind), operation.va,
                           operation.asid);
  const uint64_t end = flushes_.add(operation);
  if (operation.broadcast && machine_.cpus.several()) {
    broadcast_end_ = end;
    shootdown_.add(operation);
    Guest::set_awaited(cpu, true);
  }
  if (!current_) return;
  const UpkeepClock clock(hybrid_, *current_);
  const Regime regime = walks_.regime_of(cpu);
  if (filled_.exist()) filled_.follow(*current_, regime);
  flusher_.apply(*current_, regime);
  show_soft_tlb(cpu);
  clock.note_upkeep();
}

template <GuestArchitecture Guest>
void GuestMmu<Guest>::protect_code_page(uint64_t pa) {
  const CodePages::Protected done = code_.protect(pa);
  statistics_.code_pages_protected += done != CodePages::Protected::Before;
  if (done != CodePages::Protected::Logged) return;
  if (current_) code_.catch_up(*current_);
  if (machine_.cpus.several()) machine_.cpus.ask_others(index_);
}

}  // namespace crosswalk::mmu
