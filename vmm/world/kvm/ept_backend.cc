// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/ept_backend.h"

#include <string>
#include <utility>
#include <vector>

namespace crosswalk::kvm {
namespace {

class EptBackend final : public mmu::WindowBackend {
 public:
  EptBackend(KvmWorld& world, std::unique_ptr<mmu::WindowBackend> inner)
      : world_(world),
        inner_(std::move(inner)),
        create_(world.add_host_function(&EptBackend::create_outside, this)),
        destroy_(world.add_host_function(&EptBackend::destroy_outside, this)),
        install_(world.add_host_function(&EptBackend::install_outside, this)),
        commit_(world.add_host_function(&EptBackend::commit_outside, this)) {}
  ~EptBackend() override {
    for (const auto number : {create_, destroy_, install_, commit_}) world_.remove_host_function(number);
  }
  EptBackend(const EptBackend&) = delete;
  EptBackend& operator=(const EptBackend&) = delete;

  // A region of the window becomes reachable when it is first touched, by an exit: KVM needs up to 2 MiB of memory and
  // some milliseconds for each, and most windows use two. Its x86 page tables and slot stay for the next window at that
  // address.
  uint64_t create_window() override {
    constexpr uint64_t kRegions = mmu::kWindowSize / KvmWorld::kRegionBytes + 2;  // and the guards'
    if (world_.slots_left() < kRegions * (windows_ + 1)) return 0;                // the caller evicts a window
    const uint64_t base = world_.host_call(create_);
    windows_ += base != 0;
    return base;
  }
  void destroy_window(uint64_t base) override {
    unshare(base);
    windows_--;
    std::erase_if(queue_, [&](const Removal& removal) { return removal.base == base; });
    world_.host_call(destroy_, {base});
  }
  bool install(uint64_t base, uint32_t va, uint64_t pa, uint64_t bytes, bool writable) override {
    return world_.host_call(install_, {base, va, pa, bytes, writable}) != 0;
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
    world_.host_call(commit_);
  }
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
  // Host functions. The inner backend aborts on a base that is none of its windows', and refuses what is not in the
  // window or not in RAM.
  using Arguments = KvmWorld::HostArguments;
  static EptBackend& self(void* context) { return *static_cast<EptBackend*>(context); }
  static uint64_t create_outside(void* context, const Arguments&) {
    self(context).flush_queue();
    return self(context).inner_->create_window();
  }
  static uint64_t destroy_outside(void* context, const Arguments& a) {
    self(context).inner_->destroy_window(a[0]);
    return 0;
  }
  static uint64_t install_outside(void* context, const Arguments& a) {
    EptBackend& backend = self(context);
    backend.flush_queue();          // a removal queued before must not undo this
    backend.inner_pending_ = true;  // a replacement may have taken something away
    return a[1] < mmu::kWindowSize && backend.inner_->install(a[0], static_cast<uint32_t>(a[1]), a[2], a[3], a[4] != 0);
  }
  static uint64_t commit_outside(void* context, const Arguments&) {
    self(context).flush_queue();
    self(context).inner_->commit();
    self(context).inner_pending_ = false;
    return 0;
  }

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
  const KvmWorld::HostFunctionNumber create_, destroy_, install_, commit_;
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
