// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/ept_backend.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "translator/base/panic.h"

namespace crosswalk::kvm {
namespace {

// and the guards'
constexpr uint64_t kRegionsOfWindow = mmu::kWindowSize / kRegionBytes + 2;

// The windows of the inner backend, and what is done to them outside of the VM. Numbers name them
// there: what comes out of the VM is no address that the host would follow.
class OuterWindows {
 public:
  OuterWindows(KvmWorld& world, std::unique_ptr<mmu::WindowBackend> backend)
      : world_(world),
        backend_(std::move(backend)),
        create_(world.host_functions().add(&OuterWindows::create_outside, this)),
        destroy_(world.host_functions().add(&OuterWindows::destroy_outside, this)),
        install_(world.host_functions().add(&OuterWindows::install_outside, this)),
        commit_(world.host_functions().add(&OuterWindows::commit_outside, this)) {}
  ~OuterWindows() {
    for (const auto number : {create_, destroy_, install_, commit_}) world_.host_functions().remove(number);
  }
  OuterWindows(const OuterWindows&) = delete;
  OuterWindows& operator=(const OuterWindows&) = delete;

  KvmWorld& world() { return world_; }
  mmu::WindowBackend& backend() const { return *backend_; }

  // The number of a new window, or 0.
  uint64_t create(uint64_t& base) {
    const uint64_t number = world_.host_call(create_);
    if (number != 0) base = windows_[number - 1]->base();
    return number;
  }
  void destroy(uint64_t number) {
    std::erase_if(queue_, [&](const Removal& removal) { return removal.window == number; });
    world_.host_call(destroy_, {number});
  }
  bool install(uint64_t number, uint32_t va, uint64_t pa, uint64_t bytes, bool writable) {
    return world_.host_call(install_, {number, va, pa, bytes, writable}) != 0;
  }
  void remove(uint64_t number, uint32_t va, uint64_t bytes) {
    if (!queue_.empty() && queue_.back().window == number && queue_.back().va + queue_.back().bytes == va) {
      queue_.back().bytes += bytes;
    } else {
      queue_.push_back({number, va, bytes});
    }
  }
  void commit() {
    if (!changed.empty()) world_.execute([&] { world_.invalidate(changed); });
    if (!queue_.empty() || !uncommitted_.empty()) world_.host_call(commit_);
  }

  ring0::Invalidations changed;  // x86 page tables: what windows share

 private:
  // Host functions. The inner windows refuse what is not in the window or not in RAM.
  using Arguments = HostFunctions::Arguments;
  static OuterWindows& self(void* context) { return *static_cast<OuterWindows*>(context); }
  static uint64_t create_outside(void* context, const Arguments&) {
    OuterWindows& all = self(context);
    all.flush_queue();
    auto window = all.backend_->create_window();
    if (!window) return 0;
    const auto free = std::find(all.windows_.begin(), all.windows_.end(), nullptr);
    const auto number = static_cast<uint64_t>(free - all.windows_.begin()) + 1;
    if (free == all.windows_.end())
      all.windows_.push_back(std::move(window));
    else
      *free = std::move(window);
    return number;
  }
  static uint64_t destroy_outside(void* context, const Arguments& a) {
    OuterWindows& all = self(context);
    std::erase(all.uncommitted_, a[0]);
    all.window(a[0]).reset();
    return 0;
  }
  static uint64_t install_outside(void* context, const Arguments& a) {
    OuterWindows& all = self(context);
    all.flush_queue();           // a removal queued before must not undo this
    all.note_uncommitted(a[0]);  // a replacement may have taken something away
    return a[1] < mmu::kWindowSize && all.window(a[0])->install(static_cast<uint32_t>(a[1]), a[2], a[3], a[4] != 0);
  }
  static uint64_t commit_outside(void* context, const Arguments&) {
    OuterWindows& all = self(context);
    all.flush_queue();
    for (const uint64_t number : all.uncommitted_) all.window(number)->commit();
    all.uncommitted_.clear();
    return 0;
  }
  std::unique_ptr<mmu::Window>& window(uint64_t number) {
    if (number - 1 >= windows_.size() || !windows_[number - 1]) panic("ept: no such window");
    return windows_[number - 1];
  }

  struct Removal {
    uint64_t window, va, bytes;
  };

  void note_uncommitted(uint64_t number) {
    if (std::find(uncommitted_.begin(), uncommitted_.end(), number) == uncommitted_.end())
      uncommitted_.push_back(number);
  }
  void flush_queue() {
    for (const Removal& removal : queue_) {
      window(removal.window)->remove(static_cast<uint32_t>(removal.va), removal.bytes);
      note_uncommitted(removal.window);
    }
    queue_.clear();
  }

  KvmWorld& world_;
  const std::unique_ptr<mmu::WindowBackend> backend_;
  std::vector<std::unique_ptr<mmu::Window>> windows_;  // by number - 1; null: free
  const HostFunctions::Number create_, destroy_, install_, commit_;
  std::vector<Removal> queue_;
  std::vector<uint64_t> uncommitted_;  // the inner windows that need a commit
};

class EptWindow final : public mmu::Window {
 public:
  EptWindow(OuterWindows& outer, uint64_t& windows, uint64_t number, uint64_t base)
      : Window(base), outer_(outer), windows_(windows), number_(number) {
    windows_++;
  }
  ~EptWindow() override {
    EptWindow::unshare();
    windows_--;
    outer_.destroy(number_);
  }

  bool install(uint32_t va, uint64_t pa, uint64_t bytes, bool writable) override {
    return outer_.install(number_, va, pa, bytes, writable);
  }
  void remove(uint32_t va, uint64_t bytes) override { outer_.remove(number_, va, bytes); }
  // Of all the windows.
  void commit() override { outer_.commit(); }

  // The x86 page tables of the one lead to the other's guest-physical addresses; entries are still
  // EPT entries.
  bool share(uint32_t from, mmu::Window& common) override {
    // A first touch by another name would make the wrong region reachable.
    KvmWorld& world = outer_.world();
    const uint64_t bytes = mmu::kWindowSize - from;
    bool ok = static_cast<bool>(world.reach(common.base() + from, bytes));
    if (ok)
      world.execute(
          [&] { ok = world.memory().tables().link(base() + from, common.base() + from, bytes, outer_.changed); });
    return ok;
  }
  void unshare() override {
    KvmWorld& world = outer_.world();
    world.execute([&] { world.memory().tables().unlink(base(), mmu::kWindowSize, outer_.changed); });
  }

 private:
  OuterWindows& outer_;
  uint64_t& windows_;
  const uint64_t number_;
};

class EptBackend final : public mmu::WindowBackend {
 public:
  EptBackend(KvmWorld& world, std::unique_ptr<mmu::WindowBackend> inner) : outer_(world, std::move(inner)) {}

  // A region of the window becomes reachable when it is first touched, by an exit: KVM needs up to
  // 2 MiB of memory and some milliseconds for each, and most windows use two. Its x86 page tables
  // and slot stay for the next window at that address.
  std::unique_ptr<mmu::Window> create_window() override {
    if (!has_slots(outer_.world(), windows_ + 1)) return nullptr;
    uint64_t base = 0;
    const uint64_t number = outer_.create(base);
    return number != 0 ? std::make_unique<EptWindow>(outer_, windows_, number, base) : nullptr;
  }
  bool can_share() const override { return true; }
  uint64_t resident_pages() override { return outer_.backend().resident_pages(); }
  // An exit each time.
  double resident_check_ns() const override { return 10 * outer_.backend().resident_check_ns(); }

 private:
  OuterWindows outer_;
  uint64_t windows_ = 0;
};

}  // namespace

bool has_slots(KvmWorld& world, uint64_t windows) { return world.memory().slots_left() >= kRegionsOfWindow * windows; }

std::unique_ptr<mmu::WindowBackend> make_ept_backend(KvmWorld& world, std::unique_ptr<mmu::WindowBackend> inner) {
  return std::make_unique<EptBackend>(world, std::move(inner));
}

}  // namespace crosswalk::kvm
