// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/vcpu_frame.h"

#include <cpuid.h>
#include <sys/mman.h>

namespace crosswalk::kvm {
namespace {

using ring0::kLargePageBytes;
using ring0::kPageBytes;

// Offsets. Pages not listed are not mapped inside the VM: they guard the stacks.
constexpr uint64_t kSystemPages = 0;                    // GDT, TSS, IDT: supervisor
constexpr uint64_t kSupervisorCode = 3 * kPageBytes;    // supervisor
constexpr uint64_t kDoubleFaultStack = 4 * kPageBytes;  // supervisor
constexpr uint64_t kSupervisorEnd = 5 * kPageBytes;
constexpr uint64_t kExceptionStack = 0x10000;  // RSP0: one page, readable at CPL 3
constexpr uint64_t kUserCode = 0x11000;
constexpr uint64_t kUpcallArea = 0x12000;
constexpr uint64_t kUserEnd = 0x20000;
constexpr uint64_t kTestPagesStart = 0x30000;  // mapped by the fault handlers of tests only
constexpr uint64_t kFaultStack = 0x100000 + kPageBytes;
constexpr uint64_t kFaultStackEnd = 0x200000;
constexpr uint64_t kEngineStack = 0x200000 + kPageBytes;
static_assert(kTestPagesStart + VcpuFrame::kTestPages * kPageBytes <= kFaultStack - kPageBytes);
static_assert(kUpcallArea + sizeof(ring0::UpcallArea) <= kUserEnd);
static_assert(sizeof(ring0::ExceptionFrame) == 7 * sizeof(uint64_t));

}  // namespace

uint64_t host_xsave_mask() {
  unsigned a, b, c, d;
  constexpr unsigned kOsxsave = 1u << 27;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & kOsxsave)) return 0;
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low & 0xe7;
}

uint64_t VcpuFrame::bytes(uint64_t engine_stack_bytes) {
  return round_up(kEngineStack + engine_stack_bytes, kLargePageBytes);
}

VcpuFrame::VcpuFrame(uint8_t* memory, uint64_t engine_stack_bytes)
    : memory_(memory),
      bytes_(bytes(engine_stack_bytes)),
      area_(reinterpret_cast<ring0::UpcallArea*>(memory + kUpcallArea)),
      exception_frame_(reinterpret_cast<ring0::ExceptionFrame*>(memory + kExceptionStack + kPageBytes) - 1) {}

uint64_t VcpuFrame::fault_stack_top() const { return base() + kFaultStackEnd; }
uint64_t VcpuFrame::test_pages() const { return base() + kTestPagesStart; }

Result<bool> VcpuFrame::map(VmMemory& memory) const {
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
               {kEngineStack, bytes_, {}}};
  for (const auto& part : parts) {
    if (auto mapped = memory.map_own(base() + part.begin, part.end - part.begin, part.access); !mapped) return mapped;
  }
  return true;
}

void VcpuFrame::install_stubs(uint64_t xsave_mask) {
  const ring0::StubConfig config{.area = area_,
                                 .exception_frame = exception_frame_,
                                 .fault_stack_top = fault_stack_top(),
                                 .xsave_mask = xsave_mask};
  stubs_ = ring0::generate_stubs(config, memory_ + kSupervisorCode, memory_ + kUserCode);
  system_pages_ = ring0::build_system_pages(memory_ + kSystemPages, stubs_, base() + kExceptionStack + kPageBytes,
                                            base() + kDoubleFaultStack + kPageBytes);
}

Result<bool> VcpuFrame::protect() const {
  if (mprotect(memory_ + kSystemPages, kDoubleFaultStack - kSystemPages, PROT_READ) != 0 ||
      mprotect(memory_ + kUserCode, kUpcallArea - kUserCode, PROT_READ) != 0)
    return system_error("mprotect of the stubs");
  return true;
}

}  // namespace crosswalk::kvm
