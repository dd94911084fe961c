// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kmod/kmod_backend.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "kernel-module/crosswalk-abi.h"
#include "mmu-shadow/walker/walker.h"
#include "translator/base/panic.h"

namespace crosswalk::kmod {
namespace {

// Each x86 page directory below is of one window, and the regions that a VM reaches are whole ones.
constexpr uint64_t kWindowAlign = 1 << 30;
constexpr uint64_t kReserved = mmu::kWindowSize + 2 * mmu::kWindowGuard + 2 * kWindowAlign;
// Installed by one fault. Neighbours cost more than the faults that they spare: most of them are
// not used before they are flushed, and each flush walks for them again (docs/kernel-module.md).
constexpr uint32_t kFillPages = 1;

// A mapping of this process, or none.
class Mapping {
 public:
  Mapping() = default;
  Mapping(void* start, size_t bytes) : start_(start), bytes_(bytes) {}
  Mapping(Mapping&& other) noexcept : start_(std::exchange(other.start_, MAP_FAILED)), bytes_(other.bytes_) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(start_, other.start_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapping() {
    if (*this) munmap(start_, bytes_);
  }
  explicit operator bool() const { return start_ != MAP_FAILED; }
  void* start() const { return start_; }

 private:
  void* start_ = MAP_FAILED;
  size_t bytes_ = 0;
};

// The open device: what all windows of a backend have together.
class Device {
 public:
  explicit Device(int fd) : fd_(fd) {}
  ~Device() { close(fd_); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  Result<bool> set_up(const GuestRam& ram);
  int fd() const { return fd_; }
  const cw_statistics& statistics() const { return *static_cast<const cw_statistics*>(statistics_.start()); }
  cw_upcall* upcalls() const { return static_cast<cw_upcall*>(upcalls_.start()); }
  uint64_t* code() const { return static_cast<uint64_t*>(code_.start()); }

  // A call that only a defect can make fail.
  template <typename Argument>
  void call(unsigned long request, Argument& argument, const char* name) const {
    if (ioctl(fd_, request, &argument) != 0)
      panic(std::string("the kernel module refuses ") + name + ": " + std::strerror(errno));
  }

 private:
  const int fd_;
  Mapping statistics_, code_, upcalls_;
};

std::string explain_set_ram(int error, const GuestRam& ram) {
  rlimit limit{};
  if (error == ENOMEM && getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    return fmt::format(
        "guest RAM of {} MiB counts as locked memory, of which this process may have {} KiB in all: raise it (ulimit "
        "-l "
        "unlimited, as root or by /etc/security/limits.d), or give a smaller --memory",
        ram.size >> 20, limit.rlim_cur >> 10);
  return std::string(kDevice) + " refuses the guest's RAM: " + std::strerror(error);
}

Result<bool> Device::set_up(const GuestRam& ram) {
  if (const int version = ioctl(fd_, CW_VERSION); version != CW_ABI_VERSION) {
    return Error{fmt::format(
        "the crosswalk module that is loaded has interface {}, and this program needs {}: build this version's (make "
        "module) and load it (rmmod crosswalk; insmod)",
        version, CW_ABI_VERSION)};
  }
  cw_set_ram set{};
  set.count = 1;
  set.ranges[0].base = ram.base;
  set.ranges[0].bytes = ram.size;
  set.ranges[0].memfd = ram.fd;
  if (ioctl(fd_, CW_SET_RAM, &set) != 0) return Error{explain_set_ram(errno, ram)};
  const auto map = [&](size_t bytes, int protection, uint64_t offset) {
    return Mapping(mmap(nullptr, bytes, protection, MAP_SHARED, fd_, static_cast<off_t>(offset)), bytes);
  };
  statistics_ = map(sizeof(cw_statistics), PROT_READ, CW_MAP_STATISTICS);
  constexpr uint64_t kWordPages = 64;
  code_ = map((((ram.size >> 12) + kWordPages - 1) / kWordPages * 8 + 4095) & ~uint64_t{4095}, PROT_READ | PROT_WRITE,
              CW_MAP_CODE);
  upcalls_ = map(sizeof(cw_upcall) * CW_MAX_UPCALLS, PROT_READ | PROT_WRITE, CW_MAP_UPCALLS);
  if (!statistics_ || !code_ || !upcalls_)
    return Error{std::string("cannot map ") + kDevice + ": " + std::strerror(errno)};
  return true;
}

// Once read: the module writes it meanwhile.
template <typename T>
T current(const T& field) {
  return *static_cast<const volatile T*>(&field);
}

class KmodWindow final : public mmu::FillingWindow {
 public:
  // `number` is free, and becomes so again in `free_numbers`. Null when the host has no room.
  static std::unique_ptr<KmodWindow> create(const Device& device, uint32_t number,
                                            std::vector<uint32_t>& free_numbers) {
    Mapping room(mmap(nullptr, kReserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), kReserved);
    if (!room) {
      free_numbers.push_back(number);
      return nullptr;
    }
    auto window = std::make_unique<KmodWindow>(device, std::move(room), number, free_numbers);
    window->set_walks();
    return window->map() ? std::move(window) : nullptr;
  }

  KmodWindow(const Device& device, Mapping room, uint32_t number, std::vector<uint32_t>& free_numbers)
      : FillingWindow((reinterpret_cast<uint64_t>(room.start()) + mmu::kWindowGuard + kWindowAlign - 1) &
                      ~(kWindowAlign - 1)),
        device_(device),
        room_(std::move(room)),
        free_numbers_(free_numbers) {
    walks_.window = number;
    walks_.fill_pages = kFillPages;
  }
  ~KmodWindow() override { free_numbers_.push_back(walks_.window); }

  void set_regime(std::span<const std::byte> regime, bool privileged) override {
    cw_regime r;
    if (regime.size() != sizeof r) panic("kmod: a guest that the module does not know");
    std::memcpy(&r, regime.data(), sizeof r);
    walks_.flags = privileged ? CW_WINDOW_PRIVILEGED : 0;
    walks_.ttbr0 = r.ttbr0;
    walks_.ttbr1 = r.ttbr1;
    walks_.sctlr = r.sctlr;
    walks_.ttbcr = r.ttbcr;
    walks_.dacr = r.dacr;
    walks_.prrr = r.prrr;
    walks_.nmrr = r.nmrr;
    walks_.contextidr = r.contextidr;
    set_walks();
  }

  uint32_t installed(bool nonglobal_only) const override {
    const auto& counts = device_.statistics().windows[walks_.window];
    return nonglobal_only ? current(counts.nonglobal) : current(counts.installed);
  }
  uint32_t faults() const override { return current(device_.statistics().windows[walks_.window].faults); }
  // This thread alone faults in the window.
  bool may_hold(uint32_t va) const override {
    const cw_statistics& s = device_.statistics();
    const uint32_t stretch = va >> 21;
    return current(s.windows[walks_.window].large) != 0 ||
           (current(s.used[walks_.window][stretch / 64]) >> stretch % 64 & 1) != 0;
  }
  bool holds_below(uint32_t va) const override {
    const cw_statistics& s = device_.statistics();
    const uint32_t stretch = va >> 21;
    for (uint32_t i = 0; i < stretch / 64; i++)
      if (current(s.used[walks_.window][i]) != 0) return true;
    return stretch % 64 != 0 && current(s.used[walks_.window][stretch / 64]) << (64 - stretch % 64) != 0;
  }
  uint32_t stretches() const override { return current(device_.statistics().windows[walks_.window].stretches); }

  Flushed flush(std::span<const mmu::WindowFlush> batch, bool eager) override {
    constexpr size_t kRecords = 256;
    Flushed flushed;
    cw_flush call{};
    if (batch.size() == 1) {
      call.count = 1;
      call.record = record_of(batch.front());
      flush(call, eager, flushed);
      return flushed;
    }
    cw_flush_record records[kRecords];
    call.records = reinterpret_cast<uint64_t>(records);
    while (!batch.empty()) {
      const auto now = batch.first(std::min(batch.size(), kRecords));
      std::transform(now.begin(), now.end(), records, record_of);
      call.count = static_cast<uint32_t>(now.size());
      flush(call, eager, flushed);
      batch = batch.subspan(now.size());
    }
    return flushed;
  }

  uint32_t fill(std::span<const uint32_t> vas) override { return list(CW_INSTALL, "CW_INSTALL", vas); }
  void protect(std::span<const uint32_t> ram_pages) override { list(CW_PROTECT, "CW_PROTECT", ram_pages); }

  void clear() override {
    if (!map()) panic(std::string("cannot map a window again: ") + std::strerror(errno));
  }

 private:
  static cw_flush_record record_of(const mmu::WindowFlush& f) {
    static_assert(static_cast<int>(mmu::WindowFlush::All) == CW_FLUSH_ALL &&
                  static_cast<int>(mmu::WindowFlush::NonGlobal) == CW_FLUSH_NONGLOBAL &&
                  static_cast<int>(mmu::WindowFlush::Page) == CW_FLUSH_VA &&
                  static_cast<int>(mmu::WindowFlush::GlobalPage) == CW_FLUSH_VA_GLOBAL);
    if (f.kind == mmu::WindowFlush::Below) return {CW_FLUSH_RANGE, 0, f.va};
    return {f.kind, f.va, 0};
  }
  void flush(cw_flush& call, bool eager, Flushed& flushed) const {
    call.window = walks_.window;
    call.flags = eager ? CW_FLUSH_EAGER : 0;
    device_.call(CW_FLUSH, call, "CW_FLUSH");
    flushed.removed += call.removed;
    flushed.kept += call.kept;
    flushed.rewritten += call.rewritten;
  }
  void set_walks() { device_.call(CW_SET_WINDOW, walks_, "CW_SET_WINDOW"); }
  // In place of what is there, which takes page tables and the module's record with it.
  bool map() {
    return mmap(reinterpret_cast<void*>(base()), mmu::kWindowSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                device_.fd(), static_cast<off_t>(CW_MAP_WINDOW(walks_.window))) != MAP_FAILED;
  }
  uint32_t list(unsigned long request, const char* name, std::span<const uint32_t> items) {
    uint32_t done = 0;
    while (!items.empty()) {
      const auto now = items.first(std::min<size_t>(items.size(), CW_MAX_BATCH));
      cw_list call{};
      call.window = walks_.window;
      call.count = static_cast<uint32_t>(now.size());
      call.items = reinterpret_cast<uint64_t>(now.data());
      device_.call(request, call, name);
      done += call.done;
      items = items.subspan(now.size());
    }
    return done;
  }

  const Device& device_;
  const Mapping room_;
  std::vector<uint32_t>& free_numbers_;
  cw_set_window walks_{};
};

class KmodBackend final : public mmu::WindowBackend, private mmu::WindowFiller, private mmu::FaultUpcalls {
 public:
  KmodBackend(std::unique_ptr<Device> device, std::function<bool(uint64_t)> has_room)
      : device_(std::move(device)), has_room_(std::move(has_room)) {
    for (uint32_t number = CW_MAX_WINDOWS; number != 0; number--) free_.push_back(number - 1);
  }

  mmu::WindowFiller* filler() override { return this; }
  mmu::FaultUpcalls* upcalls() override { return this; }

 private:
  std::unique_ptr<mmu::FillingWindow> create_filling_window() override {
    if (free_.empty() || (has_room_ && !has_room_(CW_MAX_WINDOWS - free_.size() + 1))) return nullptr;
    const uint32_t number = free_.back();
    free_.pop_back();
    return KmodWindow::create(*device_, number, free_);
  }
  mmu::FaultUpcall* attach(const void* entry, void* stack, void* argument) override {
    static_assert(offsetof(mmu::FaultUpcall, rip) == offsetof(cw_upcall, rip) &&
                  offsetof(mmu::FaultUpcall, rax) == offsetof(cw_upcall, rax) &&
                  offsetof(mmu::FaultUpcall, address) == offsetof(cw_upcall, address) &&
                  offsetof(mmu::FaultUpcall, write) == offsetof(cw_upcall, write));
    cw_set_upcall set{};
    set.entry = reinterpret_cast<uint64_t>(entry);
    set.stack = reinterpret_cast<uint64_t>(stack);
    set.argument = reinterpret_cast<uint64_t>(argument);
    for (; set.slot < CW_MAX_UPCALLS; set.slot++)
      if (ioctl(device_->fd(), CW_SET_UPCALL, &set) == 0)
        return reinterpret_cast<mmu::FaultUpcall*>(&device_->upcalls()[set.slot]);
    return nullptr;
  }
  void detach(mmu::FaultUpcall* upcall) override {
    cw_set_upcall set{};
    set.slot = static_cast<uint32_t>(reinterpret_cast<cw_upcall*>(upcall) - device_->upcalls());
    device_->call(CW_SET_UPCALL, set, "CW_SET_UPCALL");
  }
  uint64_t* code_pages() override { return device_->code(); }
  void watch(std::span<const Pages> pages) override {
    static_assert(mmu::Arm32::kWatchpoints <= CW_MAX_WATCHED);
    cw_watch call{};
    for (const Pages& p : pages) {
      call.ranges[call.count].first_page = p.first;
      call.ranges[call.count++].last_page = p.last;
    }
    device_->call(CW_WATCH, call, "CW_WATCH");
  }
  mmu::FillCounts counts() const override {
    const cw_statistics& s = device_->statistics();
    return {.faults = current(s.faults_installed),
            .entries = current(s.entries),
            .around = current(s.entries_around),
            .listed = current(s.entries_listed),
            .walks = current(s.walks),
            .walk_levels = current(s.walk_levels)};
  }

  const std::unique_ptr<Device> device_;
  const std::function<bool(uint64_t)> has_room_;
  std::vector<uint32_t> free_;  // numbers of windows
};

std::string explain_open(int error) {
  const std::string device = kDevice;
  switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return "the kernel module is not loaded (no " + device +
             "): load it with modprobe crosswalk, or build it with make module and load it with insmod";
    case EACCES:
    case EPERM: return device + " may not be opened: its udev rule gives it to the group kvm (docs/kernel-module.md)";
    default: return device + ": " + std::strerror(error);
  }
}

}  // namespace

Result<std::unique_ptr<mmu::WindowBackend>> make_kmod_backend(const GuestRam& ram,
                                                              std::function<bool(uint64_t)> has_room) {
  const int fd = open(kDevice, O_RDWR | O_CLOEXEC);
  if (fd < 0) return Error{explain_open(errno)};
  auto device = std::make_unique<Device>(fd);
  if (ram.fd < 0) return Error{"kmod windows need guest RAM in a memfd; this RAM is anonymous memory"};
  if (auto set = device->set_up(ram); !set) return set.take_error();
  std::unique_ptr<mmu::WindowBackend> backend = std::make_unique<KmodBackend>(std::move(device), std::move(has_room));
  return backend;
}

}  // namespace crosswalk::kmod
