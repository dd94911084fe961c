// SPDX-License-Identifier: GPL-2.0-or-later
// The CPUs of a machine as their MMUs see each other: which of them may access memory now, and how
// much of the flush log each has applied.
//
// A CPU is *parked* while it executes no guest code and has promised to apply all that was asked
// for before it does so again: it sleeps, is switched off, or waits here. Nobody waits for it.
//
// Where more CPUs run than the host has, the one that is waited for may get no host CPU for some
// milliseconds, while those that answered at once keep theirs. So who waits for long asks all
// others to *rest*: they answer, and give their host CPU away until it has waited enough.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "translator/base/host_cpus.h"

namespace crosswalk::mmu {

class RunningCpus {
 public:
  // A CPU's number here. Numbers are given in the order of add().
  using Index = unsigned;
  static constexpr Index kMaximum = 8;

  // The host runs so many threads at once.
  explicit RunningCpus(unsigned host_cpus = count_host_cpus()) : host_cpus_(host_cpus) {}

  // The new CPU is parked. Precondition: no CPU runs; there are fewer than kMaximum.
  Index add();
  // `ask_to_poll(cpu)` has the CPU leave translated code soon; any thread calls it. Before it runs.
  void attach(Index self, void* cpu, void (*ask_to_poll)(void*)) {
    slots_[self].cpu = cpu;
    slots_[self].ask_to_poll = ask_to_poll;
  }
  bool several() const { return count_ > 1; }

  // ---- on the CPU's own thread
  // It may access memory from now on, with what it has applied so far; applied() says how much that
  // is. Waits while another CPU has stopped all.
  void run(Index self);
  void park(Index self) { slots_[self].applied.store(kParked); }
  // All records of the flush log below `position` are applied to what it can access.
  void applied(Index self, uint64_t position) { slots_[self].applied.store(position, std::memory_order_release); }
  // What it has stored unseen to pages of the log of code below `position` has been noticed.
  void checked(Index self, uint64_t position) { slots_[self].checked.store(position, std::memory_order_release); }
  // Where the CPU is from now on, as places are numbered by who asks for place(). A full barrier: a
  // CPU that changes the logs and does not see the new place is seen by this one, when it looks at
  // the logs next.
  void enter(Index self, uint32_t place) { slots_[self].place.store(place); }
  // It has, or is about to have, something in these places too. True: that is new, and a full
  // barrier.
  bool add_places(Index self, uint64_t places) {
    std::atomic<uint64_t>& mine = slots_[self].places;
    return (mine.load(std::memory_order_relaxed) & places) != places && (mine.fetch_or(places), true);
  }
  // It is between two blocks of translated code: what has been taken out of code cannot be in its
  // way any more. Cheap.
  void between_blocks(Index self) {
    if (several()) slots_[self].seen.store(epoch_.load(std::memory_order_acquire), std::memory_order_release);
  }
  // Whether others wait for so long that this CPU should rest. It has applied all it was asked for.
  bool wants_rest() const { return waiting_long_.load(std::memory_order_acquire) != 0; }
  // Returns when one of these waits is over. Precondition: parked.
  void rest();
  // Whether another CPU waits for this one to park.
  bool wants_stop() const { return stopping_.load(std::memory_order_acquire); }

  // ---- any thread
  uint32_t place(Index cpu) const { return slots_[cpu].place.load(); }
  uint64_t places(Index cpu) const { return slots_[cpu].places.load(); }
  // What is taken out of translated code after next_epoch() and before begin_epoch() is out of
  // every CPU's way once passed() says so of that number. With one CPU, at once. One thread at a
  // time.
  uint64_t next_epoch() const { return several() ? epoch_.load() + 1 : 0; }
  void begin_epoch() {
    if (several()) epoch_.fetch_add(1);
  }
  // Of `self`, which is between two blocks, and all others.
  bool passed(Index self, uint64_t epoch) const {
    for (Index other = 0; other < count_; other++) {
      const Slot& slot = slots_[other];
      if (other != self && slot.seen.load() < epoch && slot.applied.load() != kParked) return false;
    }
    return true;
  }

  // Asks all others that run to poll.
  void ask_others(Index self) const;
  // Waits until every other CPU for which covers(index) has applied the log below `position`, or is
  // parked. help() is called again and again meanwhile: this CPU applies what others wait for;
  // false: it gives up.
  template <class Covers, class Help>
  void wait_for_others(Index self, uint64_t position, Covers covers, Help help) {
    wait_while([&](Index other) { return slots_[other].applied.load() < position && covers(other); }, self, help);
  }
  // The same until every other CPU has checked the log of code below `position`, or is parked.
  template <class Help>
  void wait_for_checks(Index self, uint64_t position, Help help) {
    wait_while(
        [&](Index other) { return slots_[other].checked.load() < position && slots_[other].applied.load() != kParked; },
        self, help);
  }
  // While it lives, all other CPUs are parked. `self` is parked while it waits for that, so that it
  // has to look at everything anew afterwards.
  class Stop {
   public:
    Stop(RunningCpus& cpus, Index self);
    ~Stop();
    Stop(const Stop&) = delete;
    Stop& operator=(const Stop&) = delete;

   private:
    RunningCpus& cpus_;
    const std::unique_lock<std::mutex> lock_;
  };

 private:
  template <class Behind, class Help>
  void wait_while(Behind behind, Index self, Help help) {
    bool asked[kMaximum] = {};
    for (Patience patience(*this, self);; patience.look()) {
      bool all = true;
      for (Index other = 0; other < count_; other++) {
        if (other == self || !behind(other)) continue;
        all = false;
        if (!asked[other]) slots_[other].ask_to_poll(slots_[other].cpu);
        asked[other] = true;
      }
      if (all || !help()) return;
    }
  }
  // What a CPU does between two looks at the others.
  class Patience {
   public:
    Patience(RunningCpus& cpus, Index self) : cpus_(cpus), self_(self) {}
    ~Patience() {
      if (long_) cpus_.waited_long();
    }
    Patience(const Patience&) = delete;
    Patience& operator=(const Patience&) = delete;
    void look();

   private:
    RunningCpus& cpus_;
    const Index self_;
    unsigned looks_ = 0;
    bool long_ = false;
  };
  // More run than the host has CPUs for.
  bool crowded() const;
  void waited_long();

  static constexpr uint64_t kParked = UINT64_MAX;
  struct alignas(64) Slot {
    std::atomic<uint64_t> applied{kParked}, checked{0}, seen{0}, places{0};
    std::atomic<uint32_t> place{0};
    void* cpu = nullptr;
    void (*ask_to_poll)(void*) = nullptr;
  };
  Slot slots_[kMaximum];
  Index count_ = 0;
  const unsigned host_cpus_;
  std::atomic<uint64_t> epoch_{0};
  std::mutex stop_;  // held by who stops all
  std::atomic<bool> stopping_{false};
  // `waits_over_` changes whenever `waiting_long_` has become less.
  std::atomic<uint32_t> waiting_long_{0}, waits_over_{0}, resting_{0};
};

}  // namespace crosswalk::mmu
