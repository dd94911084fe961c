// SPDX-License-Identifier: GPL-2.0-or-later
// A backend that only notes what it is told: which accesses would reach what.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>

#include "mmu-shadow/windows/window.h"

namespace crosswalk::mmu::test {

class NotingBackend;

class NotingWindow final : public Window {
 public:
  NotingWindow(NotingBackend& backend, uint64_t base);
  ~NotingWindow() override;
  bool install(uint32_t va, uint64_t pa, uint64_t bytes, bool writable) override;
  void remove(uint32_t va, uint64_t bytes) override {
    pages_.erase(pages_.lower_bound(va), pages_.lower_bound(va + bytes));
  }
  void commit() override {}
  bool share(uint32_t from, Window& common) override {
    EXPECT_EQ(common_, nullptr) << "shares already";
    from_ = from;
    common_ = static_cast<NotingWindow*>(&common);
    common_->is_common_ = true;
    return true;
  }
  void unshare() override { common_ = nullptr; }
  void enter() override;

  uint64_t entry(uint32_t va) const {
    const auto& pages = common_ && va >= from_ ? common_->pages_ : pages_;
    const auto it = pages.find(va & ~0xfffu);
    return it == pages.end() ? 0 : it->second;
  }

 private:
  NotingBackend& backend_;
  std::map<uint64_t, uint64_t> pages_;  // PA, with bit 0 for write access
  uint32_t from_ = 0;
  NotingWindow* common_ = nullptr;
  bool is_common_ = false;
};

class NotingBackend final : public WindowBackend {
 public:
  std::unique_ptr<Window> create_window() override { return std::make_unique<NotingWindow>(*this, ++made << 40); }
  bool can_share() const override { return true; }

  // The PA, or 0 for a fault.
  uint64_t reaches(uint64_t base, uint32_t va) const { return windows_.at(base)->entry(va) & ~uint64_t{1}; }
  bool writable(uint64_t base, uint32_t va) const { return windows_.at(base)->entry(va) & 1; }
  size_t windows() const { return windows_.size(); }
  uint64_t made = 0;

 private:
  friend NotingWindow;
  std::map<uint64_t, const NotingWindow*> windows_;
  const NotingWindow* entered_ = nullptr;
};

inline NotingWindow::NotingWindow(NotingBackend& backend, uint64_t base) : Window(base), backend_(backend) {
  backend_.windows_[base] = this;
}
inline NotingWindow::~NotingWindow() { backend_.windows_.erase(base()); }
inline bool NotingWindow::install(uint32_t va, uint64_t pa, uint64_t bytes, bool writable) {
  if (is_common_) {
    EXPECT_EQ(backend_.entered_->common_, this) << "another window was entered last";
  }
  for (uint64_t o = 0; o < bytes; o += 4096) pages_[va + o] = pa + o + writable;
  return true;
}
inline void NotingWindow::enter() { backend_.entered_ = this; }

}  // namespace crosswalk::mmu::test
