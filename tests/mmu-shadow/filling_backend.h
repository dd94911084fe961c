// SPDX-License-Identifier: GPL-2.0-or-later
// Windows that fill themselves, as the kernel module's do, but only noted: what an access would
// reach, by walks of the same regime, and what flushes take.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "mmu-shadow/windows/window.h"
#include "tests/mmu-shadow/test_memory.h"
#include "tests/mmu-shadow/torture.h"

namespace crosswalk::mmu::test {

class FillingBackend final : public WindowBackend, private WindowFiller {
 public:
  struct Entry {
    uint64_t pa;
    unsigned log2_size;
    bool writable, ng;
    bool operator==(const Entry&) const = default;
  };

  class Window final : public FillingWindow {
   public:
    Window(FillingBackend& backend, uint64_t base) : FillingWindow(base), backend_(backend) {
      backend_.windows_[base] = this;
    }
    ~Window() override { backend_.windows_.erase(base()); }

    void set_regime(std::span<const std::byte> regime, bool privileged) override {
      ASSERT_EQ(regime.size(), sizeof regime_);
      std::memcpy(&regime_, regime.data(), sizeof regime_);
      privileged_ = privileged;
      backend_.regimes_set++;
    }
    uint32_t installed(bool nonglobal_only) const override {
      uint32_t n = 0;
      for (const auto& [va, entry] : pages_) n += !nonglobal_only || entry.ng;
      return n;
    }
    uint32_t faults() const override { return faults_; }
    bool may_hold(uint32_t) const override { return !pages_.empty(); }
    bool holds_below(uint32_t va) const override { return !pages_.empty() && pages_.begin()->first < va; }
    uint32_t stretches() const override { return static_cast<uint32_t>(pages_.size()); }
    Flushed flush(std::span<const WindowFlush> batch, bool eager) override {
      Flushed done;
      for (const WindowFlush& flush : batch) {
        for (auto it = pages_.begin(); it != pages_.end();) {
          const auto& [va, entry] = *it;
          const bool single = flush.kind == WindowFlush::Page || flush.kind == WindowFlush::GlobalPage;
          const bool spared = (flush.kind == WindowFlush::NonGlobal && !entry.ng) ||
                              (flush.kind == WindowFlush::GlobalPage && entry.ng) ||
                              (flush.kind == WindowFlush::Below && va >= flush.va) ||
                              (single && (va ^ flush.va) >> entry.log2_size != 0);
          Entry now;
          if (spared || (eager && walk(va, now) && now == entry)) {
            done.kept += !spared;
            ++it;
          } else if (eager && walk(va, now)) {
            (it++)->second = now;
            done.rewritten++;
          } else {
            it = pages_.erase(it);
            done.removed++;
          }
        }
      }
      backend_.flushes++;
      return done;
    }
    uint32_t fill(std::span<const uint32_t> vas) override {
      uint32_t n = 0;
      for (const uint32_t va : vas)
        if (Entry entry; walk(va, entry)) n += pages_.emplace(va & ~0xfffu, entry).second;
      backend_.counts_.entries += n;
      backend_.counts_.listed += n;
      return n;
    }
    void protect(std::span<const uint32_t> ram_pages) override {
      const auto [first, last] = std::minmax_element(ram_pages.begin(), ram_pages.end());
      for (auto& [va, entry] : pages_) {
        const uint64_t page = (entry.pa - backend_.ram_.base) >> 12;
        if (page >= *first && page <= *last && backend_.is_code(entry.pa)) entry.writable = false;
      }
    }
    void clear() override { pages_.clear(); }

    // The entry that an access goes by, after a fault if need be, which what the guest's tables do
    // not allow is not served. Null then.
    const Entry* reach(uint32_t va, bool write) {
      const auto it = pages_.find(va & ~0xfffu);
      if (it != pages_.end() && (!write || it->second.writable)) return &it->second;
      Entry entry;
      if (!walk(va, entry) || (write && !entry.writable)) return nullptr;
      faults_++;
      backend_.counts_.faults++;
      backend_.counts_.entries++;
      return &(pages_[va & ~0xfffu] = entry);
    }
    // What is there without a fault.
    bool holds(uint32_t va) const { return pages_.contains(va & ~0xfffu); }

   private:
    bool walk(uint32_t va, Entry& entry) const {
      const uint32_t page = va & ~0xfffu;
      const cw_result r = TestMemory::walk(backend_.ram_, regime_, page, CW_LOAD, privileged_);
      backend_.counts_.walks++;
      if (r.fault != CW_FAULT_NONE || !backend_.ram_.contains(r.pa) || backend_.watched(page)) return false;
      if (r.memory_type != CW_NORMAL && r.log2_size != 32) return false;
      const bool writable = r.permissions & (privileged_ ? CW_PL1_WRITE : CW_PL0_WRITE);
      entry = {r.pa, r.log2_size == 32 ? 12u : r.log2_size, writable && !backend_.is_code(r.pa), r.ng != 0};
      return true;
    }

    FillingBackend& backend_;
    cw_regime regime_{};
    bool privileged_ = false;
    std::map<uint32_t, Entry> pages_;
    uint32_t faults_ = 0;
  };

  explicit FillingBackend(const GuestRam& ram, size_t most_windows = 1000)
      : ram_(ram), most_(most_windows), code_((ram.size >> 12) / 64 + 1) {}

  WindowFiller* filler() override { return this; }
  Window& window_at(uint64_t base) const { return *windows_.at(base); }
  size_t windows() const { return windows_.size(); }
  unsigned regimes_set = 0, flushes = 0;

 private:
  std::unique_ptr<FillingWindow> create_filling_window() override {
    return windows_.size() >= most_ ? nullptr : std::make_unique<Window>(*this, ++made_ << 40);
  }
  uint64_t* code_pages() override { return code_.data(); }
  void watch(std::span<const Pages> pages) override {
    watched_.assign(pages.begin(), pages.end());
    for (auto& [base, window] : windows_)
      for (const Pages& p : watched_)
        for (uint64_t page = p.first; page <= p.last; page++) {
          const WindowFlush flush{WindowFlush::Page, static_cast<uint32_t>(page << 12)};
          window->flush({&flush, 1}, false);
        }
  }
  FillCounts counts() const override { return counts_; }
  bool is_code(uint64_t pa) const {
    const uint64_t page = (pa - ram_.base) >> 12;
    return code_[page / 64] >> page % 64 & 1;
  }
  bool watched(uint32_t va) const {
    for (const Pages& p : watched_)
      if (va >> 12 >= p.first && va >> 12 <= p.last) return true;
    return false;
  }

  const GuestRam ram_;
  const size_t most_;
  std::vector<uint64_t> code_;
  std::vector<Pages> watched_;
  std::map<uint64_t, Window*> windows_;
  uint64_t made_ = 0;
  FillCounts counts_;
};

// Accesses in such windows, or in the software TLB of a space that has none.
class FillingAccessor final : public Accessor {
 public:
  explicit FillingAccessor(const GuestRam& ram, FillingBackend& backend) : ram_(ram), backend_(backend) {}
  AccessResult access(CpuState& cpu, Mmu& mmu, uint32_t va, uint32_t bytes, bool write, uint64_t value) override {
    if (!cpu.memory_window) return soft_.access(cpu, mmu, va, bytes, write, value);
    AccessResult result;
    for (;;) {
      if (const auto* const entry = backend_.window_at(cpu.mem_base).reach(va, write)) {
        uint8_t* const at = ram_.at(entry->pa + (va & 0xfff));
        std::memcpy(write ? static_cast<void*>(at) : &result.value, write ? static_cast<const void*>(&value) : at,
                    bytes);
        return result;
      }
      if (!resolve_window_fault(cpu, mmu, va, va, bytes, write, value, result)) return result;
    }
  }

 private:
  const GuestRam ram_;
  FillingBackend& backend_;
  SoftAccessor soft_;
};

}  // namespace crosswalk::mmu::test
