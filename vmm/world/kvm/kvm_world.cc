// SPDX-License-Identifier: GPL-2.0-or-later
// Making the VM: arena, page tables, vCPU state, and which mechanisms work on this host. The run
// loop is in kvm_exits.cc.
#include "vmm/world/kvm/kvm_world.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace crosswalk::kvm {
namespace {

using ring0::kLargePageBytes;
using ring0::kPageBytes;

// Offsets in the arena. Pages not listed are not mapped inside the VM: they guard the stacks.
constexpr uint64_t kSystemPages = 0;                    // GDT, TSS, IDT: supervisor
constexpr uint64_t kSupervisorCode = 3 * kPageBytes;    // supervisor
constexpr uint64_t kDoubleFaultStack = 4 * kPageBytes;  // supervisor
constexpr uint64_t kSupervisorEnd = 5 * kPageBytes;
constexpr uint64_t kExceptionStack = 0x10000;  // RSP0: one page, readable at CPL 3
constexpr uint64_t kUserCode = 0x11000;
constexpr uint64_t kUpcallArea = 0x12000;
constexpr uint64_t kUserEnd = 0x20000;
constexpr uint64_t kTestPages = 0x30000;  // mapped by the self-test's fault handler only
constexpr uint64_t kTestPageCount = 8;
constexpr uint64_t kFaultStack = 0x100000 + kPageBytes;
constexpr uint64_t kFaultStackEnd = 0x200000;
constexpr uint64_t kEngineStack = 0x200000 + kPageBytes;
constexpr uint64_t kLowerHalfEnd = 0x7ffffffff000;  // Linux's TASK_SIZE_MAX with 4-level paging
static_assert(kTestPages + kTestPageCount * kPageBytes <= kFaultStack - kPageBytes);
static_assert(kUpcallArea + sizeof(ring0::UpcallArea) <= kUserEnd);
static_assert(sizeof(ring0::ExceptionFrame) == 7 * 8);

uint64_t round_up(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

// x87, SSE, AVX and AVX-512 state (SDM volume 1, 13.1), as far as the host's XCR0 enables it.
uint64_t host_xsave_mask() {
  unsigned a, b, c, d;
  constexpr unsigned kOsxsave = 1u << 27;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & kOsxsave)) return 0;
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low & 0xe7;
}

const kvm_cpuid_entry2* find_leaf(const std::vector<kvm_cpuid_entry2>& cpuid, uint32_t function, uint32_t index = 0) {
  for (const auto& entry : cpuid) {
    if (entry.function == function && entry.index == index) return &entry;
  }
  return nullptr;
}

kvm_segment segment(uint16_t selector, uint8_t type, bool code) {
  kvm_segment s = {};
  s.limit = 0xffffffff, s.selector = selector, s.type = type, s.present = 1, s.dpl = selector & 3, s.s = 1, s.g = 1;
  s.l = code, s.db = !code;
  return s;
}

}  // namespace

// Page-table pages from the arena: a bump pointer and a free list. Fresh and released pages are all
// zeroes.
class KvmWorld::Pool final : public ring0::PageAllocator {
 public:
  Pool(uint8_t* host, uint64_t gpa, uint64_t bytes) : host_(host), gpa_(gpa), bytes_(bytes) {}
  uint64_t allocate() override {
    if (!free_.empty()) {
      const uint64_t page = free_.back();
      free_.pop_back();
      return page;
    }
    if (used_ == bytes_) return 0;
    used_ += kPageBytes;
    return gpa_ + used_ - kPageBytes;
  }
  void release(uint64_t physical) override { free_.push_back(physical); }
  uint64_t* at(uint64_t physical) const override { return reinterpret_cast<uint64_t*>(host_ + (physical - gpa_)); }

 private:
  uint8_t* host_;
  uint64_t gpa_, bytes_, used_ = 0;
  std::vector<uint64_t> free_;
};

KvmWorld::KvmWorld(const KvmOptions& options)
    : vm_(system_), options_(options), map_regions_(add_host_function(&KvmWorld::map_regions, this)) {}

KvmWorld::~KvmWorld() {
  if (arena_ != nullptr) munmap(arena_, kRegionBytes);
  if (region_gpa_ != nullptr) munmap(region_gpa_, kRegions * sizeof(uint64_t));
}

vmm::Result<std::unique_ptr<KvmWorld>> KvmWorld::create(const KvmOptions& options) {
  if (std::string reason = why_kvm_is_unusable(); !reason.empty()) return vmm::Error{std::move(reason)};
  try {
    std::unique_ptr<KvmWorld> world(new KvmWorld(options));
    const auto cpuid = world->system_.supported_cpuid();
    const int slots = world->system_.check_extension(KVM_CAP_NR_MEMSLOTS);
    world->slot_limit_ = slots > 0 ? static_cast<uint32_t>(slots) : 32;
    const auto* sizes = find_leaf(cpuid, 0x80000008);
    const unsigned physical_bits = sizes != nullptr && (sizes->eax & 0xff) != 0 ? sizes->eax & 0xff : 36;
    world->gpa_limit_ = uint64_t{1} << std::min(physical_bits, 52u);
    world->build_arena();
    const auto* features = find_leaf(cpuid, 0x80000001);
    constexpr uint32_t kNoExecute = 1u << 20;
    world->map_arena(features != nullptr && (features->edx & kNoExecute) != 0);
    world->set_up_vcpu(cpuid);
    world->map_present_regions();
    world->choose_mechanisms();
    world->measure_mechanisms();
    world->measure_cpl0();
    world->align_tsc();
    world->counters_ = {};
    world->area_->upcalls = 0;
    world->protect_stubs();
    return world;
  } catch (const KvmError& failure) {
    return vmm::Error{std::string("cannot make the KVM world: ") + failure.what()};
  }
}

void KvmWorld::build_arena() {
  void* table = mmap(nullptr, kRegions * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (table == MAP_FAILED) throw KvmError(std::string("mmap of the region table: ") + std::strerror(errno));
  region_gpa_ = static_cast<uint64_t*>(table);

  const uint64_t stack_end = round_up(kEngineStack + options_.engine_stack_bytes, kLargePageBytes);
  const uint64_t used = stack_end + kLargePageBytes + round_up(options_.page_table_bytes, kLargePageBytes);
  if (used > kRegionBytes) throw KvmError("page_table_bytes and engine_stack_bytes must stay below 1 GiB together");
  // One whole region, aligned: reserve two, keep one.
  void* memory = mmap(nullptr, 2 * kRegionBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw KvmError(std::string("mmap of the arena: ") + std::strerror(errno));
  const uint64_t start = reinterpret_cast<uint64_t>(memory), base = round_up(start, kRegionBytes);
  if (base != start) munmap(memory, base - start);
  munmap(reinterpret_cast<void*>(base + kRegionBytes), start + kRegionBytes - base);
  arena_ = reinterpret_cast<uint8_t*>(base);
  if (mprotect(arena_, used, PROT_READ | PROT_WRITE) != 0) {
    throw KvmError(std::string("mprotect of the arena: ") + std::strerror(errno));
  }
  area_ = reinterpret_cast<ring0::UpcallArea*>(arena_ + kUpcallArea);
  area_->handler = &KvmWorld::upcall;
  area_->handler_argument = this;
  const uint64_t rsp0 = base + kExceptionStack + kPageBytes;
  exception_frame_ = reinterpret_cast<ring0::ExceptionFrame*>(rsp0 - sizeof(ring0::ExceptionFrame));
  fault_stack_top_ = base + kFaultStackEnd;
  engine_stack_top_ = base + stack_end;
}

void KvmWorld::map_arena(bool no_execute) {
  const uint64_t base = reinterpret_cast<uint64_t>(arena_), gpa = next_gpa_;
  vm_.add_slot(next_slot_++, gpa, base, kRegionBytes);
  next_gpa_ += kRegionBytes;
  region_gpa_[base >> 30] = gpa;
  const uint64_t stack_end = engine_stack_top_ - base;
  const uint64_t pool_offset = stack_end + kLargePageBytes;
  const uint64_t pool_bytes = round_up(options_.page_table_bytes, kLargePageBytes);
  pool_ = std::make_unique<Pool>(arena_ + pool_offset, gpa + pool_offset, pool_bytes);
  tables_ = std::make_unique<ring0::PageTables>(*pool_, no_execute);
  ring0::Efer efer;
  efer.nxe = no_execute;
  user_sregs_.efer = ring0::raw(efer);
  using Access = ring0::PageTables::Access;
  const struct {
    uint64_t begin, end;
    Access access;
  } parts[] = {{kSystemPages, kSupervisorCode, {.user = false}},
               {kSupervisorCode, kDoubleFaultStack, {.writable = false, .user = false, .executable = true}},
               {kDoubleFaultStack, kSupervisorEnd, {.user = false}},
               {kExceptionStack, kUserCode, {}},
               {kUserCode, kUpcallArea, {.writable = false, .executable = true}},
               {kUpcallArea, kUserEnd, {}},
               {kFaultStack, kFaultStackEnd, {}},
               {kEngineStack, stack_end, {}},
               {pool_offset, pool_offset + pool_bytes, {}}};
  ring0::Invalidations none;
  for (const auto& part : parts) {
    if (!tables_->valid() ||
        !tables_->map(base + part.begin, gpa + part.begin, part.end - part.begin, part.access, none)) {
      throw KvmError("page_table_bytes is too small for the arena's own tables");
    }
  }
}

void KvmWorld::install_stubs(uint64_t xsave_mask) {
  const ring0::StubConfig config{.area = area_,
                                 .exception_frame = exception_frame_,
                                 .fault_stack_top = fault_stack_top_,
                                 .xsave_mask = xsave_mask};
  stubs_ = ring0::generate_stubs(config, arena_ + kSupervisorCode, arena_ + kUserCode);
  const uint64_t base = reinterpret_cast<uint64_t>(arena_);
  system_pages_ = ring0::build_system_pages(arena_ + kSystemPages, stubs_, base + kExceptionStack + kPageBytes,
                                            base + kDoubleFaultStack + kPageBytes);
}

// Descriptor tables and stubs are as they stay: not even page tables that code inside has changed
// lead to a writable page of them.
void KvmWorld::protect_stubs() {
  if (mprotect(arena_ + kSystemPages, kDoubleFaultStack - kSystemPages, PROT_READ) != 0 ||
      mprotect(arena_ + kUserCode, kUpcallArea - kUserCode, PROT_READ) != 0)
    throw KvmError(std::string("mprotect of the stubs: ") + std::strerror(errno));
}

void KvmWorld::set_up_vcpu(const std::vector<kvm_cpuid_entry2>& cpuid) {
  const int run_bytes = checked_ioctl(system_.fd().get(), KVM_GET_VCPU_MMAP_SIZE, 0, "KVM_GET_VCPU_MMAP_SIZE");
  vcpu_ = std::make_unique<Vcpu>(vm_.fd().get(), static_cast<size_t>(run_bytes), 0);
  vcpu_->set_cpuid(cpuid);
  const uint64_t mask = host_xsave_mask();
  install_stubs(mask);

  ring0::Cr4 cr4;
  constexpr uint32_t kXsave = 1u << 26, kFsgsbase = 1u << 0;
  const auto* leaf1 = find_leaf(cpuid, 1);
  const auto* leaf7 = find_leaf(cpuid, 7);
  // A KVM that hides XSAVE from its guests refuses CR4.OSXSAVE; the host's setting then stays in
  // force at CPL 3.
  cr4.osxsave = leaf1 != nullptr && (leaf1->ecx & kXsave) != 0 && mask != 0;
  cr4.fsgsbase = leaf7 != nullptr && (leaf7->ebx & kFsgsbase) != 0;
  const bool osxsave = cr4.osxsave;

  const uint64_t efer = user_sregs_.efer;
  user_sregs_ = vcpu_->get_sregs();
  user_sregs_.cr0 = ring0::raw(ring0::Cr0{});
  user_sregs_.cr4 = ring0::raw(cr4);
  user_sregs_.cr3 = tables_->root();
  user_sregs_.efer = efer;
  user_sregs_.cs = segment(ring0::kUserCode, ring0::kTypeCode, true);
  user_sregs_.ss = user_sregs_.ds = user_sregs_.es = user_sregs_.fs = user_sregs_.gs =
      segment(ring0::kUserData, ring0::kTypeData, false);
  user_sregs_.gdt = {system_pages_.gdt, ring0::SystemPages::kGdtLimit, {}};
  user_sregs_.idt = {system_pages_.idt, ring0::SystemPages::kIdtLimit, {}};
  user_sregs_.tr = {};
  user_sregs_.tr.base = system_pages_.tss;
  user_sregs_.tr.limit = ring0::SystemPages::kTssLimit;
  user_sregs_.tr.selector = ring0::kTaskState;
  user_sregs_.tr.type = ring0::kTypeBusyTss64;
  user_sregs_.tr.present = 1;
  vcpu_->set_sregs(user_sregs_);

  constexpr uint32_t kMsrStar = 0xc0000081, kMsrLstar = 0xc0000082, kMsrFmask = 0xc0000084;
  vcpu_->set_msr(kMsrStar, ring0::kStar, "IA32_STAR");
  vcpu_->set_msr(kMsrLstar, stubs_.syscall, "IA32_LSTAR");
  vcpu_->set_msr(kMsrFmask, 0, "IA32_FMASK");
  if (osxsave) {
    const auto* leaf13 = find_leaf(cpuid, 13);
    const uint64_t supported = leaf13 != nullptr ? leaf13->eax : 0;
    if ((mask & supported) != mask) install_stubs(mask & supported);
    if (!vcpu_->set_xcr0(mask & supported)) throw KvmError("KVM_SET_XCRS: refuses the host's XCR0");
  }
}

void KvmWorld::map_present_regions() {
  FILE* maps = std::fopen("/proc/self/maps", "r");
  if (maps == nullptr) throw KvmError(std::string("/proc/self/maps: ") + std::strerror(errno));
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  char line[512];
  bool line_start = true;
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long begin, end;
    char permissions[5];
    const bool parse = line_start;
    line_start = std::strchr(line, '\n') != nullptr;  // a long path name comes in several pieces
    if (!parse || std::sscanf(line, "%lx-%lx %4s", &begin, &end, permissions) != 3) continue;
    // Reservations are mapped when they turn out to be used.
    const bool reservation = permissions[0] != 'r' || end - begin > (uint64_t{64} << 30);
    if (!reservation && end <= kLowerHalfEnd) ranges.emplace_back(begin, end);
    if (permissions[2] == 'x' && end <= kLowerHalfEnd) code_ranges_.push_back({begin, end});
  }
  std::fclose(maps);
  for (const auto& [begin, end] : ranges) {
    for (uint64_t region = begin >> 30; region <= (end - 1) >> 30; region++) {
      if (region_gpa_[region] == 0) add_regions(region, 1);
    }
  }
}

void KvmWorld::add_regions(uint64_t first, uint64_t count) {
  const uint64_t va = first << 30;
  const uint64_t bytes = std::min(count << 30, kLowerHalfEnd - va);
  if (next_slot_ == slot_limit_) {
    throw KvmError("all " + std::to_string(slot_limit_) +
                   " memory slots are in use; use fewer windows or another --mmu");
  }
  if (next_gpa_ + (count << 30) > gpa_limit_) {
    throw KvmError("guest-physical address space is used up; use fewer windows or another --mmu");
  }
  const uint64_t gpa = next_gpa_;
  vm_.add_slot(next_slot_, gpa, va, bytes);
  next_slot_++;
  next_gpa_ += count << 30;
  ring0::Invalidations changed;
  bool mapped = tables_->map(va, gpa, bytes, {}, changed);
  for (uint64_t i = 0; i < count; i++) region_gpa_[first + i] = gpa + (i << 30);
  for (const Range& code : code_ranges_) {
    const uint64_t begin = std::max(code.base, va), end = std::min(code.end, va + bytes);
    if (begin < end) mapped = mapped && map_code(begin, end, changed);
  }
  if (!mapped) throw KvmError("page-table memory is used up: raise page_table_bytes");
}

// Precondition: the regions of [begin, end) are reachable.
bool KvmWorld::map_code(uint64_t begin, uint64_t end, ring0::Invalidations& changed) {
  while (begin < end) {
    const uint64_t chunk = std::min(end - begin, kRegionBytes - begin % kRegionBytes);
    if (!tables_->map(begin, gpa_of(begin), chunk, {.executable = true}, changed)) return false;
    begin += chunk;
  }
  return true;
}

void KvmWorld::add_code(const void* begin, size_t bytes) {
  const uint64_t base = reinterpret_cast<uint64_t>(begin), end = base + round_up(bytes, kPageBytes);
  if (auto mapped = ensure_mapped(base, end - base); !mapped) throw KvmError(mapped.error());
  code_ranges_.push_back({base, end});
  bool mapped = false;
  execute([&] {
    ring0::Invalidations changed;
    mapped = map_code(base, end, changed);
    invalidate(changed);
  });
  if (!mapped) throw KvmError("page-table memory is used up: raise page_table_bytes");
}

// Host function: address, bytes. Returns 0 with mapping_error_ set.
uint64_t KvmWorld::map_regions(void* context, const HostArguments& range) {
  auto& self = *static_cast<KvmWorld*>(context);
  const uint64_t address = range[0], bytes = range[1];
  try {
    if (bytes == 0 || address >= kLowerHalfEnd || bytes > kLowerHalfEnd - address)
      throw KvmError("address range outside of user space");
    const uint64_t end = (address + bytes - 1) >> 30;
    for (uint64_t first = address >> 30; first <= end;) {
      uint64_t count = 0;
      while (first + count <= end && self.region_gpa_[first + count] == 0) count++;
      if (count > 0) self.add_regions(first, count);
      first += count + (count == 0);
    }
    return 1;
  } catch (const KvmError& failure) {
    self.mapping_error_ = failure.what();
    return 0;
  }
}

vmm::Result<bool> KvmWorld::ensure_mapped(uint64_t address, uint64_t bytes) {
  bool all = address < kLowerHalfEnd && bytes != 0 && bytes <= kLowerHalfEnd - address;
  for (uint64_t region = address >> 30; all && region <= (address + bytes - 1) >> 30; region++) {
    all = region_gpa_[region] != 0;
  }
  if (all || host_call(map_regions_, {address, bytes}) != 0) return true;
  return vmm::Error{mapping_error_};
}

void KvmWorld::add_window_range(uint64_t base, uint64_t bytes) { window_ranges_.push_back({base, base + bytes}); }

void KvmWorld::remove_window_range(uint64_t base) {
  std::erase_if(window_ranges_, [&](const Range& range) { return range.base == base; });
}

bool KvmWorld::in_window_range(uint64_t address) const {
  for (const Range& range : window_ranges_) {
    if (address >= range.base && address < range.end) return true;
  }
  return false;
}

void KvmWorld::invalidate(ring0::Invalidations& changed) {
  if (changed.empty()) return;
  if (!gate_flush_) {
    ring0::out_call(ring0::kPortFlush, 0, 0);
  } else if (changed.all()) {
    ring0::invalidate_all(tables_->root());
    counters_.gate_flushes++;
  } else {
    for (const uint64_t va : changed) ring0::invalidate_address(va);
    counters_.gate_flushes++;
  }
  changed.clear();
}

namespace {

// The self-test: touches the test page four times, dropping the translation in between in each way.
struct SelfTest {
  KvmWorld* world;
  uint64_t page, gpa;
  int faults = 0;
  bool single_ok = false, all_ok = false;
};

void self_test_entry(void* argument) {
  auto& test = *static_cast<SelfTest*>(argument);
  auto* word = reinterpret_cast<volatile uint32_t*>(test.page);
  const auto drop = [&](bool all) {
    ring0::Invalidations changed;
    test.world->page_tables().unmap(test.page, kPageBytes, changed);
    if (all) changed.add_all();
    test.world->invalidate(changed);
  };
  *word = 1;
  *word = 2;
  drop(false);
  *word = 3;
  test.single_ok = test.faults == 2;
  drop(true);
  *word = 4;
  test.all_ok = test.faults == 3;
  drop(true);
  getpid();  // notices how SYSCALL comes out
}

bool self_test_fault(void* context, engine::FaultFrame& frame) {
  auto& test = *static_cast<SelfTest*>(context);
  if (!test.world->inside() || frame.address != test.page || !frame.write) return false;
  test.faults++;
  ring0::Invalidations changed;
  return test.world->page_tables().map(test.page, test.gpa, kPageBytes, {}, changed);
}

}  // namespace

void KvmWorld::deliver_faults(bool direct) {
  ring0::set_page_fault_delivery(system_pages_, stubs_, direct);
  direct_faults_ = direct;
}

void KvmWorld::self_test(bool direct, bool gate, uint64_t xsave_mask) {
  install_stubs(xsave_mask);
  deliver_faults(direct);
  gate_flush_ = gate;
  const uint64_t page = reinterpret_cast<uint64_t>(arena_) + kTestPages;
  SelfTest test{.world = this, .page = page, .gpa = gpa_of(page)};
  window_ranges_.push_back({page, page + kPageBytes});
  try {
    enter(self_test_entry, &test, self_test_fault, &test);
  } catch (const KvmError&) {
    window_ranges_.pop_back();
    throw;
  }
  window_ranges_.pop_back();
  if (!test.single_ok || !test.all_ok) throw KvmError("a dropped page-table entry stays in use");
}

void KvmWorld::choose_mechanisms() {
  using Delivery = KvmOptions::FaultDelivery;
  using Flush = KvmOptions::Flush;
  const uint64_t mask = host_xsave_mask();
  std::string reasons;
  for (const uint64_t xsave_mask : {mask, uint64_t{0}}) {
    for (const bool direct : {true, false}) {
      for (const bool gate : {true, false}) {
        if (options_.fault_delivery == (direct ? Delivery::Exit : Delivery::Direct)) continue;
        if (options_.flush == (gate ? Flush::Exit : Flush::Gate)) continue;
        try {
          return self_test(direct, gate, xsave_mask);
        } catch (const KvmError& error) {
          reasons += std::string(reasons.empty() ? "" : "; ") + (direct ? "direct faults" : "faults by exits") +
                     (gate ? ", INT3 gate: " : ", flush by exits: ") + error.what();
        }
      }
    }
    if (mask == 0) break;
  }
  throw KvmError("the self-test fails (" + reasons + ")");
}

namespace {

// Faults on the test pages and flushes of one page, with the mechanisms as they are set.
struct MechanismTest {
  KvmWorld* world;
  uint64_t pages, gpa;
  // TSC ticks for all pages, the best of several batches: other programs may be running. Clocks are
  // of no use yet: the VM's TSC may be far from the host's.
  uint64_t fault_ticks = ~uint64_t{0}, flush_ticks = ~uint64_t{0};
};

void mechanism_test_entry(void* argument) {
  auto& test = *static_cast<MechanismTest*>(argument);
  const auto time = [](auto operation) {
    const uint64_t start = __builtin_ia32_rdtsc();
    for (uint64_t i = 0; i < kTestPageCount; i++) operation(i * kPageBytes);
    return __builtin_ia32_rdtsc() - start;
  };
  constexpr int kBatches = 4;
  for (int batch = 0; batch < kBatches; batch++) {
    const uint64_t fault_ticks =
        time([&](uint64_t offset) { *reinterpret_cast<volatile uint32_t*>(test.pages + offset) = 1; });
    const uint64_t flush_ticks = time([&](uint64_t offset) {
      ring0::Invalidations changed;
      test.world->page_tables().unmap(test.pages + offset, kPageBytes, changed);
      test.world->invalidate(changed);
    });
    // The first makes page-table pages and touches what has never been touched.
    if (batch == 0) continue;
    test.fault_ticks = std::min(test.fault_ticks, fault_ticks);
    test.flush_ticks = std::min(test.flush_ticks, flush_ticks);
  }
}

bool mechanism_test_fault(void* context, engine::FaultFrame& frame) {
  auto& test = *static_cast<MechanismTest*>(context);
  const uint64_t offset = (frame.address - test.pages) & ~(kPageBytes - 1);
  if (offset >= kTestPageCount * kPageBytes) return false;
  ring0::Invalidations changed;
  return test.world->page_tables().map(test.pages + offset, test.gpa + offset, kPageBytes, {}, changed);
}

}  // namespace

// Precondition: choose_mechanisms() set a pair that works. An exit works wherever that does, so
// that what remains is to compare it: a gate or an upcall may cost more than an exit where code at
// CPL 0 is emulated.
void KvmWorld::measure_mechanisms() {
  const bool direct = direct_faults_, gate = gate_flush_;
  const uint64_t pages = reinterpret_cast<uint64_t>(arena_) + kTestPages;
  const auto measure = [&](bool direct_now, bool gate_now) {
    deliver_faults(direct_now);
    gate_flush_ = gate_now;
    MechanismTest test{.world = this, .pages = pages, .gpa = gpa_of(pages)};
    const auto start = std::chrono::steady_clock::now();
    const uint64_t start_ticks = __builtin_ia32_rdtsc();
    enter(mechanism_test_entry, &test, mechanism_test_fault, &test);
    const uint64_t ticks = __builtin_ia32_rdtsc() - start_ticks;
    const std::chrono::duration<double, std::micro> elapsed = std::chrono::steady_clock::now() - start;
    const auto each_us = [&](uint64_t t) {
      return static_cast<double>(t) * elapsed.count() / static_cast<double>(ticks * kTestPageCount);
    };
    (direct_now ? mechanism_costs_.fault_direct_us : mechanism_costs_.fault_exit_us) = each_us(test.fault_ticks);
    (gate_now ? mechanism_costs_.flush_gate_us : mechanism_costs_.flush_exit_us) = each_us(test.flush_ticks);
  };
  window_ranges_.push_back({pages, pages + kTestPageCount * kPageBytes});
  const bool compare_faults = direct && options_.fault_delivery == KvmOptions::FaultDelivery::Auto;
  const bool compare_flushes = gate && options_.flush == KvmOptions::Flush::Auto;
  if (compare_faults || compare_flushes) measure(direct && !compare_faults, gate && !compare_flushes);
  measure(direct, gate);
  window_ranges_.pop_back();
  const MechanismCosts& costs = mechanism_costs_;
  deliver_faults(direct && (!compare_faults || costs.fault_direct_us < costs.fault_exit_us));
  gate_flush_ = gate && (!compare_flushes || costs.flush_gate_us < costs.flush_exit_us);
}

void KvmWorld::measure_cpl0() {
  kvm_sregs sregs = user_sregs_;
  sregs.cs = segment(ring0::kKernelCode, ring0::kTypeCode, true);
  sregs.ss = sregs.ds = sregs.es = sregs.fs = sregs.gs = segment(ring0::kKernelData, ring0::kTypeData, false);
  const auto time_loop = [&](uint64_t iterations) {
    double best = 1e9;
    // A native loop is so short that one preemption makes it look emulated.
    for (int repeat = 0; repeat < 5; repeat++) {
      vcpu_->set_sregs(sregs);
      kvm_regs& regs = vcpu_->regs();
      regs = {};
      regs.rip = stubs_.timing_loop;
      regs.rcx = iterations;
      regs.rsp = reinterpret_cast<uint64_t>(exception_frame_);
      regs.rflags = 2;
      vcpu_->mark_dirty();
      const auto start = std::chrono::steady_clock::now();
      Exit exit;
      do {
        exit = vcpu_->run();
      } while (exit.kind == ExitKind::Interrupted);
      const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
      if (exit.kind != ExitKind::Port || exit.port != ring0::kPortLoopDone) {
        throw KvmError("timing loop at CPL 0: " + describe(exit));
      }
      best = std::min(best, time.count());
    }
    return best;
  };
  constexpr uint64_t kShort = 20, kLong = 520;
  cpl0_instruction_ns_ = std::max(0.0, time_loop(kLong) - time_loop(kShort)) / (2.0 * (kLong - kShort));
}

// An offset of 0 is right by the interface's definition; the measurement finds a KVM whose own
// host's TSC is an offset one that it does not account for.
void KvmWorld::align_tsc() {
  tsc_offset_ = 0;
  if (!vcpu_->set_tsc_offset(tsc_offset_)) {
    constexpr uint32_t kMsrTsc = 0x10;
    vcpu_->set_msr(kMsrTsc, __builtin_ia32_rdtsc(), "IA32_TIME_STAMP_COUNTER");
  }
  for (int attempt = 0; attempt < 3; attempt++) {
    // One entry can take milliseconds, and would then agree with an offset as wrong as that; and a KVM that lets a VM's
    // TSC catch up with another rate moves it while the VM does not run.
    constexpr int kSamples = 10;
    tsc_is_exact_ = true;
    uint64_t shortest = ~uint64_t{0};
    int64_t correction = 0;
    for (int sample = 0; sample < kSamples; sample++) {
      if (sample % 2 == 1) usleep(300);
      uint64_t inside = 0;
      const uint64_t before = __builtin_ia32_rdtsc();
      enter([](void* result) { *static_cast<uint64_t*>(result) = __builtin_ia32_rdtsc(); }, &inside, nullptr, nullptr);
      const uint64_t after = __builtin_ia32_rdtsc();
      tsc_is_exact_ = tsc_is_exact_ && before <= inside && inside <= after;
      if (after - before >= shortest) continue;
      shortest = after - before;
      correction = static_cast<int64_t>(before + shortest / 2 - inside);
    }
    if (tsc_is_exact_) return;
    tsc_offset_ += correction;
    if (!vcpu_->set_tsc_offset(tsc_offset_)) return;
  }
}

// When the host's TSC restarts, after a suspend, KVM changes the offset so that the VM's goes on.
// Everything here, and the vDSO inside the VM, wants the host's.
void KvmWorld::keep_tsc_aligned() {
  int64_t offset = 0;
  if (vcpu_->get_tsc_offset(offset) && offset != tsc_offset_) vcpu_->set_tsc_offset(tsc_offset_);
}

}  // namespace crosswalk::kvm
