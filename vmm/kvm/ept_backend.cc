// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/kvm/ept_backend.h"

#include <string>
#include <utility>
#include <vector>

namespace crosswalk::kvm {
namespace {

class EptBackend final : public mmu::WindowBackend {
 public:
  EptBackend(KvmWorld& world, std::unique_ptr<mmu::WindowBackend> inner) : world_(world), inner_(std::move(inner)) {}

  // A region of the window becomes reachable when it is first touched, by an exit: KVM needs up to 2 MiB of memory and
  // some milliseconds for each, and most windows use two. Its x86 page tables and slot stay for the next window at that
  // address.
  uint64_t create_window() override {
    constexpr uint64_t kRegions = mmu::kWindowSize / KvmWorld::kRegionBytes + 2;  // and the guards'
    if (world_.slots_left() < kRegions * (windows_ + 1)) return 0;                // the caller evicts a window
    uint64_t base = 0;
    world_.host_call([&] {
      flush_queue();
      base = inner_->create_window();
    });
    windows_ += base != 0;
    return base;
  }
  void destroy_window(uint64_t base) override {
    unshare(base);
    windows_--;
    std::erase_if(queue_, [&](const Removal& removal) { return removal.base == base; });
    world_.host_call([&] { inner_->destroy_window(base); });
  }
  bool install(uint64_t base, uint32_t va, uint64_t pa, uint64_t bytes, bool writable) override {
    bool ok = false;
    world_.host_call([&] {
      flush_queue();  // a removal queued before must not undo this
      ok = inner_->install(base, va, pa, bytes, writable);
      inner_pending_ = true;  // a replacement may have taken something away
    });
    return ok;
  }
  void remove(uint64_t base, uint32_t va, uint64_t bytes) override {
    if (!queue_.empty() && queue_.back().base == base && queue_.back().va + queue_.back().bytes == va) {
      queue_.back().bytes += bytes;
    } else {
      queue_.push_back({base, va, bytes});
    }
  }
  void commit() override {
    if (!changed_.empty()) world_.execute([&] { world_.invalidate(changed_); });
    if (queue_.empty() && !inner_pending_) return;
    world_.host_call([&] {
      flush_queue();
      inner_->commit();
      inner_pending_ = false;
    });
  }
  uint64_t max_entry() const override { return inner_->max_entry(); }
  uint64_t resident_pages() override { return inner_->resident_pages(); }
  // An exit each time.
  double resident_check_ns() const override { return 10 * inner_->resident_check_ns(); }

  // The x86 page tables of the one lead to the other's guest-physical addresses; entries are still EPT entries.
  bool can_share() const override { return true; }
  bool share(uint64_t base, uint32_t from, uint64_t common) override {
    // A first touch by another name would make the wrong region reachable.
    std::string error;
    bool ok = world_.ensure_mapped(common + from, mmu::kWindowSize - from, error);
    if (ok)
      world_.execute(
          [&] { ok = world_.page_tables().link(base + from, common + from, mmu::kWindowSize - from, changed_); });
    return ok;
  }
  void unshare(uint64_t base) override {
    world_.execute([&] { world_.page_tables().unlink(base, mmu::kWindowSize, changed_); });
  }

 private:
  struct Removal {
    uint64_t base, va, bytes;
  };

  void flush_queue() {
    for (const Removal& removal : queue_)
      inner_->remove(removal.base, static_cast<uint32_t>(removal.va), removal.bytes);
    inner_pending_ = inner_pending_ || !queue_.empty();
    queue_.clear();
  }
  KvmWorld& world_;
  std::unique_ptr<mmu::WindowBackend> inner_;
  ring0::Invalidations changed_;
  std::vector<Removal> queue_;
  uint64_t windows_ = 0;
  bool inner_pending_ = false;  // the inner backend needs a commit
};

}  // namespace

std::unique_ptr<mmu::WindowBackend> make_ept_backend(KvmWorld& world, std::unique_ptr<mmu::WindowBackend> inner) {
  return std::make_unique<EptBackend>(world, std::move(inner));
}

}  // namespace crosswalk::kvm
